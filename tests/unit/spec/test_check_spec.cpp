// One edit of samples/full.json for each rule: refused with a message that names the property, or accepted on purpose.
#include "base/text.hpp"
#include "samples.hpp"
#include "spec/check_spec.hpp"
#include "spec/read_spec.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::spec;

namespace {

struct Edit {
    const char* pointer;
    const char* value;
    const char* expected; // start of the message after "config.json: "; null: accepted
};

void expect(const std::vector<Edit>& edits)
{
    std::string full = tests::sample("samples/full.json");
    for (const auto& edit : edits) {
        auto spec = read_spec(tests::edited(full, edit.pointer, edit.value));
        cr_expect(spec.has_value(), "%s: %s", edit.pointer, spec ? "" : spec.error().message().c_str());
        if (!spec)
            continue;
        auto checked = check_spec(*spec);
        std::string found = checked ? "accepted" : checked.error().message();
        std::string wanted = edit.expected ? std::string("config.json: ") + edit.expected : "accepted";
        cr_expect(found.starts_with(wanted), "%s = %s\n  expected: %s\n  found: %s", edit.pointer, edit.value, wanted.c_str(),
                  found.c_str());
        if (!checked)
            cr_expect(checked.error().kind() == ErrorKind::invalid || checked.error().kind() == ErrorKind::not_supported);
    }
}

// The text of a JSON array of `count` times `item`.
std::string repeated(const std::string& item, size_t count)
{
    std::string text = "[";
    for (size_t i = 0; i < count; i++)
        text += (i > 0 ? "," : "") + item;
    return text + "]";
}

} // namespace

Test(check_spec, the_full_sample_passes)
{
    auto spec = read_spec(tests::sample("samples/full.json"));
    auto checked = check_spec(*spec);
    cr_expect(checked.has_value(), "%s", checked ? "" : checked.error().message().c_str());
    cr_expect(check_process(*spec->process).has_value());
    cr_expect(check_resources(*spec->linux->resources).has_value());
}

Test(check_spec, sections)
{
    expect({
        {"/process", "null", "process is missing"},
        {"/root", "null", "root is missing"},
        {"/root/path", "\"\"", "root.path is empty"},
        {"/linux", "null", "linux is missing"},
        {"/annotations", "{\"\": \"x\"}", "annotations has an entry with an empty name"},
        {"/annotations", "null", nullptr},
    });
}

Test(check_spec, process)
{
    expect({
        {"/process/args", "null", "process.args is empty"},
        {"/process/args", "[]", "process.args is empty"},
        {"/process/args/0", "\"\"", "exec: \"\": executable file not found in $PATH"},
        {"/process/args/1", "\"\"", nullptr},
        {"/process/cwd", "\"\"", "process.cwd must be an absolute path, not \"\""},
        {"/process/cwd", "\"root\"", "process.cwd must be an absolute path, not \"root\""},
        {"/process/env/1", "\"TERM\"", "process.env[1] must be NAME=value, not \"TERM\""},
        {"/process/env/1", "\"=xterm\"", "process.env[1] must be NAME=value"},
        {"/process/env/1", "\"\"", "process.env[1] must be NAME=value"},
        {"/process/env/1", "\"TERM=\"", nullptr},
        {"/process/env/1", "\"with.dots-and blanks=a=b\"", nullptr},
        {"/process/user/umask", "512", "process.user.umask must be at most 511, not 512"},
        {"/process/user/umask", "511", nullptr},
        {"/process/oomScoreAdj", "1001", "process.oomScoreAdj must be from -1000 to 1000, not 1001"},
        {"/process/oomScoreAdj", "-1001", "process.oomScoreAdj must be"},
        {"/process/oomScoreAdj", "1000", nullptr},
        {"/process/oomScoreAdj", "-1000", nullptr},
        {"/process/execCPUAffinity/initial", "\"0-\"", "process.execCPUAffinity.initial is not a list of CPUs"},
        {"/process/execCPUAffinity/final", "\"3-1\"", "process.execCPUAffinity.final is not a list of CPUs"},
        {"/process/consoleSize", "{\"height\": 0, \"width\": 0}", nullptr},
    });
}

Test(check_spec, capabilities)
{
    expect({
        {"/process/capabilities/bounding/0", "\"CAP_NOTHING\"", "process.capabilities.bounding[0] \"CAP_NOTHING\" is unknown"},
        {"/process/capabilities/effective/0", "\"cap_kill\"", "process.capabilities.effective[0] \"cap_kill\" is unknown"},
        {"/process/capabilities/inheritable/0", "\"CHOWN\"", "process.capabilities.inheritable[0] \"CHOWN\" is unknown"},
        {"/process/capabilities/permitted/0", "\"\"", "process.capabilities.permitted[0] \"\" is unknown"},
        {"/process/capabilities/ambient/0", "\"CAP_41\"", "process.capabilities.ambient[0] \"CAP_41\" is unknown"},
        {"/process/capabilities/effective/0", "\"CAP_BPF\"", "process.capabilities.effective has CAP_BPF that permitted lacks"},
        {"/process/capabilities/ambient/0", "\"CAP_BPF\"", nullptr},
        {"/process/capabilities", "{}", nullptr},
        {"/process/capabilities", "null", nullptr},
    });
}

Test(check_spec, rlimits)
{
    expect({
        {"/process/rlimits/0/type", "\"RLIMIT_FOO\"", "process.rlimits[0].type \"RLIMIT_FOO\" is unknown"},
        {"/process/rlimits/0/type", "null", "process.rlimits[0].type \"\" is unknown"},
        {"/process/rlimits/0/soft", "1025", "process.rlimits[0].soft is 1025, above the hard limit 1024"},
        {"/process/rlimits/0/soft", "1024", nullptr},
        {"/process/rlimits/0/hard", "18446744073709551615", nullptr},
        {"/process/rlimits", R"([{"type": "RLIMIT_CORE"}, {"type": "RLIMIT_CORE"}])", "process.rlimits has RLIMIT_CORE twice"},
    });
}

Test(check_spec, scheduler_and_io_priority)
{
    expect({
        {"/process/scheduler/policy", "null", "process.scheduler.policy \"\" is unknown"},
        {"/process/scheduler/policy", "\"SCHED_ISO\"", "process.scheduler.policy \"SCHED_ISO\" is unknown"},
        {"/process/scheduler/flags/0", "\"SCHED_FLAG_X\"", "process.scheduler.flags[0] \"SCHED_FLAG_X\" is unknown"},
        {"/process/scheduler/nice", "20", "process.scheduler.nice must be from -20 to 19, not 20"},
        {"/process/scheduler/nice", "-21", "process.scheduler.nice must be"},
        {"/process/scheduler/priority", "1", "process.scheduler.priority 1 with SCHED_DEADLINE"},
        {"/process/scheduler/policy", "\"SCHED_OTHER\"", "process.scheduler has runtime, deadline or period with SCHED_OTHER"},
        {"/process/scheduler/runtime", "1023", "process.scheduler runtime 1023, deadline 3000, period 4000 cannot be scheduled"},
        {"/process/scheduler/runtime", "3001", "process.scheduler runtime 3001"},
        {"/process/scheduler/deadline", "4001", "process.scheduler runtime 2000, deadline 4001"},
        {"/process/scheduler/period", "0", nullptr},
        {"/process/scheduler", R"({"policy": "SCHED_FIFO"})",
         "process.scheduler.priority must be from 1 to 99 for SCHED_FIFO, not 0"},
        {"/process/scheduler", R"({"policy": "SCHED_RR", "priority": 100})", "process.scheduler.priority must be from 1 to 99"},
        {"/process/scheduler", R"({"policy": "SCHED_RR", "priority": 99})", nullptr},
        {"/process/scheduler", R"({"policy": "SCHED_BATCH", "nice": 19})", nullptr},
        {"/process/ioPriority/class", "\"IOPRIO_CLASS_NONE\"", "process.ioPriority.class \"IOPRIO_CLASS_NONE\" is unknown"},
        {"/process/ioPriority/priority", "8", "process.ioPriority.priority must be from 0 to 7, not 8"},
        {"/process/ioPriority/priority", "-1", "process.ioPriority.priority must be"},
    });
}

Test(check_spec, names_and_hooks)
{
    std::string long_name = quoted(std::string(65, 'x'));
    std::string fitting_name = quoted(std::string(64, 'x'));
    expect({
        {"/hostname", long_name.c_str(), "hostname has 65 characters, the kernel takes 64"},
        {"/domainname", long_name.c_str(), "domainname has 65 characters, the kernel takes 64"},
        {"/hostname", fitting_name.c_str(), nullptr},
        {"/linux/namespaces/3/path", "\"/proc/9/ns/uts\"", nullptr},
        {"/hooks/prestart/0/path", "\"hook1\"", "hooks.prestart[0].path must be an absolute path, not \"hook1\""},
        {"/hooks/createRuntime/0/path", "null", "hooks.createRuntime[0].path must be an absolute path"},
        {"/hooks/createContainer/0/path", "\"\"", "hooks.createContainer[0].path must be an absolute path"},
        {"/hooks/startContainer/0/path", "\"./x\"", "hooks.startContainer[0].path must be an absolute path"},
        {"/hooks/poststart/0/path", "\"x\"", "hooks.poststart[0].path must be an absolute path"},
        {"/hooks/poststop/0/path", "\"x\"", "hooks.poststop[0].path must be an absolute path"},
        {"/hooks/prestart/0/timeout", "0", "hooks.prestart[0].timeout must be more than 0 seconds, not 0"},
        {"/hooks/prestart/0/timeout", "-1", "hooks.prestart[0].timeout must be more than 0"},
        {"/hooks", "null", nullptr},
    });
}

// Without the namespace, each property that would then reach the host is refused.
Test(check_spec, what_needs_a_namespace)
{
    struct Need {
        const char* namespaces;
        const char* expected;
    };
    const std::vector<Need> needs = {
        {R"(["pid", "network", "ipc", "mount", "user", "cgroup", "time"])", "hostname \"slartibartfast\" would rename the host"},
        {R"(["pid", "network", "ipc", "uts", "mount", "cgroup", "time"])",
         "linux.uidMappings or gidMappings without a user namespace"},
        {R"(["pid", "network", "ipc", "uts", "mount", "user", "cgroup"])", "linux.timeOffsets without a time namespace"},
        {R"(["pid", "network", "ipc", "uts", "user", "cgroup", "time"])",
         "linux.maskedPaths or readonlyPaths without a mount namespace"},
        {R"(["pid", "ipc", "uts", "mount", "user", "cgroup", "time"])",
         "linux.sysctl \"net.ipv4.ip_forward\" would change the host's network namespace"},
    };
    std::string full = tests::sample("samples/full.json");
    for (const auto& need : needs) {
        auto names = Json::parse(need.namespaces);
        std::string list;
        for (size_t i = 0; i < names->view().size(); i++)
            list += fmt::format("{}{{\"type\": {}}}", i > 0 ? "," : "", names->view().at(i).to_text());
        auto spec = read_spec(tests::edited(full, "/linux/namespaces", "[" + list + "]"));
        auto checked = check_spec(*spec);
        std::string found = checked ? "accepted" : checked.error().message();
        cr_expect(found.starts_with(std::string("config.json: ") + need.expected), "%s", found.c_str());
        cr_expect(contains(found, "to linux.namespaces"), "no remedy: %s", found.c_str());
    }
    auto spec = read_spec(full);
    spec->hostname.clear();
    std::erase_if(spec->linux->namespaces, [](const Namespace& entry) { return entry.type == NamespaceType::uts; });
    cr_expect(check_spec(*spec).error().what().starts_with("domainname \"foobarbaz.test\" would rename the host"));
    spec->domainname.clear();
    cr_expect(check_spec(*spec).has_value());
    spec->linux->sysctl.clear();
    std::erase_if(spec->linux->namespaces, [](const Namespace& entry) { return entry.type == NamespaceType::network; });
    cr_expect(check_spec(*spec).error().what() == "linux.netDevices without a network namespace to move them to");
}

Test(check_spec, namespaces)
{
    expect({
        {"/linux/namespaces/0/type", "\"ipc\"", "linux.namespaces has ipc twice"},
        {"/linux/namespaces/0/path", "\"proc/1/ns/pid\"", "linux.namespaces[0].path must be an absolute path"},
        {"/linux/uidMappings", "null", "a new user namespace without linux.uidMappings and gidMappings"},
        {"/linux/gidMappings", "[]", "a new user namespace without linux.uidMappings and gidMappings"},
        {"/linux/namespaces/5/path", "\"/proc/9/ns/user\"", nullptr},
        {"/linux/uidMappings/0/size", "0", "linux.uidMappings[0].size must be more than 0"},
        {"/linux/gidMappings/0/hostID", "4294967295", "linux.gidMappings[0] goes beyond the last id"},
        {"/linux/uidMappings/0/containerID", "4294901760", "linux.uidMappings[0] goes beyond the last id"},
        {"/linux/uidMappings/0/containerID", "4294901759", nullptr},
        {"/linux/uidMappings", R"([{"containerID": 0, "hostID": 10, "size": 5}, {"containerID": 4, "hostID": 90, "size": 1}])",
         "linux.uidMappings (containerID) maps id 4 twice"},
        {"/linux/gidMappings", R"([{"containerID": 0, "hostID": 10, "size": 5}, {"containerID": 9, "hostID": 8, "size": 3}])",
         "linux.gidMappings (hostID) maps id 10 twice"},
        {"/linux/gidMappings", R"([{"containerID": 0, "hostID": 10, "size": 5}, {"containerID": 5, "hostID": 15, "size": 3}])",
         nullptr},
        {"/linux/timeOffsets/realtime", "{\"secs\": 1}", "linux.timeOffsets has the clock \"realtime\""},
        {"/linux/timeOffsets/boottime/nanosecs", "1000000000", "linux.timeOffsets.boottime.nanosecs must be below 1000000000"},
        {"/linux/timeOffsets/boottime/nanosecs", "999999999", nullptr},
        {"/linux/namespaces/7/path", "\"/proc/9/ns/time\"", "linux.timeOffsets together with a time namespace to join"},
        {"/linux/maskedPaths/0", "\"proc/kcore\"", "linux.maskedPaths[0] must be an absolute path"},
        {"/linux/readonlyPaths/0", "\"\"", "linux.readonlyPaths[0] must be an absolute path"},
    });
    std::string many = repeated(R"({"containerID": 0, "hostID": 0, "size": 1})", 341);
    expect({{"/linux/uidMappings", many.c_str(), "linux.uidMappings has 341 entries, the kernel takes 340"}});
}

Test(check_spec, sysctls)
{
    expect({
        {"/linux/sysctl",
         R"({"kernel.shmmax": "1", "fs.mqueue.msg_max": "2", "kernel.domainname": "x", "net/ipv4/ip_forward": "1"})", nullptr},
        {"/linux/sysctl", R"({"kernel.core_pattern": "|/x"})",
         "sysctl \"kernel.core_pattern\" is not in a separate kernel namespace"},
        {"/linux/sysctl", R"({"net/../kernel/core_pattern": "|/x"})",
         "sysctl \"net/../kernel/core_pattern\" is not a name below /proc/sys"},
        {"/linux/sysctl", R"({"kernel.hostname": "x"})", "sysctl \"kernel.hostname\" has a property of its own"},
        {"/linux/sysctl", R"({"user.max_user_namespaces": "0"})", nullptr},
    });
}

Test(check_spec, network_devices)
{
    expect({
        {"/linux/netDevices", R"({"": {}})", "linux.netDevices \"\" -> \"\" is not the name of a network interface"},
        {"/linux/netDevices", R"({"eth0": {"name": "a/b"}})", "linux.netDevices \"eth0\" -> \"a/b\" is not"},
        {"/linux/netDevices", R"({"eth0": {"name": "eth%d"}})", nullptr},
        {"/linux/netDevices", R"({"eth%d": {"name": "eth0"}})", "linux.netDevices \"eth%d\" -> \"eth0\" is not"},
        {"/linux/netDevices", R"({"eth0": {"name": "eth%s"}})", "linux.netDevices \"eth0\" -> \"eth%s\" is not"},
        {"/linux/netDevices", R"({"eth0": {"name": "fifteen-lette%d"}})", nullptr},
        {"/linux/netDevices", R"({"eth0": {"name": "sixteen-letter%d"}})",
         "linux.netDevices \"eth0\" -> \"sixteen-letter%d\" is not"},
        {"/linux/netDevices", R"({"..": {"name": "x"}})", "linux.netDevices \"..\" -> \"x\" is not"},
        {"/linux/netDevices", R"({"sixteen-letters-": {}})", "linux.netDevices \"sixteen-letters-\""},
        {"/linux/netDevices", R"({"fifteen-letters": {}})", nullptr},
        {"/linux/netDevices", R"({"a": {"name": "x"}, "b": {"name": "x"}})",
         "linux.netDevices gives two interfaces the name \"x\""},
        {"/linux/netDevices", R"({"a": {"name": "b"}, "b": {}})", "linux.netDevices gives two interfaces the name \"b\""},
        {"/linux/netDevices", R"({"a": {"name": "b"}, "b": {"name": "a"}})", nullptr},
    });
}

Test(check_spec, mounts)
{
    expect({
        {"/mounts/1/destination", "\"\"", "mounts[1].destination is empty"},
        {"/mounts/1/destination", "\"data\"", nullptr},
        {"/mounts/1/source", "null", "mounts[1].source of a bind mount is empty"},
        {"/mounts/0/type", "\"\"", "mounts[0].type is empty"},
        {"/mounts/1/type", "\"\"", nullptr},
        {"/mounts/0/options", "[\"size=1k\", \"whatever\"]", nullptr},
        {"/mounts/1/uidMappings", "[]", "mounts[1] has only one of uidMappings and gidMappings"},
        {"/mounts/1/gidMappings", "null", "mounts[1] has only one of uidMappings and gidMappings"},
        {"/mounts/1/uidMappings/0/size", "0", "mounts[1].uidMappings[0].size must be more than 0"},
        {"/mounts/1/options", "[\"rbind\", \"idmap=uids=0-1-1\"]", "mounts[1].options: an id mapping needs both uids= and gids="},
        {"/mounts/1/options", "[\"rbind\", \"idmap=uids=0-1-1;gids=0-1-1\"]", "mounts[1] has uidMappings and the option idmap="},
        {"/mounts/0/options", "[\"idmap=uids=0-1-1#0-5-1;gids=0-1-1\"]", "mounts[0].options uids (containerID) maps id 0 twice"},
        {"/mounts/0/options", "[\"ridmap\"]", nullptr},
    });
    auto spec = read_spec(tests::sample("samples/full.json"));
    std::erase_if(spec->linux->namespaces, [](const Namespace& entry) { return entry.type == NamespaceType::user; });
    spec->linux->uid_mappings.clear();
    spec->linux->gid_mappings.clear();
    spec->mounts[0].options = {"idmap"};
    cr_expect(check_spec(*spec).error().what() == "mounts[0] has the option idmap but nothing to map");
}

Test(check_spec, seccomp)
{
    expect({
        {"/linux/seccomp/defaultAction", "null", "linux.seccomp.defaultAction \"\" is unknown"},
        {"/linux/seccomp/defaultAction", "\"SCMP_ACT_NOTIFY\"", "linux.seccomp.defaultErrnoRet 38 with SCMP_ACT_NOTIFY"},
        {"/linux/seccomp/defaultAction", "\"SCMP_ACT_ALLOW\"", "linux.seccomp.defaultErrnoRet 38 with SCMP_ACT_ALLOW"},
        {"/linux/seccomp", R"({"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/x"})",
         "linux.seccomp.defaultAction is SCMP_ACT_NOTIFY"},
        {"/linux/seccomp", R"({"defaultAction": "SCMP_ACT_ALLOW"})", nullptr},
        {"/linux/seccomp", "null", nullptr},
        {"/linux/seccomp/defaultErrnoRet", "4096", "linux.seccomp.defaultErrnoRet must be at most 4095, not 4096"},
        {"/linux/seccomp/architectures", "null", nullptr},
        {"/linux/seccomp/architectures/0", "\"SCMP_ARCH_VAX\"", "linux.seccomp.architectures[0] \"SCMP_ARCH_VAX\" is unknown"},
        {"/linux/seccomp/flags/0", "\"SECCOMP_FILTER_FLAG_X\"", "linux.seccomp.flags[0] \"SECCOMP_FILTER_FLAG_X\" is unknown"},
        {"/linux/seccomp/listenerPath", "\"listener\"", "linux.seccomp.listenerPath must be an absolute path"},
        {"/linux/seccomp/listenerPath", "null", "linux.seccomp.listenerMetadata without listenerPath"},
        {"/linux/seccomp/syscalls/0/names", "[]", "linux.seccomp.syscalls[0].names is empty"},
        {"/linux/seccomp/syscalls/0/names/0", "\"\"", "linux.seccomp.syscalls[0].names has an empty name"},
        {"/linux/seccomp/syscalls/0/action", "\"ALLOW\"", "linux.seccomp.syscalls[0].action \"ALLOW\" is unknown"},
        {"/linux/seccomp/syscalls/0/action", "\"SCMP_ACT_LOG\"", "linux.seccomp.syscalls[0].errnoRet 99 with SCMP_ACT_LOG"},
        {"/linux/seccomp/syscalls/0/errnoRet", "65536", "linux.seccomp.syscalls[0].errnoRet must be at most 65535"},
        {"/linux/seccomp/syscalls/0/args/0/op", "\"==\"", "linux.seccomp.syscalls[0].args[0].op \"==\" is unknown"},
        {"/linux/seccomp/syscalls/0/args/0/index", "6", "linux.seccomp.syscalls[0].args[0].index must be from 0 to 5, not 6"},
        {"/linux/seccomp",
         R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["open"], "action": "SCMP_ACT_NOTIFY"}]})",
         "linux.seccomp.syscalls[0].action is SCMP_ACT_NOTIFY but nobody listens"},
        {"/linux/seccomp",
         R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x",
             "syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]})",
         "linux.seccomp.syscalls[0] has SCMP_ACT_NOTIFY for write"},
        {"/linux/seccomp",
         R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x",
             "syscalls": [{"names": ["open"], "action": "SCMP_ACT_NOTIFY"}]})",
         nullptr},
    });
}

Test(check_spec, devices_and_other_linux_properties)
{
    expect({
        {"/linux/devices/0/path", "\"dev/fuse\"", "linux.devices[0].path must be an absolute path"},
        {"/linux/devices/0/path", "\"/proc/x\"", "linux.devices[0].path \"/proc/x\" cannot be a device"},
        {"/linux/devices/0/path", "\"/dev/../sys/x\"", "linux.devices[0].path \"/dev/../sys/x\" cannot be a device"},
        {"/linux/devices/0/path", "\"/dev/\"", "linux.devices[0].path \"/dev/\" cannot be a device"},
        {"/linux/devices/0/path", "\"/\"", "linux.devices[0].path \"/\" cannot be a device"},
        {"/linux/devices/0/path", "\"/processor\"", nullptr},
        {"/linux/devices/0/major", "-1", "linux.devices[0].major must be from 0 to 4095, not -1"},
        {"/linux/devices/0/minor", "1048576", "linux.devices[0].minor must be from 0 to 1048575"},
        {"/linux/devices/0", R"({"path": "/dev/pipe", "type": "p", "major": -1})", nullptr},
        {"/linux/cgroupsPath", "\"/a/../../b\"", "linux.cgroupsPath \"/a/../../b\" leaves its parent"},
        {"/linux/cgroupsPath", "\"..\"", "linux.cgroupsPath \"..\" leaves its parent"},
        {"/linux/cgroupsPath", "\"a\\nb\"", "linux.cgroupsPath \"a\\nb\" has a line break"},
        {"/linux/cgroupsPath", "\"system.slice:docker:abc\"", nullptr},
        {"/linux/cgroupsPath", "\"/a/..b/c\"", nullptr},
        {"/linux/rootfsPropagation", "\"public\"", "linux.rootfsPropagation \"public\" is unknown"},
        {"/linux/rootfsPropagation", "\"unbindable\"", nullptr},
        {"/linux/personality/domain", "\"BSD\"", "linux.personality.domain \"BSD\" is unknown"},
        {"/linux/personality/flags", "[\"ADDR_NO_RANDOMIZE\"]", "linux.personality.flags has \"ADDR_NO_RANDOMIZE\""},
        {"/linux/intelRdt/closID", "\"..\"", "linux.intelRdt.closID \"..\" is not a name"},
        {"/linux/intelRdt/closID", "\"a/b\"", "linux.intelRdt.closID \"a/b\" is not a name"},
        {"/linux/intelRdt/closID", "\"mon_groups\"", "linux.intelRdt.closID \"mon_groups\" is not a name"},
        {"/linux/intelRdt/closID", "\"/\"", nullptr},
        {"/linux/intelRdt/l3CacheSchema", "\"L3:0=1\\nMB:1=1\"", nullptr},
        {"/linux/intelRdt/memBwSchema", "\"L3:0=1\"", "linux.intelRdt.memBwSchema must start with MB:, but is \"L3:0=1\""},
        {"/linux/intelRdt/memBwSchema", "\"MB:0=1\\n\"", "linux.intelRdt.memBwSchema \"MB:0=1\\n\" has a line break"},
        {"/linux/intelRdt/schemata/0", "\"a\\nb\"", "linux.intelRdt.schemata \"a\\nb\" has a line break"},
    });
}

Test(check_spec, memory_policy)
{
    expect({
        {"/linux/memoryPolicy/mode", "\"MPOL_BEST\"", "linux.memoryPolicy.mode \"MPOL_BEST\" is unknown"},
        {"/linux/memoryPolicy/flags/0", "\"MPOL_F_X\"", "linux.memoryPolicy.flags[0] \"MPOL_F_X\" is unknown"},
        {"/linux/memoryPolicy/nodes", "\"a\"", "linux.memoryPolicy.nodes is not a list of nodes"},
        {"/linux/memoryPolicy/nodes", "\"\"", "linux.memoryPolicy.nodes is empty with MPOL_INTERLEAVE"},
        {"/linux/memoryPolicy/mode", "\"MPOL_LOCAL\"", "linux.memoryPolicy.nodes \"0-1\" with MPOL_LOCAL"},
        {"/linux/memoryPolicy", "{\"mode\": \"MPOL_DEFAULT\"}", nullptr},
        {"/linux/memoryPolicy", "{\"mode\": \"MPOL_PREFERRED\"}", nullptr},
        {"/linux/memoryPolicy/flags", R"(["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"])", "linux.memoryPolicy.flags has both"},
        {"/linux/memoryPolicy/flags", R"(["MPOL_F_NUMA_BALANCING"])",
         "linux.memoryPolicy.flags has MPOL_F_NUMA_BALANCING with MPOL_INTERLEAVE"},
        {"/linux/memoryPolicy", R"({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]})", nullptr},
    });
}

Test(check_spec, memory_and_cpu)
{
    expect({
        {"/linux/resources/memory/limit", "-2", "linux.resources.memory.limit must be a number of bytes or -1, not -2"},
        {"/linux/resources/memory/reservation", "-2", "linux.resources.memory.reservation must be"},
        {"/linux/resources/memory/swap", "-2", "linux.resources.memory.swap must be"},
        {"/linux/resources/memory/kernel", "-2", "linux.resources.memory.kernel must be"},
        {"/linux/resources/memory/kernelTCP", "-2", "linux.resources.memory.kernelTCP must be"},
        {"/linux/resources/memory/swap", "536870911", "linux.resources.memory.swap is 536870911, below the limit 536870912"},
        {"/linux/resources/memory/limit", "-1", "linux.resources.memory.swap is 536870913 without a limit"},
        {"/linux/resources/memory/swap", "-1", nullptr},
        {"/linux/resources/memory/limit", "null", nullptr},
        {"/linux/resources/memory/swappiness", "101", "linux.resources.memory.swappiness must be from 0 to 100, not 101"},
        {"/linux/resources/memory/swappiness", "18446744073709551615", nullptr},
        {"/linux/resources/cpu/period", "999", "linux.resources.cpu.period must be from 1000 to 1000000 microseconds, not 999"},
        {"/linux/resources/cpu/period", "1000001", "linux.resources.cpu.period must be"},
        {"/linux/resources/cpu/period", "0", nullptr},
        {"/linux/resources/cpu/quota", "999", "linux.resources.cpu.quota must be at least 1000 microseconds, not 999"},
        {"/linux/resources/cpu/quota", "-1", nullptr},
        {"/linux/resources/cpu/burst", "1000001", "linux.resources.cpu.burst is 1000001, above the quota 1000000"},
        {"/linux/resources/cpu/idle", "2", "linux.resources.cpu.idle must be 0 or 1, not 2"},
        {"/linux/resources/cpu/idle", "-1", "linux.resources.cpu.idle must be 0 or 1, not -1"},
        {"/linux/resources/cpu/cpus", "\"0\\n1\"", "linux.resources.cpu.cpus or mems has a line break"},
        {"/linux/resources/cpu/shares", "300000", nullptr},
        {"/linux/resources/pids/limit", "-1", nullptr},
    });
}

Test(check_spec, other_resources)
{
    expect({
        {"/linux/resources/devices/1/access", "\"rx\"",
         "linux.resources.devices[1].access must consist of r, w and m, but is \"rx\""},
        {"/linux/resources/devices/1/access", "null", nullptr},
        {"/linux/resources/devices/1/major", "-2", "linux.resources.devices[1].major must be from 0 to 4294967295, not -2"},
        {"/linux/resources/devices/1/minor", "4294967296", "linux.resources.devices[1].minor must be from 0 to 4294967295"},
        {"/linux/resources/blockIO/weight", "9", "linux.resources.blockIO.weight must be from 10 to 1000, not 9"},
        {"/linux/resources/blockIO/leafWeight", "1001", "linux.resources.blockIO.leafWeight must be"},
        {"/linux/resources/blockIO/weight", "0", nullptr},
        {"/linux/resources/blockIO/weightDevice/0/weight", "1", "linux.resources.blockIO.weightDevice[0].weight must be"},
        {"/linux/resources/blockIO/weightDevice/0/leafWeight", "1", "linux.resources.blockIO.weightDevice[0].leafWeight must be"},
        {"/linux/resources/blockIO/weightDevice/0/major", "-1",
         "linux.resources.blockIO.weightDevice[0] must name a device, not -1:1"},
        {"/linux/resources/blockIO/throttleReadBpsDevice/0/minor", "-1", "linux.resources.blockIO.throttleReadBpsDevice[0] must"},
        {"/linux/resources/blockIO/throttleWriteBpsDevice/0/minor", "-1",
         "linux.resources.blockIO.throttleWriteBpsDevice[0] must"},
        {"/linux/resources/blockIO/throttleReadIOPSDevice/0/minor", "-1",
         "linux.resources.blockIO.throttleReadIOPSDevice[0] must"},
        {"/linux/resources/blockIO/throttleWriteIOPSDevice/0/minor", "-1",
         "linux.resources.blockIO.throttleWriteIOPSDevice[0] must"},
        {"/linux/resources/hugepageLimits/0/pageSize", "\"64kB\"",
         "linux.resources.hugepageLimits[0].pageSize \"64kB\" is not a size"},
        {"/linux/resources/hugepageLimits/0/pageSize", "\"02MB\"", "linux.resources.hugepageLimits[0].pageSize"},
        {"/linux/resources/hugepageLimits/0/pageSize", "\"MB\"", "linux.resources.hugepageLimits[0].pageSize"},
        {"/linux/resources/hugepageLimits/0/pageSize", "\"../2MB\"", "linux.resources.hugepageLimits[0].pageSize"},
        {"/linux/resources/hugepageLimits/0/pageSize", "\"64KB\"", nullptr},
        {"/linux/resources/network/priorities/0/name", "\"\"", "linux.resources.network.priorities[0].name \"\" is not"},
        {"/linux/resources/network/priorities/0/name", "\"a b\"", "linux.resources.network.priorities[0].name \"a b\" is not"},
        {"/linux/resources/rdma", "{\"mlx\": {}}", "linux.resources.rdma \"mlx\" has no limit"},
        {"/linux/resources/rdma", "{\"a b\": {\"hcaHandles\": 1}}", "linux.resources.rdma \"a b\" is not the name of a device"},
        {"/linux/resources/unified", "{\"../memory.max\": \"1\"}",
         "linux.resources.unified \"../memory.max\" is not a file of a cgroup"},
        {"/linux/resources/unified", "{\"memory\": \"1\"}", "linux.resources.unified \"memory\" is not a file of a cgroup"},
        {"/linux/resources/unified", "{\"..\": \"1\"}", "linux.resources.unified \"..\" is not a file of a cgroup"},
        {"/linux/resources/unified", "{\"io.max\": \"8:0 rbps=1\\n8:16 rbps=2\"}", nullptr},
    });
}

Test(check_spec, resources_of_update_have_no_prefix)
{
    auto resources = read_resources(R"({"cpu": {"period": 1}})");
    cr_expect(check_resources(*resources).error().what().starts_with("resources.cpu.period must be"));
}

Test(check_spec, samples_of_the_specification)
{
    auto refusal = [](const char* name) {
        auto spec = read_spec(tests::edited(tests::sample(name), "/process", R"({"args": ["sh"], "cwd": "/"})"));
        auto checked = check_spec(*spec);
        return checked ? std::string("accepted") : checked.error().what();
    };
    cr_expect(refusal("samples/bad/linux-hugepage.json") == "linux.resources.hugepageLimits[0].pageSize \"64kB\" is not a size");
    cr_expect(refusal("samples/good/linux-rdma.json") == "accepted");
    cr_expect(refusal("samples/good/minimal.json") == "linux is missing");
    auto example = read_spec(tests::edited(tests::sample("samples/good/spec-example.json"), "/ociVersion", "\"1.0.0\""));
    auto checked = check_spec(*example);
    cr_expect(checked.has_value(), "%s", checked ? "" : checked.error().message().c_str());
}
