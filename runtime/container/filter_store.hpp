// Compiled seccomp programs, kept in <state root>/.filters so that a profile is compiled once and not at each start.
//
// A file holds the whole profile beside its program, and is used only when the profile is the same to the last byte: its
// name is a mere hint. What another user could have written is not read. A store that cannot be used costs a compilation,
// never a start: nothing here fails.
//
// Concurrency: writers rename complete files into place; the last of two equal ones stays.
#pragma once

#include "base/fd.hpp"
#include "setup/seccomp.hpp"
#include "spec/spec.hpp"

#include <optional>
#include <string>

namespace brig::container {

class FilterStore {
public:
    // `build` identifies the program that compiles: another one's filters are not used. Empty: nothing is kept.
    FilterStore(const std::string& state_root, std::string build);

    std::optional<setup::SeccompProgram> find(const spec::Seccomp& profile) const;
    // At most 64 are kept; the oldest goes.
    void keep(const spec::Seccomp& profile, const setup::SeccompProgram& program) const;

private:
    std::string key_of(const spec::Seccomp& profile) const;

    std::string m_build;
    Fd m_directory; // not valid: no store
};

} // namespace brig::container
