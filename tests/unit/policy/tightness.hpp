// The partial order "is at least as tight as" between specs, told apart from how tighten() works: what a container can do
// under `after` it could do under `before`.
#pragma once

#include "base/size.hpp"
#include "base/text.hpp"
#include "policy/tighten.hpp"
#include "spec/mount_options.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <sys/mount.h>
#include <vector>

namespace brig::policy::testing {

// Names of the respects in which `after` is looser; empty: it is at least as tight.
class Loosened {
public:
    Loosened(const spec::Spec& after, const spec::Spec& before, const Policy& policy, const HostLimits& host)
        : m_after(after), m_before(before), m_policy(policy), m_host(host)
    {
        process();
        isolation();
        devices();
        resources();
        filesystem();
    }

    std::string text() const { return join(m_found, "; "); }
    bool empty() const { return m_found.empty(); }

private:
    void expect(bool holds, const std::string& what)
    {
        if (!holds)
            m_found.push_back(what);
    }

    template<typename Items> static bool is_subset(const Items& some, const Items& all)
    {
        return std::all_of(some.begin(), some.end(),
                           [&](const auto& item) { return std::find(all.begin(), all.end(), item) != all.end(); });
    }

    static std::string name(const std::string& entry) { return entry.substr(0, entry.find('=')); }

    static const spec::Rlimit limit_in(const std::vector<spec::Rlimit>& limits, const std::string& type,
                                       const spec::Rlimit& other)
    {
        for (const auto& limit : limits)
            if (limit.type == type)
                return limit;
        return other;
    }

    void process()
    {
        const auto& after = *m_after.process;
        const auto& before = *m_before.process;
        expect(after.args == before.args && after.cwd == before.cwd && after.user.uid == before.user.uid,
               "the program is another");
        expect(!after.capabilities || before.capabilities, "capabilities out of nothing");
        if (after.capabilities && before.capabilities) {
            expect(is_subset(after.capabilities->bounding, before.capabilities->bounding), "bounding");
            expect(is_subset(after.capabilities->effective, before.capabilities->effective), "effective");
            expect(is_subset(after.capabilities->inheritable, before.capabilities->inheritable), "inheritable");
            expect(is_subset(after.capabilities->permitted, before.capabilities->permitted), "permitted");
            expect(is_subset(after.capabilities->ambient, before.capabilities->ambient), "ambient");
        }
        expect(after.no_new_privileges || !before.no_new_privileges, "noNewPrivileges");
        expect(!before.oom_score_adj || (after.oom_score_adj && *after.oom_score_adj >= *before.oom_score_adj), "oomScoreAdj");
        for (const char* type : {"RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_STACK"}) {
            auto callers = limit_in(m_host.callers_limits, type, {type, UINT64_MAX, UINT64_MAX});
            auto old = limit_in(before.rlimits, type, callers);
            auto now = limit_in(after.rlimits, type, callers);
            expect(now.hard <= old.hard && now.soft <= old.soft, type);
        }
        for (const auto& entry : after.env) {
            auto set = m_policy.environment.set.find(name(entry));
            bool is_set = set != m_policy.environment.set.end() && entry == set->first + "=" + set->second;
            expect(is_set || is_subset(std::vector{entry}, before.env), "env " + entry);
        }
    }

    void isolation()
    {
        const auto& after = *m_after.linux;
        const auto& before = *m_before.linux;
        for (const auto& old : before.namespaces)
            expect(std::ranges::any_of(after.namespaces,
                                       [&](const auto& now) { return now.type == old.type && now.path == old.path; }),
                   "a namespace is gone");
        for (const auto& now : after.namespaces)
            expect(now.path.empty()
                       || std::ranges::any_of(before.namespaces, [&](const auto& old) { return now.path == old.path; }),
                   "a namespace is joined");
        auto hooks = [](const spec::Spec& spec) { return spec.hooks ? spec.hooks->prestart.size() : 0; };
        expect(hooks(m_after) <= hooks(m_before), "hooks");
        for (const auto& [key, value] : after.sysctl)
            expect(before.sysctl.contains(key) && before.sysctl.at(key) == value, "sysctl " + key);
        for (const auto& [key, device] : after.net_devices)
            expect(before.net_devices.contains(key), "net device");
        expect(after.seccomp.has_value() == before.seccomp.has_value(), "the bundle's seccomp");
        expect(!contains(after.rootfs_propagation, "shared") || contains(before.rootfs_propagation, "shared"), "propagation");
    }

    // As the kernel's filter on cgroup v2 does it: the last rule that matches decides.
    static bool allows(const spec::Spec& spec, char type, int64_t major, int64_t minor, char access)
    {
        bool allowed = false;
        if (spec.linux->resources)
            for (const auto& rule : spec.linux->resources->devices)
                if ((rule.type == 'a' || rule.type == type) && rule.major.value_or(major) == major
                    && rule.minor.value_or(minor) == minor && contains(rule.access, std::string(1, access)))
                    allowed = rule.allow;
        return allowed;
    }

    void devices()
    {
        for (char type : {'b', 'c'})
            for (int64_t major : {1, 5, 8, 10, 136})
                for (int64_t minor : {0, 3, 229})
                    for (char access : {'r', 'w', 'm'})
                        expect(!allows(m_after, type, major, minor, access) || allows(m_before, type, major, minor, access),
                               fmt::format("device {} {}:{} {}", type, major, minor, access));
        for (const auto& node : m_after.linux->devices)
            expect(std::ranges::any_of(m_before.linux->devices,
                                       [&](const auto& old) { return old.path == node.path && old.major == node.major; }),
                   "device node");
    }

    static double bound(const std::optional<int64_t>& limit) { return limit && *limit >= 0 ? static_cast<double>(*limit) : 1e30; }

    static double cpus(const spec::Resources& resources)
    {
        if (!resources.cpu || resources.cpu->quota.value_or(-1) <= 0)
            return 1e30;
        auto period = resources.cpu->period.value_or(0);
        return static_cast<double>(*resources.cpu->quota) / static_cast<double>(period == 0 ? 100'000 : period);
    }

    static double rate(const std::vector<spec::ThrottleDevice>& rates, int64_t major)
    {
        for (const auto& device : rates)
            if (device.major == major && device.rate != 0)
                return static_cast<double>(device.rate);
        return 1e30;
    }

    void resources()
    {
        const spec::Resources none;
        const auto& after = m_after.linux->resources ? *m_after.linux->resources : none;
        const auto& before = m_before.linux->resources ? *m_before.linux->resources : none;
        auto memory = [](const spec::Resources& resources) { return resources.memory.value_or(spec::Memory{}); };
        double old_limit = bound(memory(before).limit);
        double old_sum = std::max(bound(memory(before).swap), memory(before).limit ? old_limit : 0);
        expect(bound(memory(after).limit) <= old_limit, "memory.limit");
        expect(bound(memory(after).swap) <= old_sum || bound(memory(before).swap) >= 1e30, "memory.swap");
        expect(bound(memory(after).reservation) <= bound(memory(before).reservation), "memory.reservation");
        expect(cpus(after) <= cpus(before) * 1.0000001, "cpu");
        auto burst = [](const spec::Resources& resources) { return resources.cpu ? resources.cpu->burst.value_or(0) : 0; };
        expect(burst(after) <= burst(before), "cpu.burst");
        expect(bound(after.pids_limit) <= bound(before.pids_limit), "pids");
        auto io = [](const spec::Resources& resources) { return resources.block_io.value_or(spec::BlockIo{}); };
        for (int64_t major : {7, 8, 254}) {
            expect(rate(io(after).throttle_read_bps, major) <= rate(io(before).throttle_read_bps, major), "read bps");
            expect(rate(io(after).throttle_write_iops, major) <= rate(io(before).throttle_write_iops, major), "write iops");
        }
        expect(after.unified == before.unified, "unified");
    }

    double tmpfs_bytes(const spec::Mount& mount) const
    {
        double bytes = static_cast<double>(m_host.memory_bytes) / 2;
        for (const auto& option : mount.options) {
            auto value = option.substr(option.find('=') + 1);
            if (option.starts_with("nr_blocks="))
                bytes = std::stod(value) * 4096;
            if (!option.starts_with("size="))
                continue;
            auto size = parse_size(value);
            if (value.ends_with('%'))
                bytes = static_cast<double>(m_host.memory_bytes) / 100 * std::stod(value);
            else
                bytes = size && *size > 0 ? static_cast<double>(*size) : 1e30;
        }
        return bytes;
    }

    void mount(const spec::Mount& now, const spec::Mount& old)
    {
        auto place = "mount at " + old.destination;
        expect(now.destination == old.destination && now.type == old.type && now.source == old.source, place + " is another");
        auto after = spec::parse_mount_options(now.options);
        auto before = spec::parse_mount_options(old.options);
        if (!after || !before)
            return;
        constexpr uint64_t strict = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        expect((before->set_attributes & strict & ~after->set_attributes) == 0, place + " lost a flag");
        expect((before->recursive_set & strict & ~after->recursive_set) == 0, place + " lost a recursive flag");
        expect((after->clear_attributes & strict & ~before->clear_attributes) == 0, place + " clears a flag");
        expect((after->recursive_clear & strict & ~before->recursive_clear) == 0, place + " clears a recursive flag");
        expect(after->bind == before->bind && after->remount == before->remount, place + " is of another kind");
        if (now.type == "tmpfs" && !after->remount)
            expect(tmpfs_bytes(now) <= tmpfs_bytes(old) * 1.01, place + " has grown");
    }

    void added(const spec::Mount& now)
    {
        auto options = spec::parse_mount_options(now.options);
        expect(now.type == "tmpfs" && options && (options->set_attributes & MOUNT_ATTR_NOSUID) != 0
                   && (options->set_attributes & MOUNT_ATTR_NODEV) != 0,
               "a mount that is no mask is added");
        expect(!m_before.root->readonly, "a writable place where there was none");
        for (const auto& old : m_before.mounts) {
            auto place = clean_path(old.destination);
            expect(now.destination != place && !now.destination.starts_with(place + "/"), "a mask over a mount of the bundle");
        }
    }

    void filesystem()
    {
        expect(m_after.root->readonly || !m_before.root->readonly, "root.readonly");
        expect(m_after.root->path == m_before.root->path, "root.path");
        expect(is_subset(m_before.linux->masked_paths, m_after.linux->masked_paths), "maskedPaths");
        expect(is_subset(m_before.linux->readonly_paths, m_after.linux->readonly_paths), "readonlyPaths");
        expect(m_after.mounts.size() >= m_before.mounts.size(), "a mount is gone");
        size_t extra = m_after.mounts.size() - std::min(m_after.mounts.size(), m_before.mounts.size());
        for (size_t index = 0; index < m_after.mounts.size(); index++)
            if (index < extra)
                added(m_after.mounts[index]);
            else
                mount(m_after.mounts[index], m_before.mounts[index - extra]);
    }

    const spec::Spec& m_after;
    const spec::Spec& m_before;
    const Policy& m_policy;
    const HostLimits& m_host;
    std::vector<std::string> m_found;
};

} // namespace brig::policy::testing
