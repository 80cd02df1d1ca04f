#include "policy/tighten_mount.hpp"

#include "base/size.hpp"
#include "spec/mount_options.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <sys/mount.h>

namespace brig::policy {

namespace {

// Their content is the kernel's own and no file of the host is reached through them.
constexpr std::array<std::string_view, 7> kernels_own = {"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"};
// Settings and secrets of the whole host, or memory without a limit.
constexpr std::array<std::string_view, 15> dangerous = {"debugfs",     "tracefs",   "securityfs", "bpf",   "devtmpfs",
                                                        "configfs",    "pstore",    "efivarfs",   "ramfs", "fusectl",
                                                        "binfmt_misc", "selinuxfs", "smackfs",    "nfsd",  "rpc_pipefs"};

template<size_t count> bool is_among(std::string_view word, const std::array<std::string_view, count>& words)
{
    return std::ranges::find(words, word) != words.end();
}

struct Attribute {
    uint64_t bit;
    std::string_view option; // that sets it on the mount; with "r" in front on all below it
};

constexpr Attribute no_setuid = {MOUNT_ATTR_NOSUID, "nosuid"};
constexpr Attribute no_devices = {MOUNT_ATTR_NODEV, "nodev"};
constexpr Attribute not_executable = {MOUNT_ATTR_NOEXEC, "noexec"};
constexpr Attribute not_writable = {MOUNT_ATTR_RDONLY, "ro"};

// The last of contradicting options holds: what is demanded goes to the end, unless it holds already. Of a recursive bind also
// for what is mounted below its source.
Result<> demand(spec::Mount& mount, const Attribute& attribute, std::vector<std::string>& added)
{
    auto options = TRY(spec::parse_mount_options(mount.options));
    if ((options.set_attributes & attribute.bit) == 0)
        added.emplace_back(attribute.option);
    bool below = options.recursive_bind || (options.recursive_clear & attribute.bit) != 0;
    if (below && (options.recursive_set & attribute.bit) == 0)
        added.push_back(fmt::format("r{}", attribute.option));
    mount.options.insert(mount.options.end(), added.begin(), added.end());
    return {};
}

std::string place_of(const spec::Mount& mount)
{
    return fmt::format("mounts {}", mount.destination);
}

Result<> demand_all(spec::Mount& mount, std::initializer_list<Attribute> attributes, std::string_view why, Changes& changes)
{
    std::vector<std::string> all;
    for (const auto& attribute : attributes) {
        std::vector<std::string> added;
        TRY(demand(mount, attribute, added));
        all.insert(all.end(), added.begin(), added.end());
    }
    if (!all.empty())
        changes.add(fmt::format("{} options", place_of(mount)), "without them", join(all, ","), why);
    return {};
}

BindMode mode_of(const Filesystem& filesystem, std::string_view destination)
{
    const Bind* closest = nullptr;
    for (const auto& rule : filesystem.binds)
        if (covers(rule.path, destination) && (closest == nullptr || rule.path.size() > closest->path.size()))
            closest = &rule;
    return closest != nullptr ? closest->mode : filesystem.other_binds;
}

Result<> tighten_bind(spec::Mount& mount, const Policy& policy, Changes& changes)
{
    std::string destination = clean_path(mount.destination);
    // The root itself, of an image: filesystem.readOnlyRoot is about that.
    if (destination == "/" && mount.type == "overlay")
        return {};
    switch (mode_of(policy.filesystem, destination)) {
    case BindMode::read_write: return {};
    case BindMode::refused:
        return changes.refuse(place_of(mount), quoted(mount.source), "closes this place to mounts of files",
                              "name the place in filesystem.binds of the policy, or mount it elsewhere");
    case BindMode::read_only: break;
    }
    return demand_all(mount, {not_writable}, "has files of the host read-only there", changes);
}

Result<> make_safe(spec::Mount& mount, Changes& changes)
{
    if (is_among(mount.type, dangerous))
        return changes.refuse(place_of(mount), mount.type, "has filesystem.safeMounts true",
                              "leave out file systems with settings of the host");
    constexpr std::string_view why = "has filesystem.safeMounts true";
    std::string destination = clean_path(mount.destination);
    TRY(demand_all(mount, {no_setuid}, why, changes));
    if (destination != "/dev" && destination != "/dev/pts" && mount.type != "devpts")
        TRY(demand_all(mount, {no_devices}, why, changes));
    bool is_settings = mount.type == "sysfs" || mount.type == "cgroup" || mount.type == "cgroup2" || covers("/sys", destination);
    return is_settings ? demand_all(mount, {not_writable}, why, changes) : Result<>();
}

bool is_tmpfs_size(std::string_view option)
{
    return option.starts_with("size=") || option.starts_with("nr_blocks=");
}

// Of a tmpfs without the option size.
uint64_t default_tmpfs_bytes(const HostLimits& host)
{
    return host.memory_bytes > 0 ? host.memory_bytes / 2 : UINT64_MAX;
}

// Of the options as they stand; the kernel takes the last.
uint64_t present_size(const spec::Mount& mount, const HostLimits& host)
{
    constexpr uint64_t page = 4096;
    constexpr uint64_t percent = 100;
    uint64_t size = default_tmpfs_bytes(host);
    for (const auto& option : mount.options) {
        if (!is_tmpfs_size(option))
            continue;
        std::string_view value = std::string_view(option).substr(option.find('=') + 1);
        uint64_t unit = option.starts_with("nr_blocks=") ? page : 1;
        if (value.ends_with('%')) {
            auto part = parse_unsigned(value.substr(0, value.size() - 1));
            size =
                part && *part > 0 && *part <= percent && host.memory_bytes > 0 ? host.memory_bytes / percent * *part : UINT64_MAX;
            continue;
        }
        auto bytes = parse_size(value);
        // 0 is "unlimited" to tmpfs; what cannot be read counts as that.
        bool known = bytes && *bytes > 0 && static_cast<uint64_t>(*bytes) < UINT64_MAX / page;
        size = known ? static_cast<uint64_t>(*bytes) * unit : UINT64_MAX;
    }
    return size;
}

Result<> bound_tmpfs(spec::Mount& mount, const Policy& policy, const HostLimits& host, Changes& changes)
{
    std::string destination = clean_path(mount.destination);
    auto limit = tmpfs_limit(policy, destination);
    uint64_t present = present_size(mount, host);
    if (limit && present > *limit) {
        std::erase_if(mount.options, is_tmpfs_size);
        mount.options.push_back(fmt::format("size={}", *limit));
        changes.add(fmt::format("{} size", place_of(mount)), present == UINT64_MAX ? "unlimited" : std::to_string(present),
                    std::to_string(*limit), "allows a tmpfs no more");
    }
    auto listed = std::ranges::find(policy.filesystem.tmpfs, destination, &Tmpfs::path);
    if (listed != policy.filesystem.tmpfs.end() && !listed->executable)
        return demand_all(mount, {not_executable}, "has nothing to execute there", changes);
    return {};
}

} // namespace

std::optional<uint64_t> tmpfs_limit(const Policy& policy, std::string_view path)
{
    auto listed = std::ranges::find(policy.filesystem.tmpfs, path, &Tmpfs::path);
    std::optional<uint64_t> limit = listed != policy.filesystem.tmpfs.end() ? listed->bytes : policy.filesystem.tmpfs_bytes;
    if (policy.resources.disk_bytes)
        limit = std::min(limit.value_or(UINT64_MAX), *policy.resources.disk_bytes);
    return limit;
}

Result<> tighten_mount(spec::Mount& mount, const Policy& policy, const HostLimits& host, Changes& changes)
{
    auto options = TRY(spec::parse_mount_options(mount.options));
    bool is_files = options.bind || mount.type == "bind" || !is_among(mount.type, kernels_own);
    // A remount changes whatever is there, by whatever type it is called.
    if (is_files || options.remount)
        TRY(tighten_bind(mount, policy, changes));
    bool is_new_tmpfs = mount.type == "tmpfs" && !options.bind && !options.remount;
    if (is_new_tmpfs || std::ranges::any_of(mount.options, is_tmpfs_size))
        TRY(bound_tmpfs(mount, policy, host, changes));
    if (policy.filesystem.safe_mounts)
        TRY(make_safe(mount, changes));
    return {};
}

} // namespace brig::policy
