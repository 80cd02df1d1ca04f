// Where policies are found: NAME.json in the first folder that has it, their seccomp profiles in its or a later folder's seccomp/.
//
// A policy decides what a container may do, so only files that nobody but root and the caller can have written are read:
// owned by one of them, writable by the owner alone, in a folder of which the same holds. Errors: kind not_found for a name that
// no folder has, refused for a file that others could write, invalid for what is in it.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "policy/policy.hpp"
#include "spec/spec.hpp"

#include <optional>
#include <string>
#include <vector>

namespace brig::container {

struct PolicyFile {
    policy::Policy policy;
    Json document;                       // merged with what it extends
    std::string path;                    // of the file, or "the state of the container"
    std::optional<spec::Seccomp> filter; // of its profile, without what it denies
};

class PolicyFiles {
public:
    // Absolute, the first one first.
    explicit PolicyFiles(std::vector<std::string> folders) : m_folders(std::move(folders)) {}

    Result<PolicyFile> find(const std::string& name) const;
    // A file that is being written: whoever owns it, under its own name; what it extends and its profile come from the folders.
    Result<PolicyFile> check(const std::string& path) const;
    // The rules of seccomp/NAME.json, as linux.seccomp has them.
    Result<Json> profile(const std::string& name) const;
    // Sorted, each once, of the folders that may be trusted.
    Result<std::vector<std::string>> names() const;

private:
    struct Text {
        std::string text;
        std::string path;
    };
    Result<Text> read_trusted(const std::string& name, std::string_view what) const;
    Result<Json> with_parents(Json document, std::vector<std::string> seen) const;
    Result<PolicyFile> complete(Json document, std::string path, const std::string& name) const;

    std::vector<std::string> m_folders;
};

// /etc/brig/config.json: what the host's administrator says. A missing file is the default.
struct HostSettings {
    std::string default_policy;     // for containers for which nobody names one; empty: none
    bool allow_annotations = false; // brig.policy of a bundle adds a policy
};
Result<HostSettings> read_host_settings(const std::string& path);

} // namespace brig::container
