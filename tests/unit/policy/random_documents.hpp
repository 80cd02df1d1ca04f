// Random specs and policies for the property tests: every field that tighten() looks at takes its odd values too.
#pragma once

#include "policy/policy.hpp"
#include "policy/tighten.hpp"
#include "spec/spec.hpp"

#include <initializer_list>
#include <random>
#include <string>
#include <vector>

namespace brig::policy::testing {

class Chance {
public:
    explicit Chance(uint64_t seed) : m_engine(seed) {}

    bool one_in(unsigned count) { return m_engine() % count == 0; }
    bool coin() { return one_in(2); }
    template<typename Item> Item pick(std::initializer_list<Item> items) { return *(items.begin() + m_engine() % items.size()); }
    uint64_t below(uint64_t end) { return m_engine() % end; }

    template<typename Item> std::vector<Item> some(std::initializer_list<Item> items)
    {
        std::vector<Item> chosen;
        for (const auto& item : items)
            if (coin())
                chosen.push_back(item);
        return chosen;
    }
    template<typename Item> std::optional<Item> maybe(std::initializer_list<Item> items)
    {
        return coin() ? std::optional<Item>(pick(items)) : std::nullopt;
    }

private:
    std::mt19937_64 m_engine;
};

inline std::vector<std::string> some_capabilities(Chance& chance)
{
    return chance.some<std::string>({"CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_NET_RAW", "CAP_KILL", "CAP_SETUID"});
}

inline spec::Process random_process(Chance& chance)
{
    spec::Process process;
    process.args = {"/bin/sh"};
    process.cwd = "/";
    process.env = chance.some<std::string>({"PATH=/bin", "LC_ALL=C", "SECRET=1", "A=1", "A=2", "NOVALUE"});
    if (chance.coin())
        process.capabilities = {some_capabilities(chance), some_capabilities(chance), some_capabilities(chance),
                                some_capabilities(chance), some_capabilities(chance)};
    process.no_new_privileges = chance.coin();
    process.oom_score_adj = chance.maybe({-999, -1, 0, 500, 1000});
    for (const char* type : {"RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_STACK"})
        if (chance.coin()) {
            uint64_t hard = chance.pick<uint64_t>({0, 10, 1024, 1 << 20, UINT64_MAX});
            process.rlimits.push_back({type, hard, chance.below(3) == 0 ? hard / 2 : hard});
        }
    if (chance.one_in(10)) {
        process.scheduler.emplace();
        process.scheduler->policy = chance.pick<const char*>({"SCHED_FIFO", "SCHED_OTHER", "SCHED_BATCH"});
        process.scheduler->nice = chance.maybe({-20, 0, 5});
    }
    if (chance.one_in(10))
        process.io_priority = {chance.pick<const char*>({"IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE"}), 0};
    return process;
}

inline spec::Resources random_resources(Chance& chance)
{
    spec::Resources resources;
    for (auto device : chance.some<spec::DeviceRule>({{false, 'a', {}, {}, "rwm"},
                                                      {true, 'a', {}, {}, "rwm"},
                                                      {true, 'c', 1, 3, "rwm"},
                                                      {true, 'c', {}, {}, "m"},
                                                      {true, 'c', 1, {}, "rw"},
                                                      {true, 'b', 8, 0, "r"},
                                                      {false, 'c', 10, 229, "w"},
                                                      {true, 'c', 10, 229, "rwm"},
                                                      {true, 'c', 136, {}, "rwm"}}))
        resources.devices.push_back(device);
    if (chance.coin()) {
        resources.memory.emplace();
        resources.memory->limit = chance.maybe<int64_t>({-1, 1 << 20, 64 << 20, 1 << 30, INT64_MAX});
        resources.memory->swap = chance.maybe<int64_t>({-1, 1 << 20, 96 << 20, 2LL << 30, INT64_MAX});
        resources.memory->reservation = chance.maybe<int64_t>({1 << 19, 512 << 20});
    }
    if (chance.coin()) {
        resources.cpu.emplace();
        resources.cpu->quota = chance.maybe<int64_t>({-1, 0, 1000, 50'000, 400'000});
        resources.cpu->period = chance.maybe<uint64_t>({0, 1000, 100'000, 1'000'000});
        resources.cpu->burst = chance.maybe<uint64_t>({0, 10'000, 90'000});
        resources.cpu->realtime_runtime = chance.one_in(20) ? std::optional<int64_t>(1000) : std::nullopt;
    }
    resources.pids_limit = chance.maybe<int64_t>({-1, 0, 1, 64, 100'000});
    if (chance.one_in(3)) {
        resources.block_io.emplace();
        resources.block_io->throttle_read_bps = {{8, 0, chance.pick<uint64_t>({0, 1000, 1 << 30})}};
        resources.block_io->throttle_write_iops = {{7, 1, 10}, {254, 0, 0}};
    }
    if (chance.one_in(20))
        resources.unified = {{chance.pick<const char*>({"memory.max", "cpu.max", "hugetlb.2MB.max"}), "max"}};
    return resources;
}

inline spec::Mount random_mount(Chance& chance)
{
    spec::Mount mount;
    mount.destination = chance.pick<const char*>({"/tmp", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/proc", "/workspace",
                                                  "/artifacts//x/..", "/tmp/x", "/etc/hosts"});
    mount.type =
        chance.pick<const char*>({"bind", "tmpfs", "sysfs", "proc", "none", "cgroup", "devpts", "ext4", "overlay", "debugfs"});
    mount.source = "/source";
    mount.options = chance.some<std::string>({"rbind", "ro", "nosuid", "dev", "suid", "rw", "defaults", "remount"});
    for (auto& option : chance.some<std::string>({"rrw", "rsuid", "noexec", "exec", "nodev", "rnosuid", "rro"}))
        mount.options.push_back(std::move(option));
    if (mount.type == "tmpfs" && chance.coin())
        mount.options.emplace_back(
            chance.pick<const char*>({"size=64k", "size=10g", "size=0", "size=50%", "size=1%", "nr_blocks=10", "size=what"}));
    return mount;
}

inline spec::Spec random_spec(Chance& chance)
{
    using enum spec::NamespaceType;
    spec::Spec spec;
    spec.process = random_process(chance);
    spec.root = spec::Root{"rootfs", chance.coin()};
    for (auto count = chance.below(6); count > 0; count--)
        spec.mounts.push_back(random_mount(chance));
    if (chance.one_in(4)) {
        spec.hooks.emplace();
        spec.hooks->prestart.push_back({"/bin/true", {}, {}, {}});
    }
    spec::Linux& linux = spec.linux.emplace();
    for (auto type : chance.some({mount, pid, network, uts, ipc, user, cgroup}))
        linux.namespaces.push_back({type, chance.one_in(8) ? "/proc/1/ns/x" : ""});
    linux.devices = chance.some<spec::Device>({{'c', "/dev/fuse", 10, 229, {}, {}, {}},
                                               {'b', "/dev/fuse", 8, 0, {}, {}, {}},
                                               {'c', "/dev/null", 1, 3, {}, {}, {}},
                                               {'p', "/run/pipe", 0, 0, {}, {}, {}}});
    if (chance.one_in(4))
        linux.net_devices["eth0"].name = "";
    if (chance.coin())
        linux.resources = random_resources(chance);
    if (chance.coin())
        linux.sysctl = {{"net.ipv4.ip_forward", "1"}, {"kernel.shm_rmid_forced", "1"}};
    if (chance.coin())
        linux.seccomp = spec::Seccomp{"SCMP_ACT_ERRNO", {}, {}, {}, "", "", {}};
    linux.rootfs_propagation = chance.pick<const char*>({"", "rshared", "shared", "rslave", "private"});
    linux.masked_paths = chance.some<std::string>({"/proc/keys", "/proc/kcore"});
    linux.readonly_paths = chance.some<std::string>({"/proc/sys"});
    return spec;
}

inline Filesystem random_filesystem(Chance& chance)
{
    Filesystem filesystem;
    filesystem.read_only_root = chance.coin();
    filesystem.safe_mounts = chance.coin();
    filesystem.tmpfs = chance.some<Tmpfs>({{"/tmp", 1 << 20, false}, {"/workspace/deep", {}, true}, {"/var", 4096, false}});
    filesystem.tmpfs_bytes = chance.maybe<uint64_t>({4096, 64 << 20});
    filesystem.binds = chance.some<Bind>({{"/workspace", BindMode::read_only},
                                          {"/artifacts", BindMode::read_write},
                                          {"/etc", BindMode::read_only},
                                          {"/dev", BindMode::read_write}});
    filesystem.other_binds = chance.pick({BindMode::read_write, BindMode::read_only, BindMode::read_only, BindMode::refused});
    filesystem.hidden = chance.some<std::string>({"/proc/keys", "/proc/timer_list"});
    filesystem.read_only = chance.some<std::string>({"/proc/sys", "/proc/bus"});
    return filesystem;
}

inline Policy random_policy(Chance& chance)
{
    Policy policy;
    policy.name = "random";
    policy.namespaces.own = chance.coin();
    policy.namespaces.may_join = !chance.one_in(4);
    policy.namespaces.require_user = chance.one_in(10);
    if (chance.coin())
        policy.privileges.capabilities = some_capabilities(chance);
    policy.privileges.no_new_privileges = chance.coin();
    policy.privileges.lowest_oom_score_adj = chance.maybe({0, 100});
    policy.privileges.real_time = !chance.one_in(3);
    if (chance.coin())
        policy.privileges.sysctls = chance.some<std::string>({"kernel.shm_rmid_forced"});
    if (chance.coin())
        policy.privileges.devices = chance.some<DeviceNumber>({{'c', 10, 229}});
    policy.filesystem = random_filesystem(chance);
    if (chance.coin())
        policy.environment.allow = chance.some<std::string>({"PATH", "LC_*", "A", "*"});
    if (chance.coin())
        policy.environment.set = {{"HOME", "/tmp"}, {"A", "3"}};
    policy.resources.memory_bytes = chance.maybe<uint64_t>({1 << 20, 128 << 20, UINT64_MAX});
    if (policy.resources.memory_bytes)
        policy.resources.swap_bytes = chance.maybe<uint64_t>({0, 32 << 20});
    policy.resources.milli_cpus = chance.maybe<uint64_t>({1, 500, 4000});
    policy.resources.pids = chance.maybe<uint64_t>({1, 64});
    policy.resources.disk_bytes = chance.maybe<uint64_t>({1 << 16});
    policy.resources.io.read_bytes_per_second = chance.maybe<uint64_t>({500, 1 << 20});
    policy.resources.io.write_operations_per_second = chance.maybe<uint64_t>({5, 50});
    policy.resources.open_files = chance.maybe<uint64_t>({0, 256});
    policy.resources.file_bytes = chance.maybe<uint64_t>({1 << 20});
    policy.resources.core_bytes = chance.maybe<uint64_t>({0});
    policy.filesystem.read_only_root = policy.filesystem.read_only_root || policy.resources.disk_bytes; // as the reader demands
    policy.hooks = chance.pick({Hooks::allowed, Hooks::removed, Hooks::removed, Hooks::refused});
    policy.network.mode = chance.pick({NetworkMode::host, NetworkMode::none, NetworkMode::allow});
    return policy;
}

inline HostLimits random_host(Chance& chance)
{
    HostLimits host;
    host.memory_bytes = chance.pick<uint64_t>({1 << 18, 8ULL << 30});
    host.block_devices = chance.some<HostLimits::BlockDevice>({{8, 0}, {254, 0}});
    host.callers_limits = {{"RLIMIT_NOFILE", chance.pick<uint64_t>({64, 1 << 20}), 64},
                           {"RLIMIT_CORE", UINT64_MAX, 0},
                           {"RLIMIT_FSIZE", UINT64_MAX, UINT64_MAX}};
    return host;
}

} // namespace brig::policy::testing
