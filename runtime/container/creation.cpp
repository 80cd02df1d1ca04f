#include "container/creation.hpp"

#include "base/rollback.hpp"
#include "base/text.hpp"
#include "base/wall_clock.hpp"
#include "container/ending.hpp"
#include "container/filter_store.hpp"
#include "container/lifecycle.hpp"
#include "container/systemd.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/procfs.hpp"
#include "kernel/sockets.hpp"
#include "launch/process_start.hpp"
#include "plan/make_plan.hpp"
#include "plan/user_namespace.hpp"
#include "setup/intel_rdt.hpp"
#include "spec/check_spec.hpp"
#include "spec/read_spec.hpp"
#include "spec/vocabulary.hpp"

#include <ctime>
#include <sched.h>
#include <tuple>

namespace brig::container {

Result<std::string> read_bundle_config(const std::string& bundle, const std::string& file)
{
    constexpr size_t largest = size_t{16} << 20;
    auto text = kernel::read_file(kernel::working_directory, join_path(bundle, file), largest);
    if (!text && text.error().code() == ENOENT)
        return failure(std::move(text)
                           .error()
                           .with_kind(ErrorKind::invalid)
                           .with_hint("is --bundle right? `brig spec` writes a config.json"));
    return text;
}

namespace {

spec::Mount resolver_mount(const std::string& host_state_directory)
{
    spec::Mount mount;
    mount.destination = "/etc/resolv.conf";
    mount.type = "bind";
    mount.source = join_path(host_state_directory, resolver_file_name);
    mount.options = {"bind", "ro", "nosuid", "nodev", "noexec"};
    return mount;
}

} // namespace

Result<> write_pid_file(const std::string& path, pid_t pid)
{
    return kernel::replace_file(kernel::working_directory, path, std::to_string(pid), 0644);
}

Result<Fd> open_init(const Record& record)
{
    auto gone = [] { return failure(ErrorKind::wrong_state, "container not running"); };
    auto pidfd = kernel::pidfd_open(record.pid);
    if (!pidfd)
        return gone();
    // The pid may have been given to another process between the record and now; the start time tells.
    auto stat = kernel::process_stat(record.pid);
    if (!stat || stat->start_time != record.start_time)
        return gone();
    return std::move(*pidfd);
}

Result<std::vector<kernel::Member>> processes_without_cgroup(const Record& record)
{
    if (record.host_pid_namespace)
        return failure(Error(ErrorKind::not_supported,
                             fmt::format("container {} has neither a cgroup nor a pid namespace of its own, so its processes are "
                                         "not known",
                                         quoted(record.id)))
                           .with_hint("add {\"type\": \"pid\"} to linux.namespaces"));
    return kernel::processes_of_pid_namespace(record.pid);
}

Result<> check_has_cgroup(const Record& record, std::string_view purpose)
{
    if (!record.cgroups.empty())
        return {};
    return failure(
        Error(ErrorKind::not_supported, fmt::format("container {} has no cgroup, so {}", quoted(record.id), purpose))
            .with_hint("it was created with --cgroup-manager=disabled, or without root where no cgroup is delegated to the user "
                       "(cgroup v2: start brig with systemd-run --user --scope -p Delegate=yes)"));
}

namespace {

void add_policies(plan::Plan& plan, const ChosenPolicies& chosen, std::vector<policy::Policy> policies)
{
    plan.policy_filters = chosen.filters();
    plan.process.landlock = landlock_rules(policies);
    plan.policies = std::move(policies);
    plan.warnings.insert(plan.warnings.end(), chosen.warnings.begin(), chosen.warnings.end());
}

} // namespace

Result<PlannedContainer> plan_from(const Context& context, const CreateRequest& request)
{
    PlannedContainer planned;
    planned.spec = TRY(spec::read_spec(request.config_text));
    HostFacts facts = TRY(kernel::read_host_facts());
    if (context.cgroup_driver == plan::CgroupDriver::systemd)
        planned.systemd = TRY(connect_to_systemd(context, facts));
    if (context.rootless)
        TRY(plan::adapt_to_caller(planned.spec, facts));
    planned.policies = TRY(choose_policies(context, planned.spec.annotations));
    auto policies = planned.policies.policies();
    TRY(apply_policies(context, policies, planned.spec));
    // What watches over a resident init keeps its limits, too.
    if (context.make_guard && !policies.empty() && !request.resident)
        planned.guard = TRY(context.make_guard(policies));
    if (!planned.resolver_configuration().empty())
        planned.spec.mounts.push_back(resolver_mount(join_path(context.state_root, request.id)));
    if (!request.notify_socket.empty())
        planned.spec.mounts.push_back(notify_mount(join_path(context.state_root, request.id)));
    TRY(spec::check_spec(planned.spec));
    plan::PlanRequest plan_request;
    plan_request.id = request.id;
    plan_request.host_bundle = request.bundle;
    plan_request.cgroup_driver = context.cgroup_driver;
    plan_request.unit_description = unit_description(context, request.id);
    plan_request.root_switch = request.no_pivot ? plan::RootSwitch::move_mount : plan::RootSwitch::pivot_root;
    plan_request.new_session_keyring = !request.no_new_keyring;
    plan_request.preserved_fds = request.preserved_fds;
    plan_request.extra_environment = request.listen_environment;
    if (!request.notify_socket.empty())
        plan_request.extra_environment.push_back(notify_variable());
    planned.plan = TRY(plan::make_plan(planned.spec, plan_request, facts));
    add_policies(planned.plan, planned.policies, std::move(policies));
    return planned;
}

Result<> check_terminal_request(const plan::Plan& plan, const CreateRequest& request)
{
    bool has_taker = request.console_socket.valid() || request.terminal_to_caller;
    if (plan.process.terminal && !has_taker)
        return failure(Error(ErrorKind::invalid, "process.terminal is true, but nobody takes the terminal")
                           .with_hint("give --console-socket, or run in the foreground, or set process.terminal to false"));
    if (!plan.process.terminal && request.console_socket.valid())
        return failure(Error(ErrorKind::invalid, "--console-socket was given, but process.terminal is false")
                           .with_hint("set process.terminal to true or leave the option out"));
    return {};
}

namespace {

uint64_t namespaces_to_join(const plan::Namespaces& namespaces)
{
    uint64_t flags = namespaces.new_flags;
    if (namespaces.new_cgroup_namespace)
        flags |= CLONE_NEWCGROUP;
    if (namespaces.new_time_namespace)
        flags |= CLONE_NEWTIME;
    for (const auto& join : namespaces.joins)
        flags |= spec::namespace_word(join.type).clone_flag;
    return flags;
}

} // namespace

Record first_record(const PlannedContainer& planned)
{
    const plan::Plan& plan = planned.plan;
    Record record;
    record.id = plan.id;
    record.oci_version = planned.spec.oci_version;
    record.bundle = plan.host_bundle;
    record.rootfs = plan.root.host_path;
    record.created = now_as_rfc3339();
    record.annotations.insert(plan.annotations.begin(), plan.annotations.end());
    for (const auto& policy : plan.policies)
        record.policies.push_back(policy.name);
    record.owner_uid = kernel::effective_uid();
    record.namespaces = namespaces_to_join(plan.namespaces);
    record.host_pid_namespace = (record.namespaces & CLONE_NEWPID) == 0 || plan.namespaces.joins_type(spec::NamespaceType::pid);
    record.cgroups = cgroup::locations_of(plan.cgroup);
    if (plan.cgroup.unit)
        record.unit = cgroup::identity_of(*plan.cgroup.unit);
    if (plan.intel_rdt) {
        record.resctrl = plan.intel_rdt->directories();
        record.own_resctrl = plan.intel_rdt->own_directories();
    }
    record.own_keyring = plan.process.new_session_keyring;
    record.has_poststart_hooks = !plan.hooks.poststart.empty();
    record.has_poststop_hooks = !plan.hooks.poststop.empty();
    return record;
}

Result<> start_guard(const PlannedContainer& planned, const Log& log, Guarded guarded, Record& record)
{
    if (!planned.guard)
        return {};
    guarded.id = record.id;
    guarded.pid = record.pid;
    guarded.terminal = planned.plan.process.terminal;
    guarded.end_all = [&record] { return end_all_processes(record); };
    guarded.log = &log;
    record.guard = TRY_DURING("start the guard of the policy's limits", planned.guard->start(std::move(guarded)));
    record.guard_start_time = TRY(kernel::process_stat(record.guard)).start_time;
    return {};
}

namespace {

Result<setup::SeccompProgram> program_of(const FilterStore& filters, const spec::Seccomp& profile, std::string_view name)
{
    auto program = filters.find(profile);
    if (!program) {
        program = TRY_DURING(fmt::format("compile {}", name), setup::compile_seccomp(profile));
        filters.keep(profile, *program);
    }
    return *std::move(program);
}

} // namespace

Result<std::vector<setup::SeccompProgram>> filters_for(const Context& context, const StateDirectory& directory,
                                                       const plan::Plan& plan)
{
    FilterStore filters(context.state_root, context.build);
    std::vector<setup::SeccompProgram> of_policies;
    for (const auto& profile : plan.policy_filters)
        of_policies.push_back(TRY(program_of(filters, profile, "the policy's seccomp profile")));
    if (!of_policies.empty())
        TRY(keep_policy_filters(directory, of_policies));
    if (!plan.seccomp)
        return of_policies;
    auto program = TRY(program_of(filters, *plan.seccomp, "linux.seccomp"));
    TRY(directory.write_file("seccomp.bpf", launch::encode_program(program)));
    of_policies.insert(of_policies.begin(), std::move(program));
    return of_policies;
}

Result<> keep_configuration(const StateDirectory& directory, const std::string& config_text, const PlannedContainer& planned)
{
    TRY(directory.write_file("config.json", config_text));
    if (auto resolver = planned.resolver_configuration(); !resolver.empty())
        TRY(kernel::replace_file(directory.fd(), resolver_file_name, resolver, 0644));
    return keep_policies(directory, planned.policies);
}

namespace {

// What a create has begun; its files are the state directory's.
class Creation {
public:
    Creation(const Context& context, const CreateRequest& request, const PlannedContainer& planned,
             const StateDirectory& directory)
        : m_context(context), m_request(request), m_planned(planned), m_directory(directory), m_record(first_record(planned))
    {
    }

    Result<Created> run()
    {
        // First of all: with this record `delete --force` finds whatever a killed create leaves.
        TRY(m_directory.write_record(m_record));
        TRY(keep_configuration(m_directory, m_request.config_text, m_planned));
        Fd listener;
        if (m_request.start_by == StartBy::socket)
            listener = TRY(kernel::listen_at(m_directory.fd(), start_socket_name, 0600));
        std::optional<Notifier> notifier = TRY(prepare_notifying());
        Rollback stop;
        stop.add([&] { stop_unit(); });
        if (m_planned.guard)
            std::tie(m_program_runs, m_until_execve) = TRY(kernel::make_pipe());
        auto outcome = TRY(launch::launch(launch_request(listener), m_context.log));
        Rollback undo; // after what it uses, so that it runs before that is gone
        undo.add([&] { abandon(outcome); });
        TRY(finish(outcome));
        undo.keep();
        stop.keep();
        return Created{std::move(m_record), std::move(outcome.launched), m_planned.plan.hooks.poststart, std::move(notifier)};
    }

private:
    Result<std::optional<Notifier>> prepare_notifying() const
    {
        if (m_request.notify_socket.empty())
            return std::nullopt;
        TRY(make_notify_directory(m_directory.fd()));
        // `start` has a service manager of its own.
        if (m_request.start_by == StartBy::socket)
            return std::nullopt;
        return TRY(Notifier::open(m_directory.fd(), m_request.notify_socket, m_context.log));
    }

    launch::LaunchRequest launch_request(const Fd& listener)
    {
        launch::LaunchRequest request{.plan = m_planned.plan};
        request.console_socket = m_request.console_socket;
        request.terminal_to_caller = m_request.terminal_to_caller;
        request.start_listener = listener;
        request.until_execve = m_until_execve;
        request.resident = m_request.resident ? &*m_request.resident : nullptr;
        request.keep_network = m_request.keep_network || (m_planned.guard && !m_planned.guard->resolver_configuration().empty());
        request.hook_state = [this](pid_t pid, launch::HookMoment moment) {
            Record record = m_record;
            record.pid = pid;
            return hook_state(record, moment == launch::HookMoment::create ? Status::creating : Status::created).to_text();
        };
        request.start_unit = [this](pid_t pid) {
            m_unit_asked = true;
            return m_planned.systemd->start_unit(*m_planned.plan.cgroup.unit, pid);
        };
        request.on_cloned = [this](pid_t pid) { return remember_init(pid); };
        request.filters_for = [this](const plan::Plan& plan) { return filters_for(m_context, m_directory, plan); };
        return request;
    }

    Result<> remember_init(pid_t pid)
    {
        m_record.pid = pid;
        m_record.start_time = TRY(kernel::process_stat(pid)).start_time;
        return m_directory.write_record(m_record);
    }

    Result<> finish(launch::LaunchOutcome& outcome)
    {
        m_record.cgroups = outcome.cgroup.locations();
        m_until_execve.reset();
        const launch::Launched& launched = outcome.launched;
        Guarded guarded{.init = launched.pidfd,
                        .network_namespace = launched.network_namespace,
                        .user_namespace = launched.user_namespace,
                        .program_runs = std::move(m_program_runs)};
        TRY(start_guard(m_planned, m_context.log, std::move(guarded), m_record));
        m_record.complete = true;
        TRY(m_directory.write_record(m_record));
        if (m_request.pidfd_socket.valid())
            TRY(kernel::send_message(m_request.pidfd_socket, "0", {outcome.launched.pidfd.get()}));
        if (!m_request.pid_file.empty())
            TRY_DURING("write the pid file", write_pid_file(m_request.pid_file, m_record.pid));
        return {};
    }

    void stop_unit()
    {
        if (m_unit_asked)
            (void)m_planned.systemd->stop_unit(*m_record.unit);
    }

    void abandon(launch::LaunchOutcome& outcome)
    {
        constexpr int64_t patience = 5000;
        (void)kernel::pidfd_send_signal(outcome.launched.pidfd, SIGKILL);
        (void)kernel::wait_for(outcome.launched.pid);
        (void)outcome.cgroup.remove(patience);
        (void)setup::remove_resctrl_groups(m_record.own_resctrl);
        if (outcome.net_devices)
            outcome.net_devices->take_back();
    }

    const Context& m_context;
    const CreateRequest& m_request;
    const PlannedContainer& m_planned;
    const StateDirectory& m_directory;
    Record m_record;
    Fd m_program_runs; // at its end when the program runs
    Fd m_until_execve;
    bool m_unit_asked = false;
};

} // namespace

Result<plan::Plan> plan_container(const Context& context, const CreateRequest& request)
{
    return TRY(plan_from(context, request)).plan;
}

Result<Created> create(const Context& context, CreateRequest request)
{
    TRY(check_id(request.id));
    PlannedContainer planned = TRY(plan_from(context, request));
    // A container that nobody could end is not begun.
    TRY(kernel::check_signals());
    TRY(check_terminal_request(planned.plan, request));
    for (const auto& warning : planned.plan.warnings)
        context.log.warning(warning);
    StateStore store(context.state_root);
    Rollback undo;
    StateDirectory directory =
        TRY(store.create(request.id, context.sticky_state_root ? StateStore::RootMode::sticky : StateStore::RootMode::plain));
    undo.add([&] { (void)store.remove(request.id); });
    Created created = TRY(Creation(context, request, planned, directory).run());
    undo.keep();
    return created;
}

} // namespace brig::container
