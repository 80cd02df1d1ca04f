#include "launch/container_init.hpp"

#include "base/text.hpp"
#include "cgroup/cgroup.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/path_in_root.hpp"
#include "kernel/process.hpp"
#include "launch/process_start.hpp"
#include "setup/devices.hpp"
#include "setup/hooks.hpp"
#include "setup/identity.hpp"
#include "setup/limits.hpp"
#include "setup/network.hpp"
#include "setup/root_filesystem.hpp"
#include "setup/terminal.hpp"
#include "spec/vocabulary.hpp"

#include <cerrno>
#include <csignal>
#include <sched.h>

namespace brig::launch {

namespace {

struct InitContext {
    const plan::Plan& plan;
    Conversation conversation;
    InitRequest& request;
    StartContext start;
    Fd root;
    pid_t host_pid = 0; // known when hooks of the container need it

    Channel& channel() { return start.channel; }
};

// ---- the steps -----------------------------------------------------------------------------------------------------

Result<> tie_to_launcher(InitContext& context)
{
    TRY(kernel::set_parent_death_signal(SIGKILL));
    (void)kernel::set_umask(022); // for what is made in the root; the process gets its own later
    // Everything else that the launcher had open is not for us: its lock on the state directory would outlive it here.
    return close_other_descriptors(context.start, {});
}

Result<> become_namespace_root(InitContext& context)
{
    (void)TRY(context.channel().expect(MessageKind::ids_mapped));
    return setup::become_namespace_root(context.plan.process);
}

Result<> join_namespaces(InitContext& context)
{
    if (!context.request.join_namespaces)
        return {}; // the intermediate process did it before the clone
    return join_planned_namespaces(context.plan.namespaces);
}

// Made here and not before the clone: in the user namespace of the container, whose root may.
Result<> make_time_namespace(InitContext& context)
{
    TRY(kernel::unshare(CLONE_NEWTIME));
    if (!context.plan.namespaces.time_offsets.empty())
        TRY(kernel::write_time_offsets(0, context.plan.namespaces.time_offsets));
    // unshare() moves only children to it.
    Fd own = TRY(kernel::open_at(kernel::working_directory, "/proc/self/ns/time_for_children", O_RDONLY));
    return kernel::join_namespace(own, CLONE_NEWTIME);
}

// Other processes of a shared pid namespace must not look into this one before it has become harmless (CVE-2016-9962).
Result<> hide_from_others(InitContext&)
{
    TRY(kernel::set_dumpable(false));
    return kernel::new_session();
}

// Hooks want the pid as the host sees it; only the host's procfs, still mounted here, knows it.
Result<> learn_host_pid(InitContext& context)
{
    auto pid = TRY(parse_integer(TRY(kernel::read_link(kernel::working_directory, "/proc/self"))));
    context.host_pid = static_cast<pid_t>(pid);
    context.start.hook_state = context.request.hook_state(context.host_pid, HookMoment::start);
    return {};
}

Result<> open_root_file_system(InitContext& context)
{
    context.root = TRY(setup::open_root(context.plan.root));
    return {};
}

Result<Fd> source_from_launcher(InitContext& context, const plan::Mount& mount)
{
    auto index = static_cast<size_t>(&mount - context.plan.root.mounts.data());
    TRY(context.channel().send(MessageKind::mount_source_needed, std::to_string(index)));
    auto answer = TRY(context.channel().expect(MessageKind::mount_source));
    if (answer.fds.size() != 1)
        return failure(ErrorKind::internal, "mount_source carries no descriptor");
    return std::move(answer.fds[0]);
}

Result<> mount_some(InitContext& context, size_t first, size_t last)
{
    setup::MountSource source = [&context](const plan::Mount& mount) {
        return setup::make_host_source(mount, context.plan.root.mount_label);
    };
    if (context.conversation.mount_sources)
        source = [&context](const plan::Mount& mount) { return source_from_launcher(context, mount); };
    return setup::mount_range(context.root, context.plan, first, last, source);
}

Result<> mount_before_cgroup(InitContext& context)
{
    return mount_some(context, 0, context.plan.root.mounts_before_cgroup);
}

Result<> join_cgroup(InitContext& context)
{
    auto message = TRY(context.channel().expect(MessageKind::cgroup_ready));
    TRY(cgroup::join_by_tasks(message.fds));
    TRY(kernel::reset_cpu_affinity()); // the caller's own must not narrow the cpuset's
    // The root of a cgroup namespace is the cgroup of the moment in which it is made.
    if (context.plan.namespaces.new_cgroup_namespace)
        TRY(kernel::unshare(CLONE_NEWCGROUP));
    return {};
}

Result<> mount_rest(InitContext& context)
{
    return mount_some(context, context.plan.root.mounts_before_cgroup, context.plan.root.mounts.size());
}

Result<> populate_dev(InitContext& context)
{
    return setup::create_devices(context.root, context.plan.root);
}

Result<> make_working_directory(InitContext& context)
{
    // As runc: a missing process.cwd is made, before the root may become read-only.
    (void)TRY(kernel::ensure_directory_in_root(context.root, context.plan.process.cwd, 0755));
    return {};
}

Result<> name_host(InitContext& context)
{
    if (!context.plan.hostname.empty())
        TRY(kernel::set_hostname(context.plan.hostname));
    if (!context.plan.domainname.empty())
        TRY(kernel::set_domainname(context.plan.domainname));
    return {};
}

Result<> raise_network(InitContext& context)
{
    return setup::configure_network(context.plan.namespaces);
}

Result<> let_launcher_run_hooks(InitContext& context)
{
    TRY(context.channel().send(MessageKind::root_ready));
    (void)TRY(context.channel().expect(MessageKind::hooks_done));
    return {};
}

Result<> run_create_container_hooks(InitContext& context)
{
    std::string state = context.request.hook_state(context.host_pid, HookMoment::create);
    return setup::run_hooks({"createContainer", state, context.plan.host_bundle}, context.plan.hooks.create_container);
}

Result<> make_terminal(InitContext& context)
{
    context.start.terminal = TRY(setup::create_terminal(context.root, context.plan.process));
    return setup::bind_console(context.root, context.start.terminal->slave);
}

Result<> set_sysctls(InitContext& context)
{
    return setup::apply_sysctls(context.plan.sysctls);
}

Result<> protect_paths(InitContext& context)
{
    TRY(setup::make_paths_readonly(context.root, context.plan.root));
    TRY(setup::mask_paths(context.root, context.plan.root));
    return setup::make_root_readonly(context.root, context.plan.root);
}

Result<> enter_root(InitContext& context)
{
    TRY(setup::enter_root(context.root, context.plan.root));
    context.root.reset();
    return {};
}

Result<> receive_filter(InitContext& context)
{
    auto message = TRY(context.channel().expect(MessageKind::seccomp_program));
    context.start.filters = TRY(decode_programs(message.payload));
    return {};
}

Result<> become_container_process(InitContext& context)
{
    return become_process(context.start);
}

// ---- the table -----------------------------------------------------------------------------------------------------

using Needed = bool (*)(const plan::Plan&);

bool always(const plan::Plan&)
{
    return true;
}
bool any_user_namespace(const plan::Plan& plan)
{
    return plan.namespaces.has_new(CLONE_NEWUSER) || plan.namespaces.joins_type(spec::NamespaceType::user);
}
bool has_joins(const plan::Plan& plan)
{
    return !plan.namespaces.joins.empty();
}
bool has_new_time_namespace(const plan::Plan& plan)
{
    return plan.namespaces.new_time_namespace;
}
bool has_container_hooks(const plan::Plan& plan)
{
    return !plan.hooks.create_container.empty() || !plan.hooks.start_container.empty();
}
bool has_create_container_hooks(const plan::Plan& plan)
{
    return !plan.hooks.create_container.empty();
}
// In a user namespace the launcher answers questions until the root is ready; only then may it say more than answers.
bool launcher_waits_for_root(const plan::Plan& plan)
{
    return !plan.hooks.prestart.empty() || !plan.hooks.create_runtime.empty() || any_user_namespace(plan);
}
bool has_names(const plan::Plan& plan)
{
    return !plan.hostname.empty() || !plan.domainname.empty();
}
bool has_terminal(const plan::Plan& plan)
{
    return plan.process.terminal;
}
bool has_sysctls(const plan::Plan& plan)
{
    return !plan.sysctls.empty();
}
bool has_seccomp(const plan::Plan& plan)
{
    return plan.has_filters();
}

struct Step {
    const char* name;
    Needed needed;
    Result<> (*run)(InitContext&);
};

// The order is the documentation: each row must come after those above it for the reason given.
constexpr Step steps[] = {
    {"end with the launcher", always, tie_to_launcher}, // first: nothing may be left of a killed create
    {"become root of the user namespace", any_user_namespace, become_namespace_root}, // all else needs its capabilities
    {"join namespaces", has_joins, join_namespaces},                                  // before anything is made in them
    {"make a time namespace", has_new_time_namespace, make_time_namespace},           // its file in /proc is closed to the hidden
    {"hide from other processes", always, hide_from_others},       // after the id maps: they need our /proc files
    {"learn the host's pid", has_container_hooks, learn_host_pid}, // while the host's /proc is in view
    {"open the root file system", always, open_root_file_system},
    {"mount what needs no cgroup", always, mount_before_cgroup},    // the launcher makes the cgroup meanwhile
    {"join the cgroup", always, join_cgroup},                       // late: less of the setup is charged to it
    {"mount the rest", always, mount_rest},                         // cgroup mounts show the cgroup namespace
    {"make devices", always, populate_dev},                         // on the /dev mounted above
    {"make the working directory", always, make_working_directory}, // before the root is read-only
    {"set host and domain name", has_names, name_host},
    {"raise the loopback device", always, raise_network},
    {"wait for prestart and createRuntime hooks", launcher_waits_for_root,
     let_launcher_run_hooks}, // mounts are there, the root is not switched
    {"run createContainer hooks", has_create_container_hooks, run_create_container_hooks},
    {"make the terminal", has_terminal, make_terminal}, // from the container's own devpts
    {"set sysctls", has_sysctls, set_sysctls},          // by a procfs of our own, whatever is mounted on /proc
    {"protect paths", always, protect_paths},           // after all that creates files, hooks included
    {"enter the root file system", always, enter_root},
    {"receive the seccomp filters", has_seccomp, receive_filter}, // late: it was compiled meanwhile
    {"become the container's process", always, become_container_process},
};

Result<> run_steps(InitContext& context)
{
    for (const Step& step : steps) {
        if (!step.needed(context.plan))
            continue;
        TRY_DURING(step.name, step.run(context));
    }
    return {};
}

} // namespace

std::vector<std::string> init_step_names(const plan::Plan& plan)
{
    std::vector<std::string> names;
    for (const Step& step : steps)
        if (step.needed(plan))
            names.emplace_back(step.name);
    return names;
}

namespace {

std::string join_hint(int code)
{
    if (code == EPERM)
        return "joining needs root in the user namespace that owns it: join that one too, {\"type\": \"user\", \"path\": ...}, "
               "or "
               "run brig as root";
    return "linux.namespaces: is that file a namespace of the given type?";
}

} // namespace

Result<> join_planned_namespaces(const plan::Namespaces& namespaces)
{
    // All files are opened first: joining the mount namespace changes what the later paths mean.
    std::vector<Fd> files;
    for (const auto& join : namespaces.joins)
        files.push_back(TRY(kernel::open_at(kernel::working_directory, join.host_path, O_RDONLY)));
    for (size_t index = 0; index < files.size(); index++) {
        const plan::NamespaceJoin& join = namespaces.joins[index];
        const auto& word = spec::namespace_word(join.type);
        // A user namespace may forbid setgroups for good: groups of a privileged caller must not go in with him.
        if (join.type == spec::NamespaceType::user)
            (void)kernel::set_groups({});
        auto joined = kernel::join_namespace(files[index], word.clone_flag);
        if (!joined && joined.error().code() == EINVAL && join.type == spec::NamespaceType::user)
            continue; // it is our own
        if (joined)
            continue;
        std::string hint = join_hint(joined.error().code());
        return failure(std::move(joined)
                           .error()
                           .during(fmt::format("{} namespace {}", word.name, one_line(join.host_path)))
                           .with_hint(std::move(hint)));
    }
    return {};
}

Conversation conversation_of(const plan::Plan& plan, bool seccomp_notifies)
{
    Conversation conversation;
    conversation.user_namespace = any_user_namespace(plan);
    conversation.mount_sources = plan.root.sources_from_launcher;
    conversation.cgroup = true;
    conversation.root_ready = launcher_waits_for_root(plan);
    conversation.seccomp = plan.has_filters();
    conversation.seccomp_listener = seccomp_notifies;
    return conversation;
}

void run_container_init(InitRequest request)
{
    StartContext start{.process = request.plan.process,
                       .id = request.plan.id,
                       .channel = std::move(request.channel),
                       .start_listener = request.start_listener,
                       .until_execve = request.until_execve,
                       .limits_are_set = request.conversation.user_namespace,
                       .terminal_to_caller = request.terminal_to_caller,
                       .console_socket = Fd(request.console_socket.get()),
                       .environment = request.plan.process.env};
    start.start_container_hooks = &request.plan.hooks.start_container;
    start.resident = request.resident;
    InitContext context{request.plan, request.conversation, request, std::move(start), Fd(), 0};
    auto prepared = run_steps(context);
    if (!prepared)
        report_and_exit(context.start, prepared.error());
    Error error = announce_and_execute(context.start);
    report_and_exit(context.start, error);
}

} // namespace brig::launch
