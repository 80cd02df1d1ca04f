#include "launch/launcher.hpp"

#include "kernel/process.hpp"
#include "kernel/sockets.hpp"
#include "launch/exec_init.hpp"
#include "launch/init_guard.hpp"
#include "launch/launchers_limits.hpp"
#include "launch/seccomp_listener.hpp"
#include "launch/spawn.hpp"
#include "setup/limits.hpp"

#include <algorithm>
#include <sched.h>
#include <utility>

namespace brig::launch {

namespace {

// execCPUAffinity.initial holds from the first moment on, before the child is in the container's cgroup, so the caller lends
// it its own for the moment of the clone.
class LentAffinity {
public:
    static Result<LentAffinity> of(const plan::Process& process)
    {
        LentAffinity lent;
        if (!process.exec_cpu_affinity || process.exec_cpu_affinity->initial.empty())
            return lent;
        lent.m_own = TRY(kernel::cpu_affinity());
        TRY_DURING("initial", setup::apply_cpu_affinity(process.exec_cpu_affinity->initial));
        return lent;
    }
    LentAffinity(LentAffinity&& other) noexcept : m_own(std::exchange(other.m_own, {})) {}
    LentAffinity& operator=(LentAffinity&&) = delete;
    ~LentAffinity()
    {
        if (!m_own.empty())
            (void)kernel::set_cpu_affinity(m_own);
    }

private:
    LentAffinity() = default;
    kernel::BitMask m_own;
};

Result<Launched> spawn_exec(const ExecLaunchRequest& request)
{
    auto [own_end, init_end] = TRY(kernel::sequenced_socket_pair());
    Fd cgroup_directory = request.follow_init != 0 ? TRY(request.cgroup.open_unified_directory_of(request.follow_init))
                                                   : TRY(request.cgroup.open_unified_directory());
    auto join_files = TRY(request.cgroup.open_join_files(true));
    SpawnPlan spawn{.join_pidfd = request.init_pidfd,
                    .join_flags = request.namespaces,
                    .cgroup = cgroup_directory,
                    .attach = request.attach,
                    .child_of_callers_parent = request.child_of_callers_parent};
    LentAffinity initial = TRY(LentAffinity::of(request.process));
    auto spawned = spawn_child(spawn, [&, end = &init_end, files = &join_files](bool) {
        run_exec_init(ExecInitRequest{.process = request.process,
                                      .id = request.id,
                                      .channel = Channel(std::move(*end)),
                                      .cgroup_files = std::move(*files),
                                      .filters = request.filters,
                                      .console_socket = request.console_socket,
                                      .terminal_to_caller = request.terminal_to_caller,
                                      .user_namespace = (request.namespaces & CLONE_NEWUSER) != 0});
    });
    if (!spawned)
        return failure(request.cgroup.explain_join_failure(std::move(spawned).error()));
    return Launched{spawned->pid, std::move(spawned->pidfd), Fd(), Channel(std::move(own_end))};
}

// What a process in a user namespace waits for.
Result<> provide(const ExecLaunchRequest& request, const Launched& launched)
{
    if ((request.namespaces & CLONE_NEWUSER) == 0)
        return {};
    TRY(apply_launchers_limits(launched.pid, request.process));
    return launched.channel.send(MessageKind::ids_mapped);
}

// Until the process is ready: only its listener and warnings may come before.
Result<> listen_until_ready(const ExecLaunchRequest& request, Launched& launched, const Log& log)
{
    Conversation conversation;
    conversation.seccomp_listener = std::ranges::any_of(request.filters, &setup::SeccompProgram::notifies);
    Sequence sequence(conversation);
    while (!sequence.finished()) {
        auto message = TRY(launched.channel.receive());
        if (!message)
            return init_ended(launched.pidfd);
        if (message->kind == MessageKind::failed)
            return failure(decode_error(message->payload));
        if (message->kind == MessageKind::warning) {
            log.warning(message->payload);
            continue;
        }
        TRY(sequence.accept(message->kind));
        if (message->kind == MessageKind::seccomp_listener && message->fds.size() == 1)
            TRY(forward_listener(*request.seccomp_spec, message->fds[0], launched.pid, request.hook_state));
        if (message->kind == MessageKind::ready && message->fds.size() == 1)
            launched.terminal = std::move(message->fds[0]);
    }
    return {};
}

} // namespace

Result<Launched> launch_exec(const ExecLaunchRequest& request, const Log& log)
{
    Launched launched = TRY(spawn_exec(request));
    InitGuard guard(launched.pidfd, launched.pid, !request.child_of_callers_parent);
    auto provided = provide(request, launched);
    if (!provided && !explains_better(launched.pidfd, provided.error()))
        return failure(std::move(provided).error());
    TRY(listen_until_ready(request, launched, log));
    guard.keep();
    return launched;
}

} // namespace brig::launch
