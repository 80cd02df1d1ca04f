#include "plan/plan_document.hpp"

#include <criterion/criterion.h>
#include <sched.h>
#include <sys/mount.h>

using namespace brig;
using namespace brig::plan;

namespace {

Mount proc_mount()
{
    Mount mount;
    mount.destination = "/proc";
    mount.type = "proc";
    mount.host_source = "proc";
    mount.options = *spec::parse_mount_options({"nosuid", "noexec", "ro", "hidepid=2", "rslave"});
    return mount;
}

Mount data_mount()
{
    Mount mount;
    mount.kind = MountKind::bind;
    mount.destination = "/data";
    mount.host_source = "/srv/my data";
    mount.options = *spec::parse_mount_options({"rbind", "rro"});
    mount.uid_mappings = {{0, 1000, 1}};
    return mount;
}

Plan some_plan()
{
    Plan plan;
    plan.id = "c1";
    plan.host_bundle = "/bundles/c1";
    plan.warnings = {"CAP_SYS_TIME is not ours to give"};
    plan.namespaces.new_flags = CLONE_NEWNS | CLONE_NEWPID;
    plan.namespaces.new_cgroup_namespace = true;
    plan.namespaces.joins = {{spec::NamespaceType::network, "/proc/7/ns/net"}};
    plan.cgroup.driver = CgroupDriver::file_system;
    plan.cgroup.filter_devices = true;
    plan.cgroup.directories = {{"/sys/fs/cgroup",
                                "/brig/c1",
                                {"memory", "pids"},
                                {{"memory.max", "1048576", false}, {"memory.swap.max", "0", true}},
                                true}};
    plan.cgroup.device_rules = {{false, 'a', {}, {}, ""}, {true, 'c', 1, 3, "rw"}, {true, 'c', 136, -1, "m"}};
    plan.root.host_path = "/bundles/c1/rootfs";
    plan.root.propagation = MS_SLAVE | MS_REC;
    plan.root.mounts = {proc_mount(), data_mount()};
    plan.root.populate_dev = true;
    plan.root.devices = {{"/dev/null", 'c', 1, 3, 0666, 0, 0}};
    plan.root.links = {{"/dev/fd", "/proc/self/fd"}};
    plan.root.masked_paths = {"/proc/kcore"};
    plan.process.args = {"sh", "-c", "echo a b"};
    plan.process.cwd = "/";
    plan.process.uid = 5;
    plan.process.capabilities.bounding = 1 << 10 | 1;
    plan.process.rlimits = {{"RLIMIT_NOFILE", 7, 1024, UINT64_MAX}};
    plan.sysctls = {{"net/ipv4/ip_forward", "1"}};
    return plan;
}

std::string words(JsonView array)
{
    std::string text;
    for (size_t index = 0; index < array.size(); ++index)
        text += (index > 0 ? " " : "") + array.at(index).string();
    return text;
}

} // namespace

Test(plan_document, namespaces)
{
    Json document = plan_document(some_plan());
    auto namespaces = document.view().member("namespaces");
    std::string made = words(namespaces.member("new"));
    for (const char* name : {"mount", "pid", "cgroup"})
        cr_expect(made.find(name) != std::string::npos, "%s", made.c_str());
    cr_expect(made.find("network") == std::string::npos);
    cr_expect(namespaces.member("joined").at(0).to_text() == R"({"type":"network","path":"/proc/7/ns/net"})", "%s",
              namespaces.to_text().c_str());
    cr_expect(namespaces.member("uidMappings").is_null());
}

Test(plan_document, cgroup_has_every_write)
{
    Json document = plan_document(some_plan());
    auto cgroup = document.view().member("cgroup");
    auto directory = cgroup.member("directories").at(0);
    cr_expect(directory.member("path").string() == "/sys/fs/cgroup/brig/c1");
    cr_expect(*directory.member("version").signed_integer() == 2);
    cr_expect(directory.member("writes").at(0).to_text() == R"({"file":"memory.max","value":"1048576"})");
    cr_expect(directory.member("writes").at(1).member("optional").boolean());
    cr_expect(cgroup.member("deviceControl").string() == "eBPF");
    cr_expect(words(cgroup.member("deviceRules")) == "deny a *:* rwm allow c 1:3 rw allow c 136:* m");
}

Test(plan_document, mounts_are_in_words_of_the_kernel)
{
    Json document = plan_document(some_plan());
    auto root = document.view().member("root");
    cr_expect(root.member("propagation").string() == "rslave", "%s", root.to_text().c_str());
    auto proc = root.member("mounts").at(0);
    cr_expect(words(proc.member("attributes")) == "ro nosuid noexec", "%s", proc.to_text().c_str());
    cr_expect(words(proc.member("superblock")) == "ro");
    cr_expect(words(proc.member("data")) == "hidepid=2");
    cr_expect(words(proc.member("propagation")) == "rslave");
    auto data = root.member("mounts").at(1);
    cr_expect(data.member("kind").string() == "bind" && data.member("recursive").boolean());
    cr_expect(words(data.member("recursiveAttributes")) == "ro");
    cr_expect(data.member("superblock").is_null());
    cr_expect(*data.member("uidMappings").at(0).member("hostID").signed_integer() == 1000);
}

Test(plan_document, process)
{
    Json document = plan_document(some_plan());
    auto process = document.view().member("process");
    cr_expect(words(process.member("capabilities").member("bounding")) == "CAP_CHOWN CAP_NET_BIND_SERVICE");
    cr_expect(process.member("rlimits").at(0).to_text() == R"({"type":"RLIMIT_NOFILE","soft":1024,"hard":"unlimited"})");
    cr_expect(*process.member("user").member("uid").signed_integer() == 5);
    cr_expect(process.member("user").member("umask").string() == "0022");
}

Test(plan_document, no_devices_are_listed_that_are_not_made)
{
    Plan plan = some_plan();
    plan.root.populate_dev = false;
    cr_expect(plan_document(plan).view().member("root").member("devices").is_null());
}

Test(plan_document, text_has_a_line_for_each_decision)
{
    std::string text = plan_text(some_plan());
    for (const char* line : {"id: c1\n", "warnings:\n  CAP_SYS_TIME is not ours to give\n",
                             "    /sys/fs/cgroup/brig/c1 (version 2, controllers memory pids)\n", "      memory.max = 1048576\n",
                             "      memory.swap.max = 0 (if the kernel has it)\n", "    deny a *:* rwm\n", "    echo a b\n",
                             "    effective: none\n", "    destination /data, kind bind, source /srv/my data",
                             "  net/ipv4/ip_forward = 1\n", "    type RLIMIT_NOFILE, soft 1024, hard unlimited\n"})
        cr_expect(text.find(line) != std::string::npos, "%s is missing in\n%s", line, text.c_str());
}
