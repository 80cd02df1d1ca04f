// Builds a container's root from BUNDLE/config.json in new namespaces, enters it and runs a shell command there.
//
//   probe-root [options] BUNDLE COMMAND
//     --user            a user namespace that maps 0..65535 to 100000.., as linux.uidMappings of the config should say
//     --no-network      no network namespace of its own
//     --cgroup          a cgroup namespace
//     --no-pivot        MS_MOVE and chroot
//     --descriptors N   RLIMIT_NOFILE
//     --no-openat2      openat2 fails with ENOSYS
//     --console         a terminal's slave at /dev/console
//     --locked-source   a shared tmpfs with nosuid, nodev and noexec at BUNDLE/locked, made outside of the user namespace
//     --inner-sources   with --user: binds are cloned inside the user namespace, as without privileges on the host;
//                       otherwise outside of it, as the launcher does it
// Prints the error's message and exits with 1 when the root cannot be built.
#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/host_facts.hpp"
#include "kernel/mounting.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/process.hpp"
#include "kernel/seccomp.hpp"
#include "kernel/sockets.hpp"
#include "kernel/terminal.hpp"
#include "plan/mount_plan.hpp"
#include "setup/devices.hpp"
#include "setup/root_filesystem.hpp"
#include "spec/read_spec.hpp"

#include <cstdio>
#include <cstring>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

using namespace brig;

namespace {

struct Options {
    bool user = false;
    bool network = true;
    bool cgroup = false;
    bool no_pivot = false;
    bool no_openat2 = false;
    bool console = false;
    bool locked_source = false;
    bool inner_sources = false;
    uint64_t descriptors = 0;
    std::string bundle;
    std::string command;
};

Result<> refuse_openat2()
{
    const sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    TRY(kernel::load_seccomp_filter({reinterpret_cast<const char*>(filter), sizeof filter}, 0));
    return {};
}

// The cgroups that this process is in stand for the container's own.
Result<> plan_cgroups(plan::Plan& plan, const HostFacts& facts)
{
    for (const auto& hierarchy : facts.cgroup_v1)
        plan.cgroup.directories.push_back({hierarchy.mount_point, hierarchy.own_path, hierarchy.controllers, {}, false});
    if (!facts.cgroup_v2_mount_point.empty())
        plan.cgroup.directories.push_back({facts.cgroup_v2_mount_point, facts.cgroup_v2_own_path, {}, {}, true});
    return {};
}

Result<plan::Plan> make_plan(const Options& options)
{
    std::string text = TRY(kernel::read_file(kernel::working_directory, options.bundle + "/config.json", 1 << 24));
    spec::Spec spec = TRY(spec::read_spec(text));
    HostFacts facts = TRY(kernel::read_host_facts());
    plan::Plan plan;
    plan.root = TRY(plan::make_root_plan(spec, options.bundle,
                                         options.no_pivot ? plan::RootSwitch::move_mount : plan::RootSwitch::pivot_root, facts));
    plan.namespaces.new_cgroup_namespace = options.cgroup;
    TRY(plan_cgroups(plan, facts));
    return plan;
}

Result<> add_console(FdRef root)
{
    Fd pts = TRY(kernel::open_at(root, "dev/pts", O_RDONLY | O_DIRECTORY));
    auto terminal = TRY(kernel::open_terminal(pts));
    TRY(setup::bind_console(root, terminal.slave));
    (void)terminal.master.release(); // the terminal lives as long as this process
    return {};
}

// By index into root.mounts; the child inherits the descriptors.
using Sources = std::vector<Fd>;

Result<Sources> clone_sources(const plan::Plan& plan)
{
    Sources sources;
    for (const auto& mount : plan.root.mounts)
        sources.push_back(mount.kind == plan::MountKind::bind && !mount.options.remount ? TRY(setup::clone_host_source(mount))
                                                                                        : Fd());
    return sources;
}

Result<> build_root(const Options& options, const plan::Plan& plan, Sources& sources)
{
    if (options.cgroup)
        TRY(kernel::unshare(CLONE_NEWCGROUP));
    if (options.descriptors != 0)
        TRY(kernel::set_resource_limit(0, RLIMIT_NOFILE, options.descriptors, options.descriptors));
    if (options.no_openat2)
        TRY(refuse_openat2());
    Fd root = TRY(setup::open_root(plan.root));
    size_t split = plan.root.mounts_before_cgroup;
    setup::MountSource source = setup::clone_host_source;
    if (!sources.empty())
        source = [&](const plan::Mount& mount) -> Result<Fd> { return std::move(sources[mount.spec_index]); };
    TRY(setup::mount_range(root, plan, 0, split, source));
    TRY(setup::mount_range(root, plan, split, plan.root.mounts.size(), source));
    TRY(setup::create_devices(root, plan.root));
    if (options.console)
        TRY(add_console(root));
    TRY(setup::mask_paths(root, plan.root));
    TRY(setup::make_paths_readonly(root, plan.root));
    TRY(setup::make_root_readonly(root, plan.root));
    return setup::enter_root(root, plan.root);
}

[[noreturn]] void run_inside(const Options& options, const plan::Plan& plan, Sources& sources, FdRef mapped)
{
    // The maps are written by the parent.
    (void)kernel::read_some(mapped, 1);
    if (options.user)
        (void)kernel::set_ids(0, 0);
    auto built = build_root(options, plan, sources);
    if (!built) {
        std::printf("%s\n", built.error().message().c_str());
        std::fflush(stdout);
        kernel::exit_now(1);
    }
    Error error = kernel::execute("/bin/busybox", {"sh", "-c", options.command}, {"PATH=/bin:/usr/bin:/sbin"});
    std::printf("%s\n", error.message().c_str());
    std::fflush(stdout);
    kernel::exit_now(2);
}

Result<> mount_locked_source(const std::string& path)
{
    TRY(kernel::unshare(CLONE_NEWNS));
    TRY(kernel::set_propagation_of_root(MS_PRIVATE, kernel::Recursion::all));
    kernel::FileSystemRequest request;
    request.type = "tmpfs";
    request.attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    Fd mount = TRY(kernel::new_file_system(request));
    Fd target = TRY(kernel::open_at(kernel::working_directory, path, O_PATH | O_DIRECTORY));
    TRY(kernel::attach_mount(mount, target));
    kernel::MountAttributes attributes;
    attributes.propagation = MS_SHARED;
    return kernel::set_mount_attributes(mount, attributes, kernel::Recursion::none);
}

Result<int> run(const Options& options)
{
    plan::Plan plan = TRY(make_plan(options));
    if (options.locked_source)
        TRY(mount_locked_source(options.bundle + "/locked"));
    Sources sources;
    if (options.user && !options.inner_sources)
        sources = TRY(clone_sources(plan));
    auto [mapped, tell] = TRY(kernel::make_pipe());
    kernel::CloneRequest request;
    request.flags =
        CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | (options.network ? CLONE_NEWNET : 0) | (options.user ? CLONE_NEWUSER : 0);
    auto child = TRY(kernel::clone_process(request));
    if (child.in_child) {
        tell.reset();
        run_inside(options, plan, sources, mapped);
    }
    if (options.user)
        TRY(kernel::write_id_maps(child.pid, "0 100000 65536\n", "0 100000 65536\n", false));
    tell.reset();
    auto status = TRY(kernel::wait_for(child.pid));
    return status.as_exit_code();
}

Options read_arguments(int count, char** arguments)
{
    Options options;
    for (int at = 1; at < count; at++) {
        std::string_view argument = arguments[at];
        if (argument == "--user")
            options.user = true;
        else if (argument == "--no-network")
            options.network = false;
        else if (argument == "--cgroup")
            options.cgroup = true;
        else if (argument == "--no-pivot")
            options.no_pivot = true;
        else if (argument == "--no-openat2")
            options.no_openat2 = true;
        else if (argument == "--console")
            options.console = true;
        else if (argument == "--locked-source")
            options.locked_source = true;
        else if (argument == "--inner-sources")
            options.inner_sources = true;
        else if (argument == "--descriptors" && at + 1 < count)
            options.descriptors = static_cast<uint64_t>(std::atoi(arguments[++at]));
        else if (options.bundle.empty())
            options.bundle = argument;
        else
            options.command = argument;
    }
    return options;
}

} // namespace

int main(int count, char** arguments)
{
    auto code = run(read_arguments(count, arguments));
    if (!code) {
        std::printf("%s\n", code.error().message().c_str());
        return 1;
    }
    return *code;
}
