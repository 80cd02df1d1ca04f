// setup/root_filesystem.hpp and setup/devices.hpp on the real kernel: probe-root builds a root from a config.json and
// runs a shell command in it; the tests look at what that command sees.
#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "support/scratch.hpp"

#include <algorithm>
#include <criterion/criterion.h>
#include <sys/mount.h>
#include <sys/stat.h>

using namespace brig;

namespace {

struct Outcome {
    int code = -1;
    std::string output;
};

std::string probe_path()
{
    std::string self = *kernel::read_link(kernel::working_directory, "/proc/self/exe");
    return join_path(std::string(parent_path(self)), "probe-root");
}

// A bundle with busybox as its whole image. `mounts` and `linux` are JSON text.
struct Bundle : test::Scratch {
    Bundle()
    {
        for (const char* name : {"rootfs/bin", "rootfs/proc", "rootfs/sys", "rootfs/dev", "rootfs/tmp"})
            directory(name);
        write("rootfs/bin/busybox", *kernel::read_file(kernel::working_directory, "/bin/busybox", 1 << 24), 0755);
        for (const char* name : {"sh", "cat", "ls", "stat", "grep", "wc", "readlink", "touch", "mkdir", "test", "cut", "umount",
                                 "chmod", "mount", "tty", "head"})
            link("busybox", std::string("rootfs/bin/") + name);
    }

    Outcome run(std::vector<std::string> options, const std::string& command)
    {
        write("config.json", fmt::format(R"({{"ociVersion": "1.2.0", "root": {{"path": "rootfs", "readonly": {}}},
            "mounts": [{}], "linux": {{{}}}}})",
                                         readonly, mounts, linux_part));
        kernel::SpawnRequest request;
        request.path = probe_path();
        request.args = {"probe-root"};
        request.args.insert(request.args.end(), options.begin(), options.end());
        request.args.push_back(path());
        request.args.push_back(command + "\ntrue");
        request.timeout_milliseconds = 60000;
        auto ran = kernel::run_program(request);
        cr_assert(ran.has_value(), "%s", ran ? "" : ran.error().message().c_str());
        return {ran->status.as_exit_code(), ran->output};
    }

    // The command succeeds and prints exactly this.
    void expect(const std::string& command, const std::string& output, const std::vector<std::string>& options = {})
    {
        Outcome outcome = run(options, command);
        cr_expect_str_eq(outcome.output.c_str(), output.c_str(), "from: %s\n%sexpected:\n%s", command.c_str(),
                         outcome.output.c_str(), output.c_str());
        cr_expect_eq(outcome.code, 0, "from: %s\n%s", command.c_str(), outcome.output.c_str());
    }

    // The root is refused with a message that has this part.
    void expect_refusal(const std::string& part, const std::vector<std::string>& options = {})
    {
        Outcome outcome = run(options, "echo built");
        cr_expect_eq(outcome.code, 1);
        cr_expect(contains(outcome.output, part), "got: %s", outcome.output.c_str());
    }

    std::string mounts;
    std::string linux_part;
    bool readonly = false;
};

constexpr std::string_view proc_mount = R"({"destination": "/proc", "type": "proc", "source": "proc"})";

// What dockerd writes for `docker run`.
constexpr std::string_view docker_mounts = R"(
{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
{"destination": "/dev/pts", "type": "devpts", "source": "devpts",
 "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro", "nosuid", "noexec", "nodev"]},
{"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
{"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
 "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]})";

constexpr std::string_view docker_paths = R"("maskedPaths": ["/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore",
 "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
 "/sys/firmware", "/sys/devices/virtual/powercap", "/proc/nothing/there"],
 "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/proc/not/there"])";

constexpr std::string_view user_mappings = R"("namespaces": [{"type": "user"}],
 "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
 "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}])";

void make_docker_like(Bundle& bundle)
{
    bundle.mounts = docker_mounts;
    bundle.linux_part = docker_paths;
}

void give_to_mapped_root(Bundle& bundle)
{
    for (const char* name : {"rootfs", "rootfs/proc", "rootfs/sys", "rootfs/dev", "rootfs/tmp"})
        cr_assert_eq(::chown(bundle.path(name).c_str(), 100000, 100000), 0);
}

// Options of the mount at a path inside, "rw,nosuid - tmpfs shm rw,size=65536k": fields 6 and those after the dash.
std::string mount_line(const std::string& path)
{
    return fmt::format("grep '^[^ ]* [^ ]* [^ ]* [^ ]* {} ' /proc/self/mountinfo | cut -d' ' -f6-", path);
}

} // namespace

// ---- a whole container -----------------------------------------------------------------------------------------------------

Test(root_filesystem, docker_configuration)
{
    Bundle bundle;
    make_docker_like(bundle);
    std::string command = mount_line("/proc") + "; " + mount_line("/dev") + "; " + mount_line("/dev/pts") + "; "
                          + mount_line("/sys") + "; " + mount_line("/dev/shm");
    Outcome outcome = bundle.run({"--cgroup"}, command);
    cr_assert_eq(outcome.code, 0, "%s", outcome.output.c_str());
    auto lines = split(outcome.output, '\n');
    cr_assert_geq(lines.size(), 5u, "%s", outcome.output.c_str());
    cr_expect(lines[0].starts_with("rw,nosuid,nodev,noexec,relatime - proc proc rw"), "%s", outcome.output.c_str());
    cr_expect(lines[1].starts_with("rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755"), "%s", outcome.output.c_str());
    cr_expect(lines[2].starts_with("rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666"), "%s",
              outcome.output.c_str());
    cr_expect(lines[3].starts_with("ro,nosuid,nodev,noexec,relatime - sysfs sysfs rw"), "%s", outcome.output.c_str());
    cr_expect(lines[4].starts_with("rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k"), "%s", outcome.output.c_str());
}

Test(root_filesystem, nothing_of_the_host_is_left)
{
    Bundle bundle;
    make_docker_like(bundle);
    bundle.expect("cut -d' ' -f5 /proc/self/mountinfo | grep -v -e '^/$' -e '^/proc' -e '^/sys' -e '^/dev'; "
                  "grep -c ' / / ' /proc/self/mountinfo; readlink /proc/self/cwd; ls /",
                  "0\n/\nbin\ndev\nproc\nsys\ntmp\n");
}

Test(root_filesystem, the_host_sees_nothing)
{
    Bundle bundle;
    make_docker_like(bundle);
    bundle.linux_part += R"(, "rootfsPropagation": "rshared")";
    bundle.expect("echo built", "built\n");
    bundle.linux_part = std::string(docker_paths) + R"(, "rootfsPropagation": "runbindable")";
    bundle.expect("echo built", "built\n");
    std::string after = *kernel::read_file(kernel::working_directory, "/proc/self/mountinfo", 1 << 22);
    cr_expect_not(contains(after, bundle.path()));
}

Test(root_filesystem, propagation_of_the_root)
{
    Bundle bundle;
    bundle.mounts = proc_mount;
    std::string optional_fields = "grep ' / rw' /proc/self/mountinfo | cut -d' ' -f7 | cut -d: -f1";
    bundle.linux_part = R"("rootfsPropagation": "shared")";
    bundle.expect(optional_fields, "shared\n");
    bundle.linux_part = R"("rootfsPropagation": "unbindable")";
    bundle.expect(optional_fields, "unbindable\n");
    bundle.linux_part = R"("rootfsPropagation": "rprivate")";
    bundle.expect(optional_fields, "-\n");
}

Test(root_filesystem, without_pivot)
{
    Bundle bundle;
    make_docker_like(bundle);
    bundle.expect("readlink /proc/self/cwd; ls /; grep ' - proc ' /proc/self/mountinfo | grep -vc ' /proc'",
                  "/\nbin\ndev\nproc\nsys\ntmp\n0\n", {"--no-pivot"});
}

// A nested user namespace may mount a fresh procfs only while it sees a whole one. Under masks there is none, unless
// the host's is still reachable in the mount namespace.
Test(root_filesystem, the_hosts_procfs_does_not_unmask)
{
    Bundle bundle;
    make_docker_like(bundle);
    std::string attack = "busybox unshare -Urmpf busybox mount -t proc proc /tmp 2>&1 && echo mounted";
    bundle.expect(attack, "mount: permission denied (are you root?)\n");
    bundle.expect(attack, "mount: permission denied (are you root?)\n", {"--no-pivot"});
    bundle.linux_part = "";
    bundle.expect(attack, "mounted\n");
    bundle.expect(attack, "mounted\n", {"--no-pivot"});
}

Test(root_filesystem, without_openat2)
{
    Bundle bundle;
    make_docker_like(bundle);
    bundle.directory("rootfs/real");
    bundle.link("/real", "rootfs/link");
    bundle.directory("volume");
    bundle.write("volume/file", "volume");
    bundle.mounts += fmt::format(R"(, {{"destination": "/link/deep/volume", "type": "bind", "source": "volume"}})");
    bundle.expect("cat /real/deep/volume/file; stat -c ' %t:%T' /dev/null; ls /sys/firmware | wc -l", "volume 1:3\n0\n",
                  {"--no-openat2"});
}

Test(root_filesystem, a_read_only_root)
{
    Bundle bundle;
    bundle.readonly = true;
    bundle.mounts = std::string(docker_mounts);
    bundle.expect("touch /file 2>&1; touch /dev/shm/file && echo shm; touch /dev/file && echo dev",
                  "touch: /file: Read-only file system\nshm\ndev\n");
}

Test(root_filesystem, many_mounts_with_few_descriptors)
{
    Bundle bundle;
    bundle.directory("volume");
    bundle.mounts = proc_mount;
    for (int count = 0; count < 1000; count++)
        bundle.mounts += fmt::format(R"(, {{"destination": "/volumes/{}", "type": "bind", "source": "volume"}})", count);
    bundle.expect("grep -c /volumes/ /proc/self/mountinfo", "1000\n", {"--descriptors", "24"});
}

// ---- /proc and /sys --------------------------------------------------------------------------------------------------------

Test(root_filesystem, proc_goes_onto_an_ordinary_directory)
{
    Bundle bundle;
    bundle.mounts = proc_mount;
    cr_assert_eq(::rmdir(bundle.path("rootfs/proc").c_str()), 0);
    bundle.link("/tmp", "rootfs/proc");
    bundle.expect_refusal("filesystem \"proc\" must be mounted on ordinary directory");
    cr_assert_eq(::unlink(bundle.path("rootfs/proc").c_str()), 0);
    bundle.write("rootfs/proc", "");
    bundle.expect_refusal("filesystem \"proc\" must be mounted on ordinary directory");
    cr_assert_eq(::unlink(bundle.path("rootfs/proc").c_str()), 0);
    bundle.expect("head -c 5 /proc/version", "Linux");
}

Test(root_filesystem, sysfs_behind_a_link)
{
    Bundle bundle;
    bundle.mounts = R"({"destination": "/link/sys", "type": "sysfs", "source": "sysfs"})";
    bundle.link("tmp", "rootfs/link");
    bundle.expect_refusal("filesystem \"sysfs\" must be mounted on ordinary directory");
    cr_expect_not(bundle.has("rootfs/tmp/sys"));
}

Test(root_filesystem, links_do_not_lead_into_proc)
{
    Bundle bundle;
    bundle.directory("volume");
    bundle.link("/proc/self", "rootfs/way");
    for (const char* mount :
         {R"({"destination": "/way/attr", "type": "bind", "source": "volume"})",
          R"({"destination": "/way/attr", "type": "tmpfs", "source": "tmpfs"})",
          R"({"destination": "/way/attr", "type": "cgroup", "source": "cgroup"})",
          R"({"destination": "/way/attr", "type": "cgroup2", "source": "cgroup"})",
          R"({"destination": "/way/attr", "type": "overlay", "source": "o", "options": ["lowerdir=/:/tmp"]})"}) {
        bundle.mounts = fmt::format("{}, {}", proc_mount, mount);
        bundle.expect_refusal("\"/way/attr\" cannot be mounted because it is inside /proc");
    }
}

Test(root_filesystem, only_a_procfs_is_bound_onto_proc)
{
    Bundle bundle;
    bundle.directory("volume");
    bundle.mounts = R"({"destination": "/proc", "type": "bind", "source": "volume"})";
    bundle.expect_refusal("\"/proc\" cannot be mounted because it is not of type proc");
    bundle.mounts = R"({"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]})";
    bundle.expect("head -c 6 /proc/version", "Linux ");
}

Test(root_filesystem, files_of_lxcfs)
{
    Bundle bundle;
    bundle.write("meminfo", "false\n");
    bundle.mounts = fmt::format(R"({}, {{"destination": "/proc/meminfo", "type": "bind", "source": "meminfo"}})", proc_mount);
    bundle.expect("cat /proc/meminfo", "false\n");
}

// ---- masks -----------------------------------------------------------------------------------------------------------------

Test(root_filesystem, masked_paths)
{
    Bundle bundle;
    make_docker_like(bundle);
    bundle.expect("stat -c '%F %t:%T' /proc/timer_list /proc/keys; ls /proc/acpi /sys/firmware | grep -v : ; cat /proc/keys",
                  "character special file 1:3\ncharacter special file 1:3\n\n");
    bundle.expect("mkdir /sys/firmware/x 2>&1; chmod 0 /proc/keys 2>&1; echo data > /proc/keys && echo written; "
                  "grep -e /proc/acpi -e /sys/firmware /proc/self/mountinfo | cut -d' ' -f3 | head -1 > /tmp/first; "
                  "grep /sys/firmware /proc/self/mountinfo | cut -d' ' -f3 | grep -c -f /tmp/first",
                  "mkdir: can't create directory '/sys/firmware/x': Read-only file system\n"
                  "chmod: /proc/keys: Read-only file system\nwritten\n1\n");
}

Test(root_filesystem, an_images_null_device_is_not_used)
{
    Bundle bundle;
    bundle.mounts = proc_mount;
    bundle.linux_part = R"("maskedPaths": ["/proc/keys"])";
    bundle.link("/proc/sys/kernel/core_pattern", "rootfs/dev/null");
    // The image's link is not the node that has to be there.
    bundle.expect_refusal("\"/dev/null\" exists and is not the device c 1:3");
    bundle.directory("dev");
    bundle.link("/proc/sys/kernel/core_pattern", "dev/null");
    bundle.mounts += R"(, {"destination": "/dev", "type": "bind", "source": "dev"})";
    bundle.expect("stat -c '%F %t:%T' /proc/keys", "character special file 1:3\n");
}

Test(root_filesystem, read_only_paths_keep_their_flags)
{
    Bundle bundle;
    make_docker_like(bundle);
    bundle.expect(
        mount_line("/proc/sys")
            + " | cut -d' ' -f1; echo x 2>&1 > /proc/sys/kernel/hostname; "
              "echo 1 > /proc/self/oom_score_adj && echo writable",
        "ro,nosuid,nodev,noexec,relatime\nsh: can't create /proc/sys/kernel/hostname: Read-only file system\nwritable\n");
}

Test(root_filesystem, paths_that_are_not_there_need_no_mask)
{
    Bundle bundle;
    bundle.write("rootfs/file", "");
    bundle.linux_part = R"("maskedPaths": ["/nothing", "/file/below"], "readonlyPaths": ["/nothing", "/file/below"])";
    bundle.expect("echo built", "built\n");
    bundle.link("loop", "rootfs/loop");
    bundle.linux_part = R"("maskedPaths": ["/loop"])";
    bundle.expect_refusal("mask \"/loop\"");
}

// ---- binds -----------------------------------------------------------------------------------------------------------------

Test(root_filesystem, binds_of_files_and_directories)
{
    Bundle bundle;
    bundle.directory("volume");
    bundle.write("volume/file", "text\n");
    bundle.mounts = fmt::format(R"({}, {{"destination": "/new/volume", "type": "bind", "source": "volume", "options": ["ro"]}},
        {{"destination": "/new/file", "type": "none", "source": "{}", "options": ["bind"]}})",
                                proc_mount, bundle.path("volume/file"));
    bundle.expect("cat /new/volume/file /new/file; touch /new/volume/x 2>&1; echo more >> /new/file; cat /new/volume/file",
                  "text\ntext\ntouch: /new/volume/x: Read-only file system\ntext\nmore\n");
    cr_expect_eq(kernel::status_at(kernel::working_directory, bundle.path("rootfs/new/file"), 0)->st_mode & 07777, 0755u);
}

Test(root_filesystem, sources_that_are_missing_or_do_not_fit)
{
    Bundle bundle;
    bundle.write("file", "");
    bundle.mounts = R"({"destination": "/x", "type": "bind", "source": "missing"})";
    bundle.expect_refusal("mounts[0]: error mounting \"" + bundle.path("missing") + "\" to rootfs at \"/x\": open_tree");
    bundle.mounts = R"({"destination": "/tmp", "type": "bind", "source": "file"})";
    bundle.expect_refusal("not a directory (the destination is a directory)");
    bundle.mounts = R"({"destination": "/bin/busybox", "type": "bind", "source": "rootfs"})";
    bundle.expect_refusal("not a directory");
}

Test(root_filesystem, a_bind_that_names_an_attribute_has_those_that_it_names)
{
    Bundle bundle;
    bundle.directory("locked");
    bundle.mounts = proc_mount;
    for (const char* mount : {R"("/kept", "type": "bind", "source": "locked", "options": ["rbind"])",
                              R"("/named", "type": "bind", "source": "locked", "options": ["bind", "ro", "nodev"])",
                              R"("/cleared", "type": "bind", "source": "locked", "options": ["rbind", "rw"])"})
        bundle.mounts += fmt::format(R"(, {{"destination": {}}})", mount);
    std::string options = " | cut -d' ' -f1";
    bundle.expect(mount_line("/kept") + options + "; " + mount_line("/named") + options + "; " + mount_line("/cleared") + options,
                  "rw,nosuid,nodev,noexec,relatime\nro,nodev,relatime\nrw,relatime\n", {"--locked-source"});
}

Test(root_filesystem, recursive_attributes)
{
    Bundle bundle;
    bundle.mounts = fmt::format(
        R"({}, {{"destination": "/top", "type": "bind", "source": "/dev", "options": ["rbind", "ro"]}},
           {{"destination": "/all", "type": "bind", "source": "/dev", "options": ["rbind", "rro", "rnoexec"]}})",
        proc_mount);
    bundle.expect(
        "touch /top/shm/brig-test && echo writable; rm -f /top/shm/brig-test; touch /top/x 2>&1; touch /all/shm/x 2>&1; "
        "grep ' /all' /proc/self/mountinfo | grep -vc ' ro,.*noexec'",
        "writable\ntouch: /top/x: Read-only file system\ntouch: /all/shm/x: Read-only file system\n0\n");
}

Test(root_filesystem, propagation_of_binds)
{
    Bundle bundle;
    bundle.directory("volume");
    bundle.mounts = fmt::format(
        R"({}, {{"destination": "/a", "type": "bind", "source": "volume", "options": ["rbind", "rprivate"]}},
           {{"destination": "/b", "type": "bind", "source": "volume", "options": ["rbind", "ro", "rshared"]}},
           {{"destination": "/c", "type": "bind", "source": "volume", "options": ["bind", "unbindable"]}},
           {{"destination": "/d", "type": "bind", "source": "volume", "options": ["bind", "shared", "slave"]}},
           {{"destination": "/e", "type": "tmpfs", "source": "tmpfs", "options": ["shared"]}})",
        proc_mount);
    bundle.expect("for path in a b c d e; do grep \" /$path \" /proc/self/mountinfo | cut -d' ' -f6,7 | cut -d: -f1; done",
                  "rw,relatime -\nro,relatime shared\nrw,relatime unbindable\nrw,relatime -\nrw,relatime shared\n");
}

Test(root_filesystem, links_of_the_image_are_followed_inside)
{
    Bundle bundle;
    bundle.directory("volume");
    bundle.write("volume/file", "volume\n");
    bundle.link("../../../../../../tmp/deep", "rootfs/data");
    bundle.link("/etc/made/by/link", "rootfs/dangling");
    bundle.mounts = R"({"destination": "/data/volume", "type": "bind", "source": "volume"},
        {"destination": "/dangling", "type": "bind", "source": "volume/file"})";
    bundle.expect("cat /tmp/deep/volume/file /etc/made/by/link", "volume\nvolume\n");
    cr_expect(bundle.has("rootfs/tmp/deep/volume"));
}

Test(root_filesystem, links_as_source_and_destination)
{
    Bundle bundle;
    bundle.write("file", "file\n");
    bundle.link("file", "link");
    bundle.link("/bin/target", "rootfs/existing");
    bundle.mounts = fmt::format(
        R"({}, {{"destination": "/copied/link", "type": "bind", "source": "link", "options": ["rbind", "copy-symlink"]}},
           {{"destination": "/plain", "type": "bind", "source": "file", "options": ["bind", "copy-symlink"]}},
           {{"destination": "/followed", "type": "bind", "source": "link", "options": ["bind"]}},
           {{"destination": "/kept", "type": "bind", "source": "link", "options": ["bind", "src-nofollow"]}},
           {{"destination": "/existing", "type": "bind", "source": "file", "options": ["bind", "dest-nofollow"]}})",
        proc_mount);
    bundle.expect("readlink /copied/link; cat /plain /followed; readlink /kept; cat /existing; ls /bin/target 2>&1",
                  "file\nfile\nfile\nfile\nfile\nls: /bin/target: No such file or directory\n");
}

Test(root_filesystem, a_copied_link_does_not_replace)
{
    Bundle bundle;
    bundle.link("file", "link");
    bundle.link("other", "rootfs/link");
    bundle.mounts = R"({"destination": "/link", "type": "bind", "source": "link", "options": ["bind", "copy-symlink"]})";
    bundle.expect_refusal("file exists");
}

Test(root_filesystem, remounts)
{
    Bundle bundle;
    bundle.mounts = fmt::format(
        R"({}, {{"destination": "/a", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]}},
           {{"destination": "/a", "type": "none", "options": ["bind", "remount", "noexec"]}},
           {{"destination": "/b", "type": "tmpfs", "source": "tmpfs"}},
           {{"destination": "/b", "type": "tmpfs", "options": ["remount", "size=4096k"]}})",
        proc_mount);
    bundle.expect(mount_line("/a") + " | cut -d' ' -f1; " + mount_line("/b") + " | grep -c size=4096k",
                  "rw,nosuid,noexec,relatime\n1\n");
    bundle.mounts = R"({"destination": "/tmp", "type": "none", "options": ["bind", "remount", "ro"]})";
    bundle.expect_refusal("\"/tmp\" is not a mount that could be remounted");
}

Test(root_filesystem, id_mapped_binds)
{
    Bundle bundle;
    bundle.directory("volume");
    bundle.write("volume/file", "");
    cr_assert_eq(::chown(bundle.path("volume/file").c_str(), 7, 8), 0);
    bundle.mounts = R"({"destination": "/mapped", "type": "bind", "source": "volume", "options": ["rbind", "idmap"],
        "uidMappings": [{"containerID": 0, "hostID": 3000, "size": 100}],
        "gidMappings": [{"containerID": 0, "hostID": 4000, "size": 100}]})";
    bundle.expect("stat -c %u:%g /mapped/file; touch /mapped/x 2>&1",
                  "3007:4008\ntouch: /mapped/x: Value too large for defined data type\n");
}

// ---- file systems ----------------------------------------------------------------------------------------------------------

Test(root_filesystem, the_mode_of_a_tmpfs_is_that_of_an_existing_directory)
{
    Bundle bundle;
    bundle.directory("rootfs/existing", 02710);
    bundle.directory("rootfs/said", 0710);
    bundle.mounts = R"({"destination": "/existing", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/said", "type": "tmpfs", "source": "tmpfs", "options": ["mode=0705,size=1m"]},
        {"destination": "/new", "type": "tmpfs", "source": "tmpfs"})";
    bundle.expect("stat -c %a /existing /said /new", "2710\n705\n1777\n");
}

Test(root_filesystem, tmpcopyup)
{
    Bundle bundle;
    bundle.directory("rootfs/data/inner", 0700);
    bundle.write("rootfs/data/inner/file", "original\n", 0640);
    bundle.link("inner/file", "rootfs/data/link");
    bundle.mounts = R"({"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "ro"]})";
    bundle.readonly = true;
    bundle.expect("cat /data/link; stat -c %a /data/inner /data/inner/file; touch /data/x 2>&1",
                  "original\n700\n640\ntouch: /data/x: Read-only file system\n");
    bundle.mounts = R"({"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]})";
    bundle.expect("echo changed > /data/inner/file; cat /data/link", "changed\n");
    cr_expect(bundle.read("rootfs/data/inner/file") == "original\n");
}

Test(root_filesystem, a_read_only_dev_still_gets_its_devices)
{
    Bundle bundle;
    bundle.directory("volume");
    bundle.mounts = R"({"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "mode=755"]},
        {"destination": "/dev/volume", "type": "bind", "source": "volume"})";
    bundle.expect("touch /dev/x 2>&1; echo > /dev/null; touch /dev/volume/x && ls /dev | grep -v core",
                  "touch: /dev/x: Read-only file "
                  "system\nfd\nfull\nnull\nptmx\nrandom\nstderr\nstdin\nstdout\ntty\nurandom\nvolume\nzero\n");
}

Test(root_filesystem, a_long_list_of_layers)
{
    Bundle bundle;
    std::string layers;
    for (int count = 0; count < 40; count++) {
        std::string name = fmt::format("layers/with-a-rather-long-name-{}", count);
        bundle.directory(name);
        bundle.write(name + fmt::format("/file{}", count), "");
        layers += (count == 0 ? "" : ":") + bundle.path(name);
    }
    bundle.mounts = fmt::format(
        R"({}, {{"destination": "/merged", "type": "overlay", "source": "overlay", "options": ["lowerdir={}", "nodev", "rslave"]}})",
        proc_mount, layers);
    bundle.expect("ls /merged | wc -l; " + mount_line("/merged") + " | cut -d' ' -f1", "40\nrw,nodev,relatime\n");
}

Test(root_filesystem, wrong_options_are_told_with_the_file_systems_words)
{
    Bundle bundle;
    bundle.mounts = R"({"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": ["nonsense=1"]})";
    bundle.expect_refusal(
        "mounts[0]: error mounting \"tmpfs\" to rootfs at \"/x\": fsconfig set nonsense=\"1\" of file system tmpfs: "
        "tmpfs: Unknown parameter "
        "'nonsense': invalid argument");
    bundle.mounts = R"({"destination": "/x", "type": "nosuchfs", "source": "x"})";
    bundle.expect_refusal("this kernel does not know the file system type");
}

// The superblock of sysfs belongs to the network namespace: another container there may want to write.
Test(root_filesystem, read_only_does_not_spread_to_a_shared_superblock)
{
    Bundle bundle;
    bundle.mounts = fmt::format(R"({}, {{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]}},
        {{"destination": "/writable", "type": "sysfs", "source": "sysfs"}},
        {{"destination": "/host-dev", "type": "devtmpfs", "source": "dev", "options": ["ro"]}})",
                                proc_mount);
    bundle.linux_part = R"("namespaces": [])";
    bundle.expect("for path in /sys /writable; do grep \" $path \" /proc/self/mountinfo | grep -c 'sysfs rw'; done; "
                  "mkdir /sys/x 2>&1; mkdir /writable/x 2>&1; mkdir /host-dev/brig-test 2>&1",
                  "1\n1\nmkdir: can't create directory '/sys/x': Read-only file system\n"
                  "mkdir: can't create directory '/writable/x': Operation not permitted\n"
                  "mkdir: can't create directory '/host-dev/brig-test': Read-only file system\n");
    cr_assert_eq(::mkdir("/dev/brig-test", 0755), 0, "the host's /dev is still writable");
    cr_assert_eq(::rmdir("/dev/brig-test"), 0);
}

// ---- devices ---------------------------------------------------------------------------------------------------------------

Test(root_filesystem, devices)
{
    Bundle bundle;
    make_docker_like(bundle);
    bundle.linux_part = R"("devices": [{"path": "/dev/deep/er/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 384,
        "uid": 12, "gid": 34}, {"path": "/dev/pipe", "type": "p"}, {"path": "/dev/full", "type": "c", "major": 1, "minor": 7,
        "fileMode": 438}])";
    bundle.expect(
        "stat -c '%n %F %a %u:%g %t:%T' /dev/null /dev/tty /dev/deep/er/zero /dev/pipe; readlink /dev/ptmx; readlink /dev/fd; "
        "head -c 3 /dev/zero | wc -c",
        "/dev/null character special file 666 0:0 1:3\n/dev/tty character special file 666 0:0 5:0\n"
        "/dev/deep/er/zero character special file 600 12:34 1:5\n/dev/pipe fifo 666 0:0 0:0\n"
        "pts/ptmx\n/proc/self/fd\n3\n");
}

Test(root_filesystem, devices_of_the_image)
{
    Bundle bundle;
    auto null = kernel::make_node(kernel::working_directory, bundle.path("rootfs/dev/null"), S_IFCHR | 0666, 0x103);
    cr_assert(null.has_value());
    bundle.write("rootfs/dev/ptmx", "");
    bundle.expect("stat -c %t:%T /dev/null; readlink /dev/ptmx", "1:3\npts/ptmx\n");
    bundle.write("rootfs/dev/full", "");
    cr_assert_eq(::unlink(bundle.path("rootfs/dev/zero").c_str()), 0);
    cr_assert_eq(::unlink(bundle.path("rootfs/dev/full").c_str()), 0);
    bundle.write("rootfs/dev/full", "");
    bundle.expect_refusal("make device \"/dev/full\": \"/dev/full\" exists and is not the device c 1:7");
}

Test(root_filesystem, the_hosts_ptmx_stays)
{
    Bundle bundle;
    bundle.directory("host");
    bundle.mounts = R"({"destination": "/host", "type": "bind", "source": "/dev"})";
    cr_assert_eq(::rmdir(bundle.path("rootfs/dev").c_str()), 0);
    bundle.link("host", "rootfs/dev");
    auto before = kernel::status_at(kernel::working_directory, "/dev/ptmx", AT_SYMLINK_NOFOLLOW);
    bundle.expect("echo built", "built\n");
    auto after = kernel::status_at(kernel::working_directory, "/dev/ptmx", AT_SYMLINK_NOFOLLOW);
    cr_assert(before.has_value() && after.has_value());
    cr_expect_eq(before->st_ino, after->st_ino);
}

Test(root_filesystem, dev_as_a_link_stays_inside)
{
    Bundle bundle;
    cr_assert_eq(::rmdir(bundle.path("rootfs/dev").c_str()), 0);
    bundle.link("../../../../../../../../tmp/devices", "rootfs/dev");
    bundle.expect("stat -c %t:%T /tmp/devices/null", "1:3\n");
    cr_expect(bundle.has("rootfs/tmp/devices/null"));
}

Test(root_filesystem, a_bound_dev_is_not_filled)
{
    Bundle bundle;
    bundle.directory("dev");
    bundle.mounts = R"({"destination": "/dev", "type": "bind", "source": "dev"})";
    bundle.expect("ls /dev | wc -l", "0\n");
}

Test(root_filesystem, the_console)
{
    Bundle bundle;
    make_docker_like(bundle);
    bundle.expect("stat -c %t:%T /dev/console; " + mount_line("/dev/console") + " | cut -d' ' -f3-4", "88:0\ndevpts devpts\n",
                  {"--console"});
    bundle.mounts = fmt::format(
        R"({}, {{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]}})",
        proc_mount);
    bundle.link("/tmp/console", "rootfs/dev/console");
    bundle.expect_refusal("/dev/console is a link or a directory", {"--console"});
    cr_expect_not(bundle.has("rootfs/tmp/console"));
}

// ---- cgroups ---------------------------------------------------------------------------------------------------------------

Test(root_filesystem, cgroups_in_a_namespace_of_their_own)
{
    Bundle bundle;
    make_docker_like(bundle);
    // Each view must be the container's own cgroup as root: /proc/1/cgroup says "/", and the process is listed there.
    Outcome outcome = bundle.run({"--cgroup"}, "for line in $(cut -d: -f2 /proc/self/cgroup); do name=${line#name=}; "
                                               "grep -q '^1$' /sys/fs/cgroup/$name/cgroup.procs || echo \"no $name\"; done; "
                                               "touch /sys/fs/cgroup/x 2>&1; ls /sys/fs/cgroup | wc -l");
    cr_expect_eq(outcome.code, 0);
    cr_expect_not(contains(outcome.output, "no "), "%s", outcome.output.c_str());
    cr_expect(contains(outcome.output, "Read-only file system"), "%s", outcome.output.c_str());
}

Test(root_filesystem, cgroups_without_namespace_are_the_own_directories)
{
    Bundle bundle;
    make_docker_like(bundle);
    Outcome outcome = bundle.run({}, "for line in $(cut -d: -f2 /proc/self/cgroup); do name=${line#name=}; "
                                     "grep -q '^1$' /sys/fs/cgroup/$name/cgroup.procs || echo \"no $name\"; done");
    cr_expect_eq(outcome.code, 0);
    cr_expect_str_eq(outcome.output.c_str(), "");
}

Test(root_filesystem, cgroup2_by_its_own_name)
{
    Bundle bundle;
    bundle.mounts = fmt::format(
        R"({}, {{"destination": "/cgroup", "type": "cgroup2", "source": "cgroup", "options": ["ro", "nosuid"]}})", proc_mount);
    std::string command = "grep -c '^1$' /cgroup/cgroup.procs; " + mount_line("/cgroup") + " | cut -d' ' -f1,3";
    bundle.expect(command, "1\nro,nosuid,relatime cgroup2\n", {"--cgroup"});
    bundle.expect("grep -c '^1$' /cgroup/cgroup.procs; touch /cgroup/x 2>&1", "1\ntouch: /cgroup/x: Read-only file system\n");
}

// ---- user namespaces -------------------------------------------------------------------------------------------------------

Test(root_filesystem, in_a_user_namespace)
{
    Bundle bundle;
    make_docker_like(bundle);
    give_to_mapped_root(bundle);
    bundle.linux_part += fmt::format(", {}", user_mappings);
    bundle.expect(
        "stat -c '%F %t:%T' /dev/null /dev/tty /proc/keys; echo x > /dev/null && echo written; head -c 3 /dev/zero | wc -c; "
        "mkdir /sys/firmware/x 2>&1; touch /dev/shm/x && echo shm; readlink /proc/self/cwd; stat -c %t:%T /dev/console",
        "character special file 1:3\ncharacter special file 5:0\ncharacter special file 1:3\nwritten\n3\n"
        "mkdir: can't create directory '/sys/firmware/x': Read-only file system\nshm\n/\n88:0\n",
        {"--user", "--cgroup", "--console"});
}

Test(root_filesystem, sysfs_needs_a_network_namespace_in_a_user_namespace)
{
    Bundle bundle;
    make_docker_like(bundle);
    give_to_mapped_root(bundle);
    bundle.linux_part = user_mappings;
    bundle.expect_refusal("sysfs needs a network namespace of the container's own", {"--user", "--no-network"});
}

Test(root_filesystem, binds_are_no_peers_of_the_hosts_mounts)
{
    Bundle bundle;
    give_to_mapped_root(bundle);
    bundle.directory("locked");
    bundle.linux_part = user_mappings;
    bundle.mounts =
        fmt::format(R"({}, {{"destination": "/bound", "type": "bind", "source": "locked", "options": ["rbind"]}})", proc_mount);
    std::string peers = mount_line("/bound") + " | cut -d' ' -f2 | cut -d: -f1";
    bundle.expect(peers, "master\n", {"--user", "--locked-source"});
    bundle.expect(peers, "master\n", {"--user", "--locked-source", "--inner-sources"});
    bundle.linux_part = "";
    bundle.mounts += R"(, {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"})";
    bundle.expect(peers, "master\n", {"--locked-source"});
    // The positive control: with a shared root they are.
    bundle.linux_part = R"("rootfsPropagation": "shared")";
    bundle.expect(peers, "shared\n", {"--locked-source"});
}

Test(root_filesystem, locked_flags_are_kept)
{
    Bundle bundle;
    give_to_mapped_root(bundle);
    bundle.linux_part = user_mappings;
    bundle.directory("locked");
    std::string mount = R"({{"destination": "/locked", "type": "bind", "source": "locked", "options": ["rbind", "{}"]}})";
    bundle.mounts = fmt::format("{}, {}", proc_mount, fmt::format(fmt::runtime(mount), "ro"));
    std::string options = mount_line("/locked") + " | cut -d' ' -f1";
    bundle.expect(options, "ro,relatime\n", {"--locked-source"});
    bundle.expect(options, "ro,nosuid,nodev,noexec,relatime\n", {"--user", "--locked-source", "--inner-sources"});
    bundle.mounts = fmt::format(fmt::runtime(mount), "suid");
    bundle.expect_refusal("has a flag that this user namespace may not take away",
                          {"--user", "--locked-source", "--inner-sources"});
}

Test(root_filesystem, without_pivot_in_a_user_namespace)
{
    Bundle bundle;
    make_docker_like(bundle);
    give_to_mapped_root(bundle);
    bundle.linux_part = user_mappings;
    bundle.expect("readlink /proc/self/cwd; echo built", "/\nbuilt\n", {"--user", "--cgroup", "--no-pivot"});
}
