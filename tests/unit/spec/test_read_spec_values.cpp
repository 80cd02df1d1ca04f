// Every property of samples/full.json arrives in the member that is named after it.
#include "samples.hpp"
#include "spec/read_spec.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::spec;
using Texts = std::vector<std::string>;

static Spec full()
{
    auto spec = read_spec(tests::sample("samples/full.json"));
    cr_assert(spec.has_value(), "%s", spec ? "" : spec.error().message().c_str());
    return *spec;
}

#define SAME(actual, ...) cr_expect((actual) == (__VA_ARGS__), "%s", #actual)

Test(read_values, process)
{
    auto process = *full().process;
    SAME(process.terminal, true);
    SAME(process.console_size->height, 25);
    SAME(process.console_size->width, 80);
    SAME(process.user.uid, 1001u);
    SAME(process.user.gid, 1002u);
    SAME(process.user.umask, 18u);
    SAME(process.user.additional_gids, std::vector<uint32_t>{5, 6});
    SAME(process.user.username, "nobody");
    SAME(process.args, Texts{"sh", "-c", "true"});
    SAME(process.env, Texts{"PATH=/bin", "TERM=xterm", "PATH=/usr/bin"});
    SAME(process.cwd, "/root");
    SAME(process.no_new_privileges, true);
    SAME(process.apparmor_profile, "acme");
    SAME(process.oom_score_adj, -100);
    SAME(process.selinux_label, "system_u:system_r:container_t:s0");
    SAME(process.io_priority->class_name, "IOPRIO_CLASS_BE");
    SAME(process.io_priority->priority, 4);
    SAME(process.exec_cpu_affinity->initial, "0-1");
    SAME(process.exec_cpu_affinity->final, "2,3");
}

Test(read_values, capabilities_and_limits)
{
    auto process = *full().process;
    SAME(process.capabilities->bounding, Texts{"CAP_CHOWN", "CAP_KILL"});
    SAME(process.capabilities->effective, Texts{"CAP_KILL"});
    SAME(process.capabilities->inheritable, Texts{"CAP_CHOWN"});
    SAME(process.capabilities->permitted, Texts{"CAP_KILL", "CAP_CHOWN"});
    SAME(process.capabilities->ambient, Texts{"CAP_CHOWN"});
    cr_assert(process.rlimits.size() == 1);
    SAME(process.rlimits[0].type, "RLIMIT_NOFILE");
    SAME(process.rlimits[0].hard, 1024u);
    SAME(process.rlimits[0].soft, 512u);
    auto scheduler = *process.scheduler;
    SAME(scheduler.policy, "SCHED_DEADLINE");
    SAME(scheduler.nice, 3);
    SAME(scheduler.priority, 0);
    SAME(scheduler.flags, Texts{"SCHED_FLAG_RESET_ON_FORK"});
    SAME(scheduler.runtime, 2000u);
    SAME(scheduler.deadline, 3000u);
    SAME(scheduler.period, 4000u);
}

Test(read_values, root_mounts_hooks)
{
    auto spec = full();
    SAME(spec.oci_version, "1.3.0");
    SAME(spec.root->path, "rootfs");
    SAME(spec.root->readonly, true);
    SAME(spec.hostname, "slartibartfast");
    SAME(spec.domainname, "foobarbaz.test");
    cr_assert(spec.mounts.size() == 2);
    SAME(spec.mounts[0].options, Texts{});
    const auto& mount = spec.mounts[1];
    SAME(mount.destination, "/data");
    SAME(mount.type, "none");
    SAME(mount.source, "/volumes/testing");
    SAME(mount.options, Texts{"rbind", "ro"});
    cr_assert(mount.uid_mappings.size() == 1 && mount.gid_mappings.size() == 1);
    SAME(mount.uid_mappings[0].container_id, 1u);
    SAME(mount.uid_mappings[0].host_id, 2u);
    SAME(mount.uid_mappings[0].size, 3u);
    SAME(mount.gid_mappings[0].container_id, 4u);
    auto hooks = *spec.hooks;
    SAME(hooks.prestart.at(0).path, "/hook1");
    SAME(hooks.prestart.at(0).args, Texts{"hook1", "one"});
    SAME(hooks.prestart.at(0).env, Texts{"A=1"});
    SAME(hooks.prestart.at(0).timeout, 30);
    SAME(hooks.create_runtime.at(0).path, "/hook2");
    SAME(hooks.create_runtime.at(0).timeout, std::nullopt);
    SAME(hooks.create_container.at(0).path, "/hook3");
    SAME(hooks.start_container.at(0).path, "/hook4");
    SAME(hooks.poststart.at(0).path, "/hook5");
    SAME(hooks.poststop.at(0).path, "/hook6");
    SAME(spec.annotations, std::map<std::string, std::string>{{"com.example.gpu-cores", "2"}});
}

Test(read_values, linux_section)
{
    auto linux_section = *full().linux;
    using enum NamespaceType;
    const std::vector types = {pid, network, ipc, uts, mount, user, cgroup, time};
    cr_assert(linux_section.namespaces.size() == types.size());
    for (size_t i = 0; i < types.size(); i++)
        SAME(linux_section.namespaces[i].type, types[i]);
    SAME(linux_section.namespaces[1].path, "/run/netns/one");
    SAME(linux_section.time_offsets.at("monotonic").seconds, -172800);
    SAME(linux_section.time_offsets.at("monotonic").nanoseconds, 7u);
    SAME(linux_section.time_offsets.at("boottime").seconds, 604800);
    SAME(linux_section.uid_mappings.at(0).host_id, 100000u);
    SAME(linux_section.gid_mappings.at(0).size, 65537u);
    const auto& device = linux_section.devices.at(0);
    SAME(device.path, "/dev/fuse");
    SAME(device.type, 'c');
    SAME(device.major, 10);
    SAME(device.minor, 229);
    SAME(device.file_mode, 0666u);
    SAME(device.uid, 11u);
    SAME(device.gid, 12u);
    SAME(linux_section.net_devices.at("eth0").name, "inner0");
    SAME(linux_section.net_devices.at("ens4").name, "");
    SAME(linux_section.cgroups_path, "/myRuntime/myContainer");
    SAME(linux_section.sysctl.at("net.ipv4.ip_forward"), "1");
    SAME(linux_section.rootfs_propagation, "rslave");
    SAME(linux_section.masked_paths, Texts{"/proc/kcore"});
    SAME(linux_section.readonly_paths, Texts{"/proc/sys"});
    SAME(linux_section.mount_label, "system_u:object_r:container_file_t:s0");
    SAME(linux_section.personality->domain, "LINUX32");
    SAME(linux_section.personality->flags, Texts{});
    SAME(linux_section.memory_policy->mode, "MPOL_INTERLEAVE");
    SAME(linux_section.memory_policy->nodes, "0-1");
    SAME(linux_section.memory_policy->flags, Texts{"MPOL_F_STATIC_NODES"});
}

Test(read_values, seccomp_and_rdt)
{
    auto linux_section = *full().linux;
    const auto& seccomp = *linux_section.seccomp;
    SAME(seccomp.default_action, "SCMP_ACT_ERRNO");
    SAME(seccomp.default_errno_return, 38u);
    SAME(seccomp.architectures, Texts{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"});
    SAME(seccomp.flags, Texts{"SECCOMP_FILTER_FLAG_LOG"});
    SAME(seccomp.listener_path, "/run/listener.sock");
    SAME(seccomp.listener_metadata, "opaque");
    const auto& rule = seccomp.syscalls.at(0);
    SAME(rule.names, Texts{"getcwd", "chmod"});
    SAME(rule.action, "SCMP_ACT_TRACE");
    SAME(rule.errno_return, 99u);
    SAME(rule.args.at(0).index, 5u);
    SAME(rule.args.at(0).value, UINT64_MAX);
    SAME(rule.args.at(0).value_two, 7u);
    SAME(rule.args.at(0).op, "SCMP_CMP_MASKED_EQ");
    const auto& rdt = *linux_section.intel_rdt;
    SAME(rdt.clos_id, "guaranteed");
    SAME(rdt.l3_cache_schema, "L3:0=7f0;1=1f");
    SAME(rdt.mem_bw_schema, "MB:0=20;1=70");
    SAME(rdt.schemata, Texts{"L3:0=ff"});
    SAME(rdt.enable_monitoring, true);
}

Test(read_values, memory_and_cpu)
{
    auto resources = *full().linux->resources;
    const auto& memory = *resources.memory;
    SAME(memory.limit, 536870912);
    SAME(memory.reservation, 536870911);
    SAME(memory.swap, 536870913);
    SAME(memory.kernel, -1);
    SAME(memory.kernel_tcp, 1);
    SAME(memory.swappiness, 60u);
    SAME(memory.disable_oom_killer, true);
    SAME(memory.use_hierarchy, false);
    SAME(memory.check_before_update, true);
    const auto& cpu = *resources.cpu;
    SAME(cpu.shares, 1024u);
    SAME(cpu.quota, 1000000);
    SAME(cpu.burst, 1000u);
    SAME(cpu.period, 500000u);
    SAME(cpu.realtime_runtime, 950000);
    SAME(cpu.realtime_period, 1000001u);
    SAME(cpu.cpus, "2-3");
    SAME(cpu.mems, "0-7");
    SAME(cpu.idle, 1);
    SAME(resources.pids_limit, 32771);
}

Test(read_values, devices_and_other_resources)
{
    auto resources = *full().linux->resources;
    cr_assert(resources.devices.size() == 3);
    SAME(resources.devices[0].type, 'a');
    SAME(resources.devices[0].allow, false);
    SAME(resources.devices[0].major, std::nullopt);
    SAME(resources.devices[0].access, "rwm");
    SAME(resources.devices[1].allow, true);
    SAME(resources.devices[1].type, 'c');
    SAME(resources.devices[1].major, 10);
    SAME(resources.devices[1].minor, 229);
    SAME(resources.devices[2].type, 'b');
    SAME(resources.devices[2].major, std::nullopt);
    SAME(resources.devices[2].minor, std::nullopt);
    const auto& io = *resources.block_io;
    SAME(io.weight, 11);
    SAME(io.leaf_weight, 12);
    SAME(io.weight_devices.at(0).minor, 1);
    SAME(io.weight_devices.at(0).weight, 500);
    SAME(io.weight_devices.at(0).leaf_weight, 300);
    SAME(io.throttle_read_bps.at(0).rate, 601u);
    SAME(io.throttle_write_bps.at(0).rate, 602u);
    SAME(io.throttle_read_iops.at(0).rate, 603u);
    SAME(io.throttle_write_iops.at(0).rate, 604u);
    SAME(io.throttle_write_iops.at(0).major, 8);
    SAME(io.throttle_write_iops.at(0).minor, 5);
    SAME(resources.hugepage_limits.at(0).page_size, "2MB");
    SAME(resources.hugepage_limits.at(0).limit, UINT64_MAX);
    SAME(resources.network->class_id, 1048577u);
    SAME(resources.network->priorities.at(0).name, "eth0");
    SAME(resources.network->priorities.at(0).priority, 500u);
    SAME(resources.rdma.at("mlx5_1").hca_handles, 3u);
    SAME(resources.rdma.at("mlx5_1").hca_objects, 10000u);
    SAME(resources.unified.at("memory.high"), "max");
}
