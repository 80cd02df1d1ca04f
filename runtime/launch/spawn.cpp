#include "launch/spawn.hpp"

#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"
#include "launch/channel.hpp"
#include "launch/container_init.hpp"

#include <cerrno>
#include <sched.h>

namespace brig::launch {

namespace {

bool needs_intermediate(const SpawnPlan& plan)
{
    if (plan.join_flags != 0)
        return true;
    const plan::Namespaces& namespaces = *plan.namespaces;
    return namespaces.joins_type(spec::NamespaceType::user) || namespaces.joins_type(spec::NamespaceType::pid)
           || namespaces.joins_type(spec::NamespaceType::time)
           || (!namespaces.joins.empty() && namespaces.has_new(CLONE_NEWUSER));
}

uint64_t parent_flag(const SpawnPlan& plan)
{
    return plan.child_of_callers_parent ? CLONE_PARENT : 0;
}

// What a host forbids its users has the same few errno as everything else.
Error explain_clone(Error error, uint64_t flags)
{
    bool user_namespace = (flags & CLONE_NEWUSER) != 0;
    if (error.code() == ENOSPC)
        return std::move(error).with_hint(
            "the host's limit of namespaces is reached: see sysctl user.max_user_namespaces and its "
            "neighbours, and how deep user namespaces are nested (32 at most)");
    if (error.code() == EPERM && user_namespace)
        return std::move(error).with_hint(
            "the host forbids a user namespace here: sysctl kernel.unprivileged_userns_clone=1 or "
            "kernel.apparmor_restrict_unprivileged_userns=0 lets ordinary users make one, a seccomp profile around brig may "
            "forbid it, and in a chroot the kernel makes none");
    if (error.code() == EPERM)
        return std::move(error).with_hint("new namespaces need CAP_SYS_ADMIN: run brig as root, or add {\"type\": \"user\"} with "
                                          "uidMappings and gidMappings (brig spec --rootless shows how)");
    return error;
}

Result<Spawned> spawn_directly(const SpawnPlan& plan, const std::function<void(bool)>& child_main)
{
    auto outcome = kernel::clone_process({.flags = plan.namespaces->new_flags | parent_flag(plan), .cgroup = plan.cgroup.get()});
    if (!outcome)
        return failure(explain_clone(std::move(outcome).error(), plan.namespaces->new_flags));
    if (outcome->in_child) {
        child_main(false);
        kernel::exit_now(1);
    }
    return Spawned{outcome->pid, std::move(outcome->pidfd)};
}

Result<> join_all(const SpawnPlan& plan)
{
    // Before it can be seen: a process of the container must not find descriptors of the host here (CVE-2016-9962).
    TRY(kernel::set_dumpable(false));
    if (plan.join_flags == 0)
        return join_planned_namespaces(*plan.namespaces);
    // The user namespace may forbid setgroups for good: groups of a privileged caller must not go in with him.
    if ((plan.join_flags & CLONE_NEWUSER) != 0)
        (void)kernel::set_groups({});
    return kernel::join_namespace(plan.join_pidfd, plan.join_flags);
}

// Joins, clones the child as a sibling and hands its pidfd over. In the child it does not return.
Result<> run_intermediate(const SpawnPlan& plan, const Channel& report, const std::function<void(bool)>& child_main)
{
    TRY_DURING("join namespaces", join_all(plan));
    uint64_t flags = CLONE_PARENT | (plan.namespaces != nullptr ? plan.namespaces->new_flags : 0);
    auto outcome = TRY(kernel::clone_process({.flags = flags}));
    if (outcome.in_child) {
        child_main(true);
        kernel::exit_now(1);
    }
    return report.send(MessageKind::ready, std::to_string(outcome.pid), {outcome.pidfd.get()});
}

Result<Spawned> receive_child(const Channel& report)
{
    auto message = TRY(report.receive());
    if (!message)
        return failure(Error(ErrorKind::system, "the process that joins the namespaces was killed")
                           .with_hint("a memory or pids limit of the container can do that"));
    if (message->kind == MessageKind::failed)
        return failure(decode_error(message->payload));
    Spawned spawned;
    spawned.pid = static_cast<pid_t>(TRY(parse_integer(message->payload)));
    spawned.pidfd = std::move(message->fds.at(0));
    return spawned;
}

struct Intermediate {
    kernel::CloneOutcome process;
    bool waits = false; // until it is where it belongs
};

// The right to move a process is one over the cgroup that is above both ends: a user's login is not below the user's systemd.
Result<Intermediate> clone_intermediate(const SpawnPlan& plan)
{
    auto outcome = kernel::clone_process({.flags = parent_flag(plan), .cgroup = plan.cgroup.get()});
    if (outcome)
        return Intermediate{std::move(*outcome), false};
    bool forbidden = outcome.error().code() == EACCES || outcome.error().code() == EPERM;
    if (forbidden && plan.attach)
        return Intermediate{TRY(kernel::clone_process({.flags = parent_flag(plan)})), true};
    return failure(std::move(outcome).error());
}

// The intermediate process ends when it cannot be moved, because its end of the channel does.
Result<Spawned> collect_child(const SpawnPlan& plan, const Intermediate& intermediate, const Channel& report)
{
    if (intermediate.waits) {
        TRY(plan.attach(intermediate.process.pid));
        TRY(report.send(MessageKind::cgroup_ready));
    }
    return receive_child(report);
}

Result<Spawned> spawn_through_intermediate(const SpawnPlan& plan, const std::function<void(bool)>& child_main)
{
    auto [reader, writer] = TRY(kernel::sequenced_socket_pair());
    Intermediate intermediate = TRY(clone_intermediate(plan));
    if (intermediate.process.in_child) {
        reader.reset();
        Channel report(std::move(writer));
        if (intermediate.waits && !report.expect(MessageKind::cgroup_ready))
            kernel::exit_now(1);
        auto done = run_intermediate(plan, report, child_main);
        if (!done)
            (void)report.send(MessageKind::failed, encode_error(done.error()));
        kernel::exit_now(0);
    }
    writer.reset();
    Channel report(std::move(reader));
    auto spawned = collect_child(plan, intermediate, report);
    report.close();
    if (!plan.child_of_callers_parent)
        TRY(kernel::wait_for(intermediate.process.pid));
    return spawned;
}

} // namespace

Result<Spawned> spawn_child(const SpawnPlan& plan, const std::function<void(bool)>& child_main)
{
    return needs_intermediate(plan) ? spawn_through_intermediate(plan, child_main) : spawn_directly(plan, child_main);
}

} // namespace brig::launch
