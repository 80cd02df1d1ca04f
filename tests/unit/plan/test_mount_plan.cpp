#include "base/text.hpp"
#include "plan/mount_plan.hpp"

#include <algorithm>
#include <criterion/criterion.h>
#include <sys/mount.h>

using namespace brig;
using namespace brig::plan;

namespace {

struct Request {
    spec::Spec spec;
    HostFacts facts;
    RootSwitch root_switch = RootSwitch::pivot_root;

    Request()
    {
        spec.root = spec::Root{"rootfs", false};
        spec.linux = spec::Linux{};
        facts.cgroup_layout = CgroupLayout::v2;
        facts.effective_capabilities = ~uint64_t{0};
    }
    Request& mount(const std::string& destination, const std::string& type, const std::string& source,
                   const std::vector<std::string>& options = {})
    {
        spec.mounts.push_back({destination, type, source, options, {}, {}});
        return *this;
    }
    Result<RootFilesystem> plan() const { return make_root_plan(spec, "/bundle", root_switch, facts); }
    RootFilesystem planned() const
    {
        auto root = plan();
        cr_assert(root.has_value(), "%s", root ? "" : root.error().message().c_str());
        return *root;
    }
    std::string refusal(ErrorKind kind = ErrorKind::invalid) const
    {
        auto root = plan();
        cr_assert_not(root.has_value());
        cr_expect_eq(root.error().kind(), kind);
        return root.error().message();
    }
};

void expect_text(const std::string& found, const std::string& expected)
{
    cr_expect_str_eq(found.c_str(), expected.c_str());
}

const DeviceNode* find_device(const RootFilesystem& root, const std::string& path)
{
    auto found = std::ranges::find(root.devices, path, &DeviceNode::path);
    return found == root.devices.end() ? nullptr : &*found;
}

} // namespace

// ---- root ----------------------------------------------------------------------------------------------------------------

Test(mount_plan, a_relative_root_is_below_the_bundle)
{
    Request request;
    expect_text(request.planned().host_path, "/bundle/rootfs");
    request.spec.root->path = "../other/./rootfs";
    expect_text(request.planned().host_path, "/other/rootfs");
    request.spec.root->path = "/absolute//rootfs/";
    request.spec.root->readonly = true;
    request.root_switch = RootSwitch::move_mount;
    auto root = request.planned();
    expect_text(root.host_path, "/absolute/rootfs");
    cr_expect(root.readonly);
    cr_expect_eq(root.root_switch, RootSwitch::move_mount);
}

Test(mount_plan, a_root_is_needed)
{
    Request request;
    request.spec.root.reset();
    expect_text(request.refusal(), "root.path is missing");
    request.spec.root = spec::Root{};
    expect_text(request.refusal(), "root.path is missing");
}

Test(mount_plan, propagation)
{
    Request request;
    auto root = request.planned();
    cr_expect_eq(root.propagation, static_cast<uint64_t>(MS_SLAVE));
    cr_expect(root.propagation_recursive);
    request.spec.linux->rootfs_propagation = "shared";
    root = request.planned();
    cr_expect_eq(root.propagation, static_cast<uint64_t>(MS_SHARED));
    cr_expect_not(root.propagation_recursive);
    request.spec.linux->rootfs_propagation = "runbindable";
    root = request.planned();
    cr_expect_eq(root.propagation, static_cast<uint64_t>(MS_UNBINDABLE));
    cr_expect(root.propagation_recursive);
    request.spec.linux->rootfs_propagation = "everything";
    cr_expect(contains(request.refusal(), "rootfsPropagation \"everything\" is not known"));
}

// ---- mounts --------------------------------------------------------------------------------------------------------------

Test(mount_plan, kinds)
{
    Request request;
    request.mount("/proc", "proc", "proc")
        .mount("/a", "bind", "/source")
        .mount("/b", "none", "/source", {"rbind", "ro"})
        .mount("/c", "", "/source", {"bind"})
        .mount("/sys/fs/cgroup", "cgroup", "cgroup")
        .mount("/d", "cgroup2", "cgroup2")
        .mount("/e", "cgroup", "/source", {"rbind"});
    auto mounts = request.planned().mounts;
    const MountKind expected[] = {MountKind::file_system, MountKind::bind,      MountKind::bind, MountKind::bind,
                                  MountKind::cgroup_v2,   MountKind::cgroup_v2, MountKind::bind};
    for (size_t index = 0; index < std::size(expected); index++) {
        cr_expect_eq(mounts[index].kind, expected[index], "mounts[%zu]", index);
        cr_expect_eq(mounts[index].spec_index, index);
    }
    cr_expect(mounts[1].options.bind, "type bind alone is a bind");
    cr_expect_not(mounts[1].options.recursive_bind);
    cr_expect(mounts[2].options.recursive_bind);
}

Test(mount_plan, the_cgroup_layout_decides_what_type_cgroup_is)
{
    Request request;
    request.mount("/sys/fs/cgroup", "cgroup", "cgroup");
    request.facts.cgroup_layout = CgroupLayout::v1;
    cr_expect_eq(request.planned().mounts[0].kind, MountKind::cgroup_v1);
    request.facts.cgroup_layout = CgroupLayout::hybrid;
    cr_expect_eq(request.planned().mounts[0].kind, MountKind::cgroup_v1);
    request.facts.cgroup_layout = CgroupLayout::none;
    cr_expect(contains(request.refusal(ErrorKind::not_supported), "this host has no cgroups"));
}

Test(mount_plan, mounts_after_the_first_cgroup_wait_for_the_cgroup)
{
    Request request;
    request.mount("/proc", "proc", "proc").mount("/dev", "tmpfs", "tmpfs");
    cr_expect_eq(request.planned().mounts_before_cgroup, 2u);
    request.mount("/sys/fs/cgroup", "cgroup", "cgroup").mount("/data", "bind", "/data");
    cr_expect_eq(request.planned().mounts_before_cgroup, 2u);
}

Test(mount_plan, paths_become_absolute)
{
    Request request;
    request.mount("data/../data//x/", "bind", "volumes/x").mount("/y", "tmpfs", "tmpfs").mount("/y", "tmpfs", "again");
    auto mounts = request.planned().mounts;
    expect_text(mounts[0].destination, "/data/x");
    expect_text(mounts[0].host_source, "/bundle/volumes/x");
    expect_text(mounts[2].host_source, "again");
    cr_expect_eq(mounts.size(), 3u, "the same destination twice is allowed");
}

Test(mount_plan, incomplete_mounts)
{
    expect_text(Request().mount("/a", "bind", "").refusal(), "mounts[0] \"/a\": a bind mount needs a source");
    cr_expect(contains(Request().mount("", "tmpfs", "tmpfs").refusal(), "a mount needs a destination"));
    cr_expect(contains(Request().mount("/a", "", "x").refusal(), "a mount needs a type"));
    cr_expect(contains(Request().mount("/p", "proc", "proc").mount("/a", "bind", "/b", {"ro", "size=1"}).refusal(),
                       "mounts[1] \"/a\": bind mounts cannot have any filesystem-specific options applied: \"size=1\""));
    cr_expect(contains(Request().mount("/a", "overlay", "x", {"tmpcopyup"}).refusal(), "tmpcopyup"));
    cr_expect(contains(Request().mount("/a", "tmpfs", "x", {"copy-symlink"}).refusal(), "copy-symlink"));
}

Test(mount_plan, a_remount_needs_no_source)
{
    auto root = Request().mount("/a", "bind", "", {"bind", "remount", "ro"}).planned();
    cr_expect(root.mounts[0].options.remount);
    cr_expect_eq(root.mounts[0].kind, MountKind::bind);
}

// ---- /proc ---------------------------------------------------------------------------------------------------------------

Test(mount_plan, only_lxcfs_files_may_be_bound_inside_proc)
{
    for (const char* path : {"/proc/cpuinfo", "/proc/meminfo", "/proc/uptime", "/proc/net/dev", "/proc/../proc/stat"})
        (void)Request().mount(path, "bind", "/lxcfs/file").planned();
    for (const char* path : {"/proc/self/attr", "/proc/sys", "/proc/cpuinfo/x", "proc/1", "/x/../proc/sysrq-trigger"})
        cr_expect(contains(Request().mount(path, "bind", "/file").refusal(), "because it is inside /proc"), "%s", path);
    cr_expect(contains(Request().mount("/proc/cpuinfo", "tmpfs", "tmpfs").refusal(), "because it is inside /proc"));
    (void)Request().mount("/process", "tmpfs", "tmpfs").planned();
}

Test(mount_plan, proc_itself_is_for_proc)
{
    (void)Request().mount("/proc", "proc", "proc").planned();
    (void)Request().mount("/proc", "bind", "/proc").planned(); // whether the source is one is seen when it is opened
    for (const char* type : {"tmpfs", "sysfs", "cgroup"})
        expect_text(Request().mount("/proc/", type, "x").refusal(),
                    "mounts[0] \"/proc/\": \"/proc\" cannot be mounted because it is not of type proc");
}

// ---- id mappings -----------------------------------------------------------------------------------------------------------

Test(mount_plan, idmap_takes_the_containers_mappings)
{
    Request request;
    request.mount("/a", "bind", "/a", {"rbind", "ridmap"});
    cr_expect(contains(request.refusal(), "the option idmap needs a mapping"));
    request.spec.linux->uid_mappings = {{0, 1000, 10}};
    request.spec.linux->gid_mappings = {{0, 2000, 10}};
    auto mount = request.planned().mounts[0];
    cr_assert_eq(mount.uid_mappings.size(), 1u);
    cr_expect_eq(mount.uid_mappings[0].host_id, 1000u);
    cr_expect_eq(mount.gid_mappings[0].host_id, 2000u);
    cr_expect(mount.options.recursive_idmap);
    request.facts.in_user_namespace = true;
    cr_expect(contains(request.refusal(ErrorKind::not_supported), "an id-mapped mount needs root"));
}

Test(mount_plan, mappings_of_a_mount_are_its_own)
{
    Request request;
    request.mount("/a", "bind", "/a", {"bind"}).mount("/b", "bind", "/b");
    request.spec.linux->uid_mappings = {{0, 1000, 10}};
    request.spec.linux->gid_mappings = {{0, 2000, 10}};
    request.spec.mounts[0].uid_mappings = {{0, 5000, 1}};
    cr_expect(contains(request.refusal(), "must come together"));
    request.spec.mounts[0].gid_mappings = {{0, 6000, 1}};
    auto mounts = request.planned().mounts;
    cr_expect(mounts[0].options.idmap);
    cr_expect_not(mounts[0].options.recursive_idmap);
    cr_expect_eq(mounts[0].uid_mappings[0].host_id, 5000u);
    cr_expect(mounts[1].uid_mappings.empty(), "without the option a mount is not mapped");
}

Test(mount_plan, the_group_of_devpts_must_be_mapped)
{
    Request request;
    request.mount("/dev/pts", "devpts", "devpts", {"newinstance", "gid=5"});
    (void)request.planned();
    request.spec.linux->gid_mappings = {{0, 1000, 5}};
    cr_expect(contains(request.refusal(), "devpts option gid=5 names a group that linux.gidMappings does not map"));
    request.spec.linux->gid_mappings = {{0, 1000, 1}, {5, 100005, 1}};
    (void)request.planned();
}

// ---- devices ---------------------------------------------------------------------------------------------------------------

Test(mount_plan, default_devices_and_links)
{
    auto root = Request().planned();
    cr_expect(root.populate_dev);
    cr_expect_not(root.bind_devices);
    cr_expect_eq(root.devices.size(), 6u);
    const DeviceNode* null = find_device(root, "/dev/null");
    cr_assert_not_null(null);
    cr_expect_eq(null->major, 1u);
    cr_expect_eq(null->minor, 3u);
    cr_expect_eq(null->mode, 0666u);
    auto ptmx = std::ranges::find(root.links, "/dev/ptmx", &Link::path);
    cr_assert(ptmx != root.links.end());
    expect_text(ptmx->target, "pts/ptmx");
    cr_expect_eq(root.links.size(), 6u);
}

Test(mount_plan, devices_of_the_specification)
{
    Request request;
    request.spec.linux->devices = {{'b', "/dev/disk", 8, 16, 0660, 3, 6},
                                   {'u', "dev/serial", 4, 64, {}, {}, {}},
                                   {'p', "/dev/pipe", 7, 7, 0100644, {}, {}},
                                   {'c', "/dev/null", 1, 5, 0600, {}, {}},
                                   {'c', "/dev/ptmx", 5, 2, {}, {}, {}}};
    auto root = request.planned();
    cr_expect_eq(root.devices.size(), 9u);
    const DeviceNode* disk = find_device(root, "/dev/disk");
    cr_assert_not_null(disk);
    cr_expect_eq(disk->type, 'b');
    cr_expect_eq(disk->mode, 0660u);
    cr_expect_eq(disk->uid, 3u);
    cr_expect_eq(disk->gid, 6u);
    const DeviceNode* serial = find_device(root, "/dev/serial");
    cr_assert_not_null(serial);
    cr_expect_eq(serial->type, 'c');
    cr_expect_eq(serial->mode, 0666u);
    const DeviceNode* pipe = find_device(root, "/dev/pipe");
    cr_assert_not_null(pipe);
    cr_expect_eq(pipe->mode, 0644u, "only the permission bits");
    cr_expect_eq(pipe->major, 0u);
    cr_expect_eq(find_device(root, "/dev/null")->minor, 5u, "the specification's device replaces the default one");
    cr_expect_null(find_device(root, "/dev/ptmx"));
}

Test(mount_plan, wrong_devices)
{
    Request request;
    request.spec.linux->devices = {{'x', "/dev/x", 1, 1, {}, {}, {}}};
    cr_expect(contains(request.refusal(), "linux.devices[0]: \"x\" is not a type of device"));
    request.spec.linux->devices = {{'c', "", 1, 1, {}, {}, {}}};
    cr_expect(contains(request.refusal(), "a device needs a path"));
    request.spec.linux->devices = {{'c', "/dev/x", -1, 1, {}, {}, {}}};
    cr_expect(contains(request.refusal(), "no device has the numbers -1:1"));
}

Test(mount_plan, a_bound_dev_is_left_alone)
{
    auto root = Request().mount("/dev/", "bind", "/dev", {"rbind"}).planned();
    cr_expect_not(root.populate_dev);
    cr_expect(root.devices.empty());
    cr_expect(root.links.empty());
    cr_expect_not(Request().mount("/dev", "devtmpfs", "dev").planned().populate_dev, "it is the host's own");
    cr_expect(Request().mount("/dev", "tmpfs", "tmpfs").planned().populate_dev);
    cr_expect(Request().mount("/dev/shm", "bind", "/x").planned().populate_dev);
}

Test(mount_plan, user_namespaces_bind_their_devices)
{
    Request request;
    request.spec.linux->namespaces = {{spec::NamespaceType::user, ""}};
    cr_expect(request.planned().bind_devices);
    request.spec.linux->namespaces = {{spec::NamespaceType::user, "/proc/1/ns/user"}};
    cr_expect(request.planned().bind_devices);
    request.spec.linux->namespaces = {{spec::NamespaceType::pid, ""}};
    cr_expect_not(request.planned().bind_devices);
    request.facts.in_user_namespace = true;
    cr_expect(request.planned().bind_devices);
}

// ---- masks -----------------------------------------------------------------------------------------------------------------

Test(mount_plan, masked_and_readonly_paths)
{
    Request request;
    request.spec.linux->masked_paths = {"/proc/kcore", "/sys/firmware/"};
    request.spec.linux->readonly_paths = {"/proc//sys"};
    request.spec.linux->mount_label = "system_u:object_r:container_file_t:s0:c1,c2";
    auto root = request.planned();
    expect_text(join(root.masked_paths, " "), "/proc/kcore /sys/firmware");
    expect_text(join(root.readonly_paths, " "), "/proc/sys");
    expect_text(root.mount_label, "system_u:object_r:container_file_t:s0:c1,c2");
    request.spec.linux->masked_paths = {"proc/kcore"};
    expect_text(request.refusal(), "linux.maskedPaths: \"proc/kcore\" is not an absolute path");
    request.spec.linux->masked_paths = {};
    request.spec.linux->readonly_paths = {""};
    expect_text(request.refusal(), "linux.readonlyPaths: \"\" is not an absolute path");
}
