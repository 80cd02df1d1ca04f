#include "launch/exec_init.hpp"

#include "cgroup/cgroup.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "launch/process_start.hpp"
#include "setup/identity.hpp"
#include "setup/limits.hpp"
#include "setup/terminal.hpp"

#include <csignal>

namespace brig::launch {

namespace {

Result<> prepare(ExecInitRequest& request, StartContext& start)
{
    TRY(kernel::set_parent_death_signal(SIGKILL));
    std::vector<int> kept;
    for (const auto& file : request.cgroup_files)
        kept.push_back(file.get());
    TRY(close_other_descriptors(start, kept));
    TRY_DURING("join the container's cgroup", cgroup::join_by_tasks(request.cgroup_files));
    request.cgroup_files.clear();
    TRY(kernel::reset_cpu_affinity());
    if (request.process.exec_cpu_affinity && !request.process.exec_cpu_affinity->final.empty())
        TRY_DURING("final", setup::apply_cpu_affinity(request.process.exec_cpu_affinity->final));
    if (request.user_namespace) {
        (void)TRY(start.channel.expect(MessageKind::ids_mapped));
        TRY(setup::become_namespace_root(request.process));
    }
    TRY(kernel::new_session());
    if (request.process.terminal) {
        Fd root = TRY(kernel::open_at(kernel::working_directory, "/", O_PATH | O_DIRECTORY));
        start.terminal = TRY(setup::create_terminal(root, request.process));
    }
    return become_process(start);
}

} // namespace

void run_exec_init(ExecInitRequest request)
{
    StartContext start{.process = request.process,
                       .id = request.id,
                       .channel = std::move(request.channel),
                       .limits_are_set = request.user_namespace,
                       .terminal_to_caller = request.terminal_to_caller,
                       .console_socket = Fd(request.console_socket.get()),
                       .filters = std::move(request.filters),
                       .environment = request.process.env};
    auto prepared = prepare(request, start);
    if (!prepared)
        report_and_exit(start, prepared.error());
    Error error = announce_and_execute(start);
    report_and_exit(start, error);
}

} // namespace brig::launch
