#include "command/image/own_ids.hpp"

#include "command/globals.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/host_facts.hpp"
#include "kernel/mounting.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"
#include "launch/id_maps.hpp"
#include "plan/user_namespace.hpp"

#include <csignal>
#include <sched.h>
#include <sys/mount.h>

namespace brig::command {

namespace {

Result<plan::Namespaces> plan_own_ids()
{
    auto facts = TRY(kernel::read_host_facts());
    spec::Spec spec;
    spec.linux.emplace();
    TRY(plan::adapt_to_caller(spec, facts));
    auto writers = TRY(plan::choose_id_map_writers(*spec.linux, facts));
    plan::Namespaces namespaces;
    namespaces.uid_mappings = spec.linux->uid_mappings;
    namespaces.gid_mappings = spec.linux->gid_mappings;
    namespaces.host_newuidmap = writers.host_newuidmap;
    namespaces.host_newgidmap = writers.host_newgidmap;
    return namespaces;
}

Result<> become_root_of_namespace(FdRef mapped)
{
    TRY(kernel::set_parent_death_signal(SIGKILL));
    if (TRY(kernel::read_some(mapped, 1)).empty())
        kernel::exit_now(1); // the caller has said why
    TRY(kernel::set_ids(0, 0));
    return kernel::set_propagation_of_root(MS_PRIVATE, kernel::Recursion::all);
}

} // namespace

Result<std::optional<int>> go_on_with_own_ids()
{
    if (kernel::effective_uid() == 0)
        return std::optional<int>();
    auto namespaces = TRY_DURING("map the image's owners to ids of the user", plan_own_ids());
    auto [read_end, write_end] = TRY(kernel::make_pipe());
    auto child = TRY(kernel::clone_process({.flags = CLONE_NEWUSER | CLONE_NEWNS}));
    if (child.in_child) {
        write_end.reset();
        TRY(become_root_of_namespace(read_end));
        return std::optional<int>();
    }
    read_end.reset();
    TRY(launch::write_id_maps(child.pid, namespaces, true));
    TRY(kernel::write_all(write_end, "m"));
    return std::optional<int>(TRY(kernel::wait_for(child.pid)).as_exit_code());
}

} // namespace brig::command
