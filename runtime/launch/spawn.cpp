#include "launch/spawn.hpp"

#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"
#include "launch/channel.hpp"
#include "launch/container_init.hpp"

#include <sched.h>

namespace brig::launch {

namespace {

bool needs_intermediate(const SpawnPlan& plan)
{
    if (plan.join_flags != 0)
        return true;
    const plan::Namespaces& namespaces = *plan.namespaces;
    return namespaces.new_time_namespace || namespaces.joins_type(spec::NamespaceType::user)
           || namespaces.joins_type(spec::NamespaceType::pid) || namespaces.joins_type(spec::NamespaceType::time)
           || (!namespaces.joins.empty() && namespaces.has_new(CLONE_NEWUSER));
}

uint64_t parent_flag(const SpawnPlan& plan)
{
    return plan.child_of_callers_parent ? CLONE_PARENT : 0;
}

Result<Spawned> spawn_directly(const SpawnPlan& plan, const std::function<void(bool)>& child_main)
{
    auto outcome =
        TRY(kernel::clone_process({.flags = plan.namespaces->new_flags | parent_flag(plan), .cgroup = plan.cgroup.get()}));
    if (outcome.in_child) {
        child_main(false);
        kernel::exit_now(1);
    }
    return Spawned{outcome.pid, std::move(outcome.pidfd)};
}

Result<> join_all(const SpawnPlan& plan)
{
    // Before it can be seen: a process of the container must not find descriptors of the host here (CVE-2016-9962).
    TRY(kernel::set_dumpable(false));
    if (plan.join_flags != 0)
        return kernel::join_namespace(plan.join_pidfd, plan.join_flags);
    TRY(join_planned_namespaces(*plan.namespaces));
    if (!plan.namespaces->new_time_namespace)
        return {};
    TRY(kernel::unshare(CLONE_NEWTIME));
    if (plan.namespaces->time_offsets.empty())
        return {};
    return kernel::write_time_offsets(0, plan.namespaces->time_offsets);
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

Result<Spawned> spawn_through_intermediate(const SpawnPlan& plan, const std::function<void(bool)>& child_main)
{
    auto [reader, writer] = TRY(kernel::sequenced_socket_pair());
    auto outcome = TRY(kernel::clone_process({.flags = parent_flag(plan), .cgroup = plan.cgroup.get()}));
    if (outcome.in_child) {
        reader.reset();
        Channel report(std::move(writer));
        auto done = run_intermediate(plan, report, child_main);
        if (!done)
            (void)report.send(MessageKind::failed, encode_error(done.error()));
        kernel::exit_now(0);
    }
    writer.reset();
    auto spawned = receive_child(Channel(std::move(reader)));
    if (!plan.child_of_callers_parent)
        TRY(kernel::wait_for(outcome.pid));
    return spawned;
}

} // namespace

Result<Spawned> spawn_child(const SpawnPlan& plan, const std::function<void(bool)>& child_main)
{
    return needs_intermediate(plan) ? spawn_through_intermediate(plan, child_main) : spawn_directly(plan, child_main);
}

} // namespace brig::launch
