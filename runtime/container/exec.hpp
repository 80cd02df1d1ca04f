// A further process in a running container.
//
// Runs in: the caller. Joins all namespaces by one setns(pidfd); the child is made inside the container's cgroup.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "container/context.hpp"
#include "launch/launcher.hpp"
#include "spec/spec.hpp"

#include <optional>
#include <string>
#include <vector>

namespace brig::container {

struct ExecRequest {
    // --process FILE: the text of the process document, read by spec::read_process. Otherwise the container's own
    // process with the following changes.
    std::optional<std::string> process_text;
    std::vector<std::string> args;
    std::vector<std::string> env;    // added
    std::string cwd;                 // empty: the container's
    std::optional<std::string> user; // "uid[:gid]"
    std::vector<uint32_t> additional_gids;
    std::vector<std::string> capabilities; // added to bounding, effective, permitted (and ambient when already inheritable)
    std::optional<std::string> apparmor_profile;
    std::optional<std::string> selinux_label;
    bool no_new_privileges = false; // true: on, whatever the document says
    bool terminal = false;          // -t
    // Of the terminal at its start, where the document names none.
    std::optional<spec::ConsoleSize> console_size;

    std::string pid_file;
    Fd console_socket;
    Fd pidfd_socket;
    unsigned preserved_fds = 0;
    std::vector<std::string> listen_environment;
    std::vector<std::string> cgroups; // --cgroup, "[controllers:]path"
    bool ignore_paused = false;
    bool terminal_to_caller = false;
};

// The process runs when this returns (its execve succeeded), a child of the caller.
// Wrong states: "cannot exec in a stopped container", "cannot exec in a paused container".
Result<launch::Launched> exec(const Context& context, const std::string& id, ExecRequest request);

} // namespace brig::container
