#include "container/checkpoint.hpp"

#include "base/rollback.hpp"
#include "base/text.hpp"
#include "container/checkpoint_files.hpp"
#include "container/creation.hpp"
#include "container/criu.hpp"
#include "container/external_mounts.hpp"
#include "container/inside.hpp"
#include "container/systemd.hpp"
#include "kernel/files.hpp"
#include "kernel/mounting.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/path_in_root.hpp"
#include "kernel/process.hpp"
#include "kernel/procfs.hpp"
#include "kernel/sockets.hpp"
#include "launch/process_start.hpp"
#include "setup/hooks.hpp"
#include "setup/identity.hpp"
#include "setup/network.hpp"
#include "setup/root_filesystem.hpp"
#include "setup/seccomp.hpp"
#include "setup/terminal.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <csignal>
#include <sched.h>
#include <sys/mount.h>

namespace brig::container {

namespace {

constexpr const char* log_name = "restore.log";
constexpr const char* root_name = "criu-root";
constexpr const char* work_name = "criu-work";
constexpr int64_t patience = 5000; // milliseconds

// ---- the root, in CRIU's process before its execve -------------------------------------------------------------------

// What is below a file system that CRIU makes is in the images, too.
bool comes_with_images(const plan::RootFilesystem& root, const plan::Mount& mount)
{
    return std::ranges::any_of(root.mounts, [&](const plan::Mount& other) {
        return other.kind != plan::MountKind::bind && mount.destination.starts_with(other.destination + "/");
    });
}

Result<> make_mount_point(FdRef root, const plan::Mount& mount)
{
    constexpr mode_t mode = 0755;
    if (mount.kind != plan::MountKind::bind)
        return kernel::ensure_directory_in_root(root, mount.destination, mode).map([](const Fd&) {});
    Fd source = TRY(setup::clone_host_source(mount));
    bool directory = S_ISDIR(TRY(kernel::status_of(source)).st_mode);
    Fd target = directory ? TRY(kernel::ensure_directory_in_root(root, mount.destination, mode))
                          : TRY(kernel::ensure_file_in_root(root, mount.destination, mode));
    // Mount points of the mounts below it are made inside of it.
    return kernel::attach_mount(source, target);
}

Result<Fd> mount_root(const std::string& host_rootfs, const std::string& place)
{
    Fd directory = TRY(kernel::open_at(kernel::working_directory, place, O_PATH | O_DIRECTORY));
    Fd mount = TRY(kernel::clone_mount(kernel::working_directory, host_rootfs, kernel::Recursion::all));
    TRY(kernel::attach_mount(mount, directory));
    return mount;
}

// CRIU needs the root to be a mount of its own and every mount point to be there: the root file system may be a new one. It
// all happens in a mount namespace that ends with CRIU, so that a killed restore leaves no mount behind.
Result<> prepare_root(const plan::RootFilesystem& plan, const std::string& place)
{
    TRY(kernel::unshare(CLONE_NEWNS));
    TRY(kernel::set_propagation_of_root(MS_SLAVE, kernel::Recursion::all));
    Fd scratch = TRY(mount_root(plan.host_path, place));
    for (const auto& mount : plan.mounts)
        if (!mount.options.remount && !mount.options.copy_symlink && !comes_with_images(plan, mount))
            TRY_DURING("make the mount point " + quoted(mount.destination), make_mount_point(scratch, mount));
    TRY(kernel::detach(place));
    return mount_root(plan.host_path, place).map([](const Fd&) {});
}

// ---- the parts of a restore --------------------------------------------------------------------------------------------

// "12:cpu,cpuacct:/path" for each hierarchy: where CRIU is, the restored processes are to be.
Result<std::vector<CriuNamedPath>> cgroup_roots(pid_t criu)
{
    constexpr size_t largest = 64 << 10;
    std::vector<CriuNamedPath> roots;
    std::string text = TRY(kernel::read_file(kernel::working_directory, fmt::format("/proc/{}/cgroup", criu), largest));
    for (auto line : split(text, '\n')) {
        auto first = line.find(':');
        auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos)
            continue;
        for (auto controller : split(line.substr(first + 1, second - first - 1), ','))
            roots.push_back({std::string(controller), std::string(line.substr(second + 1))});
    }
    return roots;
}

// CRIU puts its tasks into a time namespace of their own, whatever config.json says: the kernel tells what there is.
Result<uint64_t> namespaces_unlike_ours(pid_t pid)
{
    uint64_t flags = 0;
    for (const auto& word : spec::namespace_words()) {
        auto own = kernel::namespace_identity(0, std::string(word.proc_name));
        if (!own)
            continue; // unknown to this kernel
        if (*own != TRY(kernel::namespace_identity(pid, std::string(word.proc_name))))
            flags |= word.clone_flag;
    }
    return flags;
}

// The images hold no network devices, and the new namespace's loopback is down as any new one's.
Result<> raise_loopback(const plan::Namespaces& namespaces, pid_t pid)
{
    if (!namespaces.bring_loopback_up)
        return {};
    Fd network = TRY(kernel::open_at(kernel::working_directory, fmt::format("/proc/{}/ns/net", pid), O_RDONLY));
    auto child = TRY(kernel::clone_process({}));
    if (child.in_child) {
        bool raised = kernel::join_namespace(network, CLONE_NEWNET) && setup::configure_network(namespaces);
        kernel::exit_now(raised ? 0 : 1);
    }
    auto status = TRY(kernel::wait_for(child.pid));
    if (status.as_exit_code() != 0)
        return failure(ErrorKind::system, "the loopback device of the restored network namespace cannot be raised");
    return {};
}

// The same folder by the mounts of CRIU's own namespace: CRIU makes it its working directory and mounts inside.
Result<Fd> folder_seen_by(pid_t criu, FdRef folder)
{
    if (!folder.valid())
        return Fd();
    Fd root = TRY(kernel::open_at(kernel::working_directory, fmt::format("/proc/{}/root", criu), O_PATH | O_DIRECTORY));
    return kernel::open_in_root(root, kernel::path_of(folder), O_RDONLY | O_DIRECTORY);
}

class Restoration {
public:
    Restoration(const Context& context, const RestoreRequest& request, const PlannedContainer& planned,
                const StateDirectory& directory)
        : m_context(context), m_request(request), m_planned(planned), m_plan(planned.plan), m_directory(directory),
          m_record(first_record(planned))
    {
    }

    Result<Restored> run()
    {
        // Before anything else, so that `delete --force` finds what a killed restore leaves.
        TRY(m_directory.write_record(m_record));
        TRY(keep_configuration(m_directory, m_request.create.config_text, m_planned));
        if (m_plan.has_filters()) // for exec; CRIU has the filters of the processes
            (void)TRY(filters_for(m_context, m_directory, m_plan));
        Rollback undo;
        undo.add([this] { abandon(); });
        TRY(make_cgroup());
        m_record.cgroups = m_cgroup.locations();
        TRY(m_directory.write_record(m_record));
        TRY(converse());
        TRY(start_guard(m_planned, m_context.log, {.init = m_pidfd}, m_record));
        if (m_planned.guard)
            TRY(m_directory.write_record(m_record));
        TRY(announce());
        undo.keep();
        return Restored{std::move(m_record), m_pid, std::move(m_pidfd), std::move(m_terminal)};
    }

private:
    // A scope of systemd needs a process from its beginning: one that does nothing keeps the place until CRIU's is there.
    Result<> make_cgroup()
    {
        if (m_plan.cgroup.unit) {
            m_keeper = TRY(ScopeKeeper::start());
            m_unit_asked = true;
            TRY(m_planned.systemd->start_unit(*m_plan.cgroup.unit, m_keeper->pid()));
        }
        m_cgroup = TRY(cgroup::Cgroup::create(m_plan.cgroup));
        return {};
    }

    Result<> converse()
    {
        CheckpointFolders folders = TRY(open_checkpoint_folders(m_request.settings));
        TRY(check_image_sizes(folders.images));
        TRY(let_user_namespace_in(folders.images));
        CriuOptions options = common_options(m_request.settings, folders, log_name);
        std::string root = fmt::format("{}/{}/{}", m_context.state_root, m_record.id, root_name);
        TRY(kernel::make_directory(m_directory.fd(), root_name, 0700));
        fill(options, root);
        TRY(add_mounts(options, folders));
        TRY(add_streams(options, folders));
        TRY(add_namespaces(options));
        CriuWorker worker = TRY(start_worker(root));
        m_worker = &worker;
        m_keeper.reset();
        options.cgroup_roots = TRY(cgroup_roots(worker.pid()));
        Fd images = TRY(folder_seen_by(worker.pid(), folders.images));
        Fd work = TRY(folder_seen_by(worker.pid(), folders.work));
        options.images_directory = images.get();
        options.work_directory = work.get();
        auto answer =
            worker.converse(encode_criu_request(CriuRequestType::restore, options),
                            [this](const CriuResponse& response, std::vector<Fd>& fds) { return handle(response, fds); });
        if (!answer)
            return failure(
                explain_criu_failure(std::move(answer).error(), folders.log_directory(), log_name, worker.last_words()));
        if (m_pid < 0)
            return failure(ErrorKind::internal, "CRIU did not name the restored process");
        return kernel::remove_directory(m_directory.fd(), root_name);
    }

    // CRIU reads images as the host's root, but without root's powers over files, and then as the root of the container's user
    // namespace: a folder that is closed to all but its owner lets in only one of them.
    Result<> let_user_namespace_in(FdRef images) const
    {
        if (!m_plan.namespaces.has_new(CLONE_NEWUSER))
            return {};
        auto gid = spec::host_id_of(m_plan.namespaces.gid_mappings, 0);
        if (!gid)
            return {};
        TRY(kernel::change_owner(images, static_cast<uid_t>(-1), *gid));
        return kernel::change_mode(images, (TRY(kernel::status_of(images)).st_mode & 07777) | S_IXGRP);
    }

    void fill(CriuOptions& options, const std::string& root) const
    {
        options.root = root;
        options.config_file = criu_configuration(m_plan.annotations);
        options.restore_as_sibling = true; // a child of this process, as after run
        options.evasive_devices = true;
        options.lsm_profile = m_request.lsm_profile;
        options.lsm_mount_context = m_request.lsm_mount_context;
    }

    Result<> add_mounts(CriuOptions& options, const CheckpointFolders& folders)
    {
        auto known = planned_external_mounts(m_plan);
        for (const auto& mount : known)
            options.external_mounts.push_back({mount.name, mount.host_source});
        options.external_mounts.push_back({"/dev/null", "/dev/null"}); // runc's name of masked files
        auto saved = TRY(read_saved_mounts(folders.images));
        m_mount_flags = std::move(saved.flags);
        known.insert(known.end(), saved.added.begin(), saved.added.end());
        for (const auto& name : saved.names) {
            bool planned = std::ranges::find(options.external_mounts, name, &CriuNamedPath::key) != options.external_mounts.end();
            if (!planned)
                options.external_mounts.push_back({name, TRY(source_of_external_mount(known, name))});
        }
        return {};
    }

    Result<> add_streams(CriuOptions& options, const CheckpointFolders& folders)
    {
        auto names = TRY(read_stream_names(folders.images));
        for (size_t number = 0; number < std::min<size_t>(names.size(), 3); number++) {
            if (!names[number].starts_with("pipe:") && !names[number].starts_with("file["))
                continue;
            if (names[number].starts_with("file[") && !kernel::can_seek(FdRef(static_cast<int>(number))))
                return failure(Error(ErrorKind::invalid,
                                     fmt::format("standard stream {} was a file at the checkpoint and is none now", number))
                                   .with_hint("redirect it to a file"));
            options.inherited.push_back({names[number], first_further_descriptor + static_cast<int>(m_passed.size())});
            m_passed.push_back(static_cast<int>(number));
        }
        return {};
    }

    Result<> add_namespaces(CriuOptions& options)
    {
        for (const auto& join : m_plan.namespaces.joins) {
            if (!stays_external(join.type)) {
                options.joined_namespaces.push_back({std::string(spec::namespace_word(join.type).proc_name), join.host_path});
                continue;
            }
            Fd file = TRY_DURING("a namespace that config.json names",
                                 kernel::open_at(kernel::working_directory, join.host_path, O_RDONLY));
            options.inherited.push_back(
                {key_of_namespace(join.type), first_further_descriptor + static_cast<int>(m_passed.size())});
            m_passed.push_back(file.get());
            m_namespaces.push_back(std::move(file));
        }
        return {};
    }

    Result<CriuWorker> start_worker(const std::string& root)
    {
        Fd unified = TRY(m_cgroup.open_unified_directory());
        auto join_files = TRY(m_cgroup.open_join_files(true));
        CriuStart start;
        start.program = m_request.settings.program;
        start.descriptors = m_passed;
        start.cgroup = unified;
        if (m_request.settings.shell_job) {
            // The restored program takes the place of CRIU on the caller's terminal.
            start.input = FdRef(0);
            start.output = FdRef(1);
            start.error = FdRef(2);
        }
        start.prepare = [&]() -> Result<> {
            TRY(kernel::set_parent_death_signal(SIGKILL));
            TRY_DURING("join the container's cgroup", cgroup::join_by_tasks(join_files));
            TRY(kernel::reset_cpu_affinity());
            if (m_plan.process.new_session_keyring)
                TRY(setup::join_new_keyring(m_plan.id));
            return prepare_root(m_plan.root, root);
        };
        return CriuWorker::start(start);
    }

    Result<> handle(const CriuResponse& response, std::vector<Fd>& fds)
    {
        if (response.notification == "setup-namespaces")
            return set_namespaces_up(response.pid);
        if (response.notification == "post-restore")
            return remember_init(response.pid);
        if (response.notification == "orphan-pts-master" && !fds.empty())
            return take_terminal(std::move(fds[0]));
        return {};
    }

    Result<> set_namespaces_up(pid_t pid)
    {
        m_pid = pid;
        TRY(raise_loopback(m_plan.namespaces, pid));
        Record record = m_record;
        record.pid = pid;
        std::string state = hook_state(record, Status::creating).to_text();
        TRY(setup::run_hooks({"prestart", state, m_plan.host_bundle}, m_plan.hooks.prestart));
        return setup::run_hooks({"createRuntime", state, m_plan.host_bundle}, m_plan.hooks.create_runtime);
    }

    // While its processes wait to go on: from now on the container is there for everybody.
    Result<> remember_init(pid_t pid)
    {
        m_pid = pid;
        m_pidfd = TRY(kernel::pidfd_open(pid));
        m_worker->watch(m_pidfd);
        m_record.pid = pid;
        m_record.start_time = TRY(kernel::process_stat(pid)).start_time;
        m_record.namespaces = TRY(namespaces_unlike_ours(pid));
        (void)TRY(run_inside(m_pidfd, m_record.namespaces, [this](FdRef root, FdRef) -> Result<std::string> {
            TRY(restore_mount_flags(root, m_mount_flags));
            return std::string("done");
        }));
        m_record.complete = true;
        return m_directory.write_record(m_record);
    }

    Result<> take_terminal(Fd master)
    {
        if (m_request.create.console_socket.valid())
            return setup::send_terminal(m_request.create.console_socket, master, "/dev/pts/0");
        m_terminal = std::move(master);
        return {};
    }

    Result<> announce()
    {
        if (m_request.create.pidfd_socket.valid())
            TRY(kernel::send_message(m_request.create.pidfd_socket, "0", {m_pidfd.get()}));
        if (!m_request.create.pid_file.empty())
            TRY_DURING("write the pid file", write_pid_file(m_request.create.pid_file, m_pid));
        return {};
    }

    void abandon()
    {
        (void)m_cgroup.kill_all(SIGKILL);
        if (m_pid > 0)
            (void)kernel::wait_without_blocking(m_pid);
        if (m_pidfd) {
            (void)kernel::pidfd_send_signal(m_pidfd, SIGKILL);
            (void)kernel::wait_for(m_pid);
        }
        m_keeper.reset();
        (void)m_cgroup.remove(patience);
        if (m_unit_asked)
            (void)m_planned.systemd->stop_unit(*m_record.unit);
    }

    const Context& m_context;
    const RestoreRequest& m_request;
    const PlannedContainer& m_planned;
    const plan::Plan& m_plan;
    const StateDirectory& m_directory;
    Record m_record;
    std::optional<ScopeKeeper> m_keeper;
    bool m_unit_asked = false;
    cgroup::Cgroup m_cgroup;
    std::vector<MountFlags> m_mount_flags;
    std::vector<int> m_passed; // to CRIU, from first_further_descriptor on
    std::vector<Fd> m_namespaces;
    CriuWorker* m_worker = nullptr; // of the conversation
    pid_t m_pid = -1;
    Fd m_pidfd;
    Fd m_terminal;
};

} // namespace

Result<Restored> restore(const Context& context, const RestoreRequest& request)
{
    TRY(check_id(request.create.id));
    if (request.settings.program.empty())
        return failure(no_criu());
    PlannedContainer planned = TRY(plan_from(context, request.create));
    TRY(check_terminal_request(planned.plan, request.create));
    if (!planned.resolver_configuration().empty())
        return failure(
            Error(ErrorKind::not_supported, "a container with a network of names (network.mode allow) cannot be restored")
                .with_hint("a checkpoint has no part of the egress broker; begin it anew"));
    // Before anything is made: most mistakes are wrong paths.
    (void)TRY(open_checkpoint_folders(request.settings));
    StateStore store(context.state_root);
    Rollback undo;
    StateDirectory directory = TRY(store.create(request.create.id));
    undo.add([&] { (void)store.remove(request.create.id); });
    Restored restored = TRY(Restoration(context, request, planned, directory).run());
    undo.keep();
    return restored;
}

} // namespace brig::container
