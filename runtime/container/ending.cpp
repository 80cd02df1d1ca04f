#include "container/ending.hpp"

#include "base/text.hpp"
#include "container/creation.hpp"
#include "container/lifecycle.hpp"
#include "container/systemd.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/procfs.hpp"
#include "plan/cgroup_plan.hpp"
#include "setup/hooks.hpp"
#include "setup/intel_rdt.hpp"
#include "spec/read_spec.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace brig::container {

namespace {

constexpr int64_t patience = 10000; // milliseconds; nothing waits longer for a killed process

} // namespace

Result<> end_all_processes(const Record& record)
{
    auto group = cgroup::Cgroup::at(record.cgroups);
    auto init = open_init(record);
    if (init) {
        auto sent = kernel::pidfd_send_signal(*init, SIGKILL);
        if (!sent && sent.error().code() != ESRCH)
            return sent;
    }
    // The death of an own pid namespace's init ends all others; otherwise only the cgroup knows who belongs to it. A frozen
    // cgroup would keep a killed process, so that one is always asked.
    bool frozen = TRY(group.frozen());
    if (record.host_pid_namespace || !init || frozen)
        TRY(group.kill_all(SIGKILL));
    if (!init)
        return {};
    // Frozen by somebody else through the other version's freezer: only kill_all knows how to thaw that.
    constexpr int64_t usual_end = 200;
    bool ended = TRY(kernel::wait_for_end(*init, usual_end));
    if (!ended) {
        TRY(group.kill_all(SIGKILL));
        ended = TRY(kernel::wait_for_end(*init, patience));
    }
    if (!ended)
        return failure(Error(ErrorKind::timed_out, fmt::format("process {} did not end within 10 s of SIGKILL", record.pid))
                           .with_hint("it waits in the kernel, see /proc/<pid>/stack; delete again later"));
    return {};
}

namespace {

// Of a container whose init has ended.
void end_guard(const Record& record)
{
    if (record.guard == 0)
        return;
    auto pidfd = kernel::pidfd_open(record.guard);
    auto stat = kernel::process_stat(record.guard);
    if (!pidfd || !stat || stat->start_time != record.guard_start_time)
        return;
    // It leaves by itself when the init has ended.
    constexpr int64_t usual_end = 1500;
    if (auto ended = kernel::wait_for_end(*pidfd, usual_end); ended && *ended)
        return;
    (void)kernel::pidfd_send_signal(*pidfd, SIGKILL);
    (void)kernel::wait_for_end(*pidfd, patience);
}

Result<> kill_all_without_cgroup(const StateDirectory& directory, const Record& record, int signal)
{
    if (TRY(status_of(directory, record)) == Status::stopped)
        return {};
    // The kernel ends all others when the init of their pid namespace dies, and misses none.
    if (signal == SIGKILL && !record.host_pid_namespace)
        return kernel::pidfd_send_signal(TRY(open_init(record)), signal);
    for (const auto& member : TRY(processes_without_cgroup(record))) {
        auto sent = kernel::pidfd_send_signal(member.pidfd, signal);
        if (!sent && sent.error().code() != ESRCH)
            return sent;
    }
    return {};
}

} // namespace

Result<> kill(const Context& context, const std::string& id, int signal, bool all)
{
    StateDirectory directory = TRY(StateStore(context.state_root).open(id, Locking::none));
    Record record = TRY(directory.read_record());
    if (all)
        TRY(forget_foreign_unit(context, record));
    if (all && record.cgroups.empty())
        return kill_all_without_cgroup(directory, record, signal);
    if (all)
        return cgroup::Cgroup::at(record.cgroups).kill_all(signal);
    auto gone = [] { return failure(ErrorKind::wrong_state, "container not running"); };
    Status status = TRY(status_of(directory, record));
    if (status == Status::stopped)
        return gone();
    Fd init = TRY(open_init(record));
    auto sent = kernel::pidfd_send_signal(init, signal);
    if (!sent && sent.error().code() == ESRCH)
        return gone();
    TRY(std::move(sent));
    // A frozen process takes SIGKILL only when it is thawed.
    if (signal == SIGKILL && status == Status::paused)
        TRY(cgroup::Cgroup::at(record.cgroups).kill_all(SIGKILL));
    return {};
}

namespace {

void run_poststop_hooks(const Context& context, const StateDirectory& directory, const Record& record)
{
    auto text = directory.read_file("config.json");
    auto spec = text ? spec::read_spec(*text) : failure(text.error());
    if (!spec)
        return context.log.warning(fmt::format("poststop hooks did not run: {}", spec.error().message()));
    setup::run_hooks_and_warn({"poststop", hook_state(record, Status::stopped).to_text(), record.bundle},
                              spec->hooks.value_or(spec::Hooks{}).poststop, context.log);
}

// What can be told of a container without record: where its cgroup is by its saved configuration, or by default.
Result<Record> guess_record(const Context& context, const StateDirectory& directory)
{
    auto text = directory.read_file("config.json");
    auto spec = text ? spec::read_spec(*text) : failure(text.error());
    plan::CgroupRequest request{.id = directory.id(),
                                .cgroups_path = spec && spec->linux ? spec->linux->cgroups_path : "",
                                .driver = context.cgroup_driver,
                                .unit_description = unit_description(context, directory.id())};
    HostFacts facts = TRY(kernel::read_host_facts());
    if (context.cgroup_driver == plan::CgroupDriver::systemd)
        (void)TRY(connect_to_systemd(context, facts));
    plan::Cgroup planned = TRY(plan::make_cgroup_plan(request, nullptr, facts));
    Record record;
    record.id = directory.id();
    record.cgroups = cgroup::locations_of(planned);
    if (planned.unit)
        record.unit = cgroup::identity_of(*planned.unit);
    auto is_there = [](const cgroup::Location& location) {
        return kernel::exists(kernel::working_directory, location.directory());
    };
    if (!spec && std::none_of(record.cgroups.begin(), record.cgroups.end(), is_there))
        return failure(
            Error(ErrorKind::invalid, "brig.json and config.json are damaged, so its processes cannot be found")
                .with_hint(fmt::format("end them and remove its folder {} by hand", context.state_root + "/" + directory.id())));
    return record;
}

// A record that cannot be read must not make a container immortal.
Result<> remove_damaged(const Context& context, const StateStore& store, const StateDirectory& directory, const Error& reason)
{
    Record record = TRY_DURING(fmt::format("remove container {}", directory.id()), guess_record(context, directory));
    TRY(forget_foreign_unit(context, record));
    context.log.warning(fmt::format("removing container {} without its record: {}", directory.id(), reason.message()));
    TRY(cgroup::Cgroup::at(record.cgroups).kill_all(SIGKILL));
    TRY(remove_cgroup_of(context, record, patience));
    return store.remove(directory.id());
}

} // namespace

Result<> remove(const Context& context, const std::string& id, bool force)
{
    StateStore store(context.state_root);
    auto opened = store.open(id, Locking::exclusive);
    if (!opened && force && opened.error().kind() == ErrorKind::not_found)
        return store.remove_unfinished(id);
    StateDirectory directory = TRY(std::move(opened));
    auto record = directory.read_record();
    if (!record && force)
        return remove_damaged(context, store, directory, record.error());
    if (!record)
        return failure(std::move(record).error());
    Status status = TRY(status_of(directory, *record));
    bool may_end = force || status == Status::created || status == Status::stopped;
    if (!may_end)
        return failure(Error(ErrorKind::wrong_state,
                             fmt::format("cannot delete container {} that is not stopped: {}", id, status_name(status)))
                           .with_hint("kill it first or use --force"));
    TRY(forget_foreign_unit(context, *record));
    TRY(end_all_processes(*record));
    end_guard(*record);
    TRY(remove_cgroup_of(context, *record, patience));
    TRY(setup::remove_resctrl_groups(record->own_resctrl));
    if (record->complete && record->has_poststop_hooks)
        run_poststop_hooks(context, directory, *record);
    return store.remove(id);
}

} // namespace brig::container
