#include "spec/mount_options.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <sys/mount.h>

namespace brig::spec {

namespace {

using Effect = void (*)(MountOptions&);

struct OptionWord {
    std::string_view name;
    Effect effect;
};

struct Attributes {
    uint64_t& set;
    uint64_t& clear;

    // Each later word wins, so a bit is never in both masks; the access times are a number of their own in the mask
    // MOUNT_ATTR__ATIME, which the kernel wants cleared as a whole by whoever changes it.
    void add(uint64_t flag)
    {
        bool access_time = flag == MOUNT_ATTR_NOATIME || flag == MOUNT_ATTR_STRICTATIME;
        set = (access_time ? set & ~uint64_t{MOUNT_ATTR__ATIME} : set) | flag;
        clear = access_time ? clear | MOUNT_ATTR__ATIME : clear & ~flag;
    }
    void remove(uint64_t flag)
    {
        bool access_time = flag == MOUNT_ATTR_NOATIME || flag == MOUNT_ATTR_STRICTATIME;
        set &= ~flag;
        clear |= access_time ? uint64_t{MOUNT_ATTR__ATIME} : flag;
    }
    void relatime()
    {
        set &= ~uint64_t{MOUNT_ATTR__ATIME};
        clear |= MOUNT_ATTR__ATIME;
    }
};

Attributes top(MountOptions& options)
{
    return {options.set_attributes, options.clear_attributes};
}

Attributes all(MountOptions& options)
{
    return {options.recursive_set, options.recursive_clear};
}

template<uint64_t flag> void set(MountOptions& options)
{
    top(options).add(flag);
}

template<uint64_t flag> void clear(MountOptions& options)
{
    top(options).remove(flag);
}

template<uint64_t flag> void set_all(MountOptions& options)
{
    all(options).add(flag);
}

template<uint64_t flag> void clear_all(MountOptions& options)
{
    all(options).remove(flag);
}

template<uint64_t flag> void set_superblock(MountOptions& options)
{
    options.superblock_set |= flag;
    options.superblock_clear &= ~flag;
}

template<uint64_t flag> void clear_superblock(MountOptions& options)
{
    options.superblock_clear |= flag;
    options.superblock_set &= ~flag;
}

void read_only(MountOptions& options)
{
    set<MOUNT_ATTR_RDONLY>(options);
    set_superblock<MS_RDONLY>(options);
}

void read_write(MountOptions& options)
{
    clear<MOUNT_ATTR_RDONLY>(options);
    clear_superblock<MS_RDONLY>(options);
}

template<bool MountOptions::*member> void turn_on(MountOptions& options)
{
    options.*member = true;
}

void recursive_bind(MountOptions& options)
{
    options.bind = true;
    options.recursive_bind = true;
}

void recursive_idmap(MountOptions& options)
{
    options.idmap = true;
    options.recursive_idmap = true;
}

void nothing(MountOptions&) {}

// config.md "Linux mount options", mount(8), and the extensions of runc (tmpcopyup) and crun (the last three).
// "norelatime" asks for a kernel default that is gone since 2.6.30, so there is nothing to do for it.
constexpr std::array option_table = {
    OptionWord{"acl", set_superblock<MS_POSIXACL>},
    OptionWord{"async", clear_superblock<MS_SYNCHRONOUS>},
    OptionWord{"atime", clear<MOUNT_ATTR_NOATIME>},
    OptionWord{"bind", turn_on<&MountOptions::bind>},
    OptionWord{"copy-symlink", turn_on<&MountOptions::copy_symlink>},
    OptionWord{"defaults", nothing},
    OptionWord{"dest-nofollow", turn_on<&MountOptions::destination_nofollow>},
    OptionWord{"dev", clear<MOUNT_ATTR_NODEV>},
    OptionWord{"diratime", clear<MOUNT_ATTR_NODIRATIME>},
    OptionWord{"dirsync", set_superblock<MS_DIRSYNC>},
    OptionWord{"exec", clear<MOUNT_ATTR_NOEXEC>},
    OptionWord{"idmap", turn_on<&MountOptions::idmap>},
    OptionWord{"iversion", set_superblock<MS_I_VERSION>},
    OptionWord{"lazytime", set_superblock<MS_LAZYTIME>},
    OptionWord{"loud", clear_superblock<MS_SILENT>},
    OptionWord{"mand", set_superblock<MS_MANDLOCK>},
    OptionWord{"noacl", clear_superblock<MS_POSIXACL>},
    OptionWord{"noatime", set<MOUNT_ATTR_NOATIME>},
    OptionWord{"nodev", set<MOUNT_ATTR_NODEV>},
    OptionWord{"nodiratime", set<MOUNT_ATTR_NODIRATIME>},
    OptionWord{"noexec", set<MOUNT_ATTR_NOEXEC>},
    OptionWord{"noiversion", clear_superblock<MS_I_VERSION>},
    OptionWord{"nolazytime", clear_superblock<MS_LAZYTIME>},
    OptionWord{"nomand", clear_superblock<MS_MANDLOCK>},
    OptionWord{"norelatime", nothing},
    OptionWord{"nostrictatime", clear<MOUNT_ATTR_STRICTATIME>},
    OptionWord{"nosuid", set<MOUNT_ATTR_NOSUID>},
    OptionWord{"nosymfollow", set<MOUNT_ATTR_NOSYMFOLLOW>},
    OptionWord{"ratime", clear_all<MOUNT_ATTR_NOATIME>},
    OptionWord{"rbind", recursive_bind},
    OptionWord{"rdev", clear_all<MOUNT_ATTR_NODEV>},
    OptionWord{"rdiratime", clear_all<MOUNT_ATTR_NODIRATIME>},
    OptionWord{"relatime", [](MountOptions& options) { top(options).relatime(); }},
    OptionWord{"remount", turn_on<&MountOptions::remount>},
    OptionWord{"rexec", clear_all<MOUNT_ATTR_NOEXEC>},
    OptionWord{"ridmap", recursive_idmap},
    OptionWord{"rnoatime", set_all<MOUNT_ATTR_NOATIME>},
    OptionWord{"rnodev", set_all<MOUNT_ATTR_NODEV>},
    OptionWord{"rnodiratime", set_all<MOUNT_ATTR_NODIRATIME>},
    OptionWord{"rnoexec", set_all<MOUNT_ATTR_NOEXEC>},
    OptionWord{"rnorelatime", nothing},
    OptionWord{"rnostrictatime", clear_all<MOUNT_ATTR_STRICTATIME>},
    OptionWord{"rnosuid", set_all<MOUNT_ATTR_NOSUID>},
    OptionWord{"rnosymfollow", set_all<MOUNT_ATTR_NOSYMFOLLOW>},
    OptionWord{"ro", read_only},
    OptionWord{"rrelatime", [](MountOptions& options) { all(options).relatime(); }},
    OptionWord{"rro", set_all<MOUNT_ATTR_RDONLY>},
    OptionWord{"rrw", clear_all<MOUNT_ATTR_RDONLY>},
    OptionWord{"rstrictatime", set_all<MOUNT_ATTR_STRICTATIME>},
    OptionWord{"rsuid", clear_all<MOUNT_ATTR_NOSUID>},
    OptionWord{"rsymfollow", clear_all<MOUNT_ATTR_NOSYMFOLLOW>},
    OptionWord{"rw", read_write},
    OptionWord{"silent", set_superblock<MS_SILENT>},
    OptionWord{"src-nofollow", turn_on<&MountOptions::source_nofollow>},
    OptionWord{"strictatime", set<MOUNT_ATTR_STRICTATIME>},
    OptionWord{"suid", clear<MOUNT_ATTR_NOSUID>},
    OptionWord{"symfollow", clear<MOUNT_ATTR_NOSYMFOLLOW>},
    OptionWord{"sync", set_superblock<MS_SYNCHRONOUS>},
    OptionWord{"tmpcopyup", turn_on<&MountOptions::tmpcopyup>},
    OptionWord{"tmpfs-upper", [](MountOptions& options) { options.tmpfs_upper = ""; }},
};

Result<> apply_id_map(std::string_view option, MountOptions& options)
{
    options.idmap = true;
    options.recursive_idmap = option.starts_with('r');
    options.id_map = TRY(parse_id_map_option(option.substr(option.find('=') + 1)));
    return {};
}

Result<> apply_option(std::string_view option, MountOptions& options)
{
    auto known = std::ranges::find(option_table, option, &OptionWord::name);
    if (known != option_table.end()) {
        known->effect(options);
        return {};
    }
    if (auto propagation = find_propagation(option)) {
        options.propagation.push_back(*propagation);
        return {};
    }
    if (option.starts_with("idmap=") || option.starts_with("ridmap="))
        return apply_id_map(option, options);
    constexpr std::string_view tmpfs_upper = "tmpfs-upper=";
    if (option.starts_with(tmpfs_upper)) {
        options.tmpfs_upper = std::string(option.substr(tmpfs_upper.size()));
        return {};
    }
    if (!option.empty())
        options.data.emplace_back(option);
    return {};
}

} // namespace

Result<MountOptions> parse_mount_options(const std::vector<std::string>& options)
{
    MountOptions parsed;
    for (const auto& option : options)
        TRY(apply_option(option, parsed));
    return parsed;
}

std::vector<std::string_view> superblock_words(const MountOptions& options)
{
    struct SuperblockWord {
        uint64_t flag;
        std::string_view on;
        std::string_view off;
    };
    // The kernel has no word that turns dirsync off.
    constexpr std::array table = {
        SuperblockWord{MS_RDONLY, "ro", "rw"},
        SuperblockWord{MS_SYNCHRONOUS, "sync", "async"},
        SuperblockWord{MS_DIRSYNC, "dirsync", ""},
        SuperblockWord{MS_MANDLOCK, "mand", "nomand"},
        SuperblockWord{MS_LAZYTIME, "lazytime", "nolazytime"},
    };
    std::vector<std::string_view> words;
    for (const auto& row : table) {
        if (options.superblock_set & row.flag)
            words.push_back(row.on);
        if ((options.superblock_clear & row.flag) && !row.off.empty())
            words.push_back(row.off);
    }
    return words;
}

std::vector<std::string> mount_option_names()
{
    std::vector<std::string> names = propagation_names();
    for (const auto& word : option_table)
        names.emplace_back(word.name);
    std::ranges::sort(names);
    return names;
}

} // namespace brig::spec
