// The conversation between the launcher and the container's init, over one sequenced-packet socket pair.
//
//   launcher                                          init
//   ---------------------------------------------------------------------------------------------------------
//   clone3 ------------------------------------------> (born; PR_SET_PDEATHSIG: dies with the launcher)
//   ids_mapped --------------------------------------> becomes uid 0            user namespaces only; limits are set, too
//                                                      mounts what needs no cgroup
//   cgroup_ready {join files} -----------------------> joins, new cgroup namespace
//          <----------------------------------------- mount_source_needed {index}   repeated; user namespaces of the host's root
//   mount_source {mount} ----------------------------> attaches it
//                                                      mounts the rest, devices
//          <----------------------------------------- root_ready               with prestart/createRuntime hooks or a user namespace
//   (runs the hooks)
//   hooks_done --------------------------------------> createContainer hooks, pivot_root, identity
//   seccomp_program {instructions} ------------------>                          only with filters: the bundle's, the policies'
//          <----------------------------------------- seccomp_listener {fd}     only when the filter notifies
//          <----------------------------------------- ready {terminal}
//   start -------------------------------------------> startContainer hooks, execve
//          <----------------------------------------- (closed by execve: it runs)
//
// The init may say `warning` at any time, and `failed {error}` instead of any of its messages; it ends after that. `start` comes
// over this channel (run, exec, shim) or over a connection to start.sock (create, then start); `failed` goes the same way back.
// A resident init (resident_init.hpp) does not call execve at `start`: its conversation goes on as drawn there.
// exec uses the tail from seccomp_program on. The order of each side is a Sequence; anything else is an error of kind internal.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace brig::launch {

enum class MessageKind : uint8_t {
    // from the launcher
    ids_mapped = 1,
    cgroup_ready,
    mount_source,
    hooks_done,
    seccomp_program,
    start,
    run_program, // these two to a resident init
    signal_all,
    // from the init
    mount_source_needed,
    root_ready,
    seccomp_listener,
    ready,
    warning,
    failed,
    resident, // these from a resident init
    program_runs,
    program_failed,
    program_ended,
};

std::string_view message_name(MessageKind kind);

// Which parts of the conversation this start has; both sides derive it from the Plan.
struct Conversation {
    bool user_namespace = false;   // new or joined: ids_mapped
    bool mount_sources = false;    // mount_source_needed, mount_source
    bool cgroup = false;           // cgroup_ready
    bool root_ready = false;       // root_ready, hooks_done: with runtime hooks, or in a user namespace
    bool seccomp = false;          // seccomp_program
    bool seccomp_listener = false; // seccomp_listener
};

// The order of the init's messages, as a value. Pure.
class Sequence {
public:
    explicit Sequence(const Conversation& conversation);

    // Kind internal when `kind` is not what may come now.
    Result<> accept(MessageKind kind);
    bool finished() const { return m_next == m_expected.size(); }

private:
    bool m_mount_sources;
    std::vector<MessageKind> m_expected;
    size_t m_next = 0;
};

// When a hook runs: `creating` or `created` is the status that it is told.
enum class HookMoment { create, start };
using HookState = std::function<std::string(pid_t pid, HookMoment moment)>;

// Errors cross the process boundary unchanged.
std::string encode_error(const Error& error);
Error decode_error(std::string_view bytes);

} // namespace brig::launch
