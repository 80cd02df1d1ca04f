#include "spec/mount_options.hpp"

#include <algorithm>
#include <criterion/criterion.h>
#include <sys/mount.h>

using namespace brig;
using namespace brig::spec;
using Texts = std::vector<std::string>;

static MountOptions parsed(const Texts& options)
{
    auto result = parse_mount_options(options);
    cr_assert(result.has_value(), "%s", result ? "" : result.error().message().c_str());
    return *result;
}

Test(mount_options, attributes)
{
    struct Row {
        const char* on;
        const char* off;
        uint64_t flag;
    };
    for (const auto& row : std::vector<Row>{{"nosuid", "suid", MOUNT_ATTR_NOSUID},
                                            {"nodev", "dev", MOUNT_ATTR_NODEV},
                                            {"noexec", "exec", MOUNT_ATTR_NOEXEC},
                                            {"nodiratime", "diratime", MOUNT_ATTR_NODIRATIME},
                                            {"nosymfollow", "symfollow", MOUNT_ATTR_NOSYMFOLLOW},
                                            {"ro", "rw", MOUNT_ATTR_RDONLY}}) {
        auto set = parsed({row.on});
        cr_expect(set.set_attributes == row.flag && set.clear_attributes == 0, "%s", row.on);
        auto cleared = parsed({row.off});
        cr_expect(cleared.set_attributes == 0 && cleared.clear_attributes == row.flag, "%s", row.off);
        auto both = parsed({row.on, row.off});
        cr_expect(both.set_attributes == 0 && both.clear_attributes == row.flag, "the later option wins: %s", row.off);
        both = parsed({row.off, row.on});
        cr_expect(both.set_attributes == row.flag && both.clear_attributes == 0, "the later option wins: %s", row.on);
        cr_expect(set.recursive_set == 0 && set.recursive_clear == 0 && set.data.empty());
    }
}

Test(mount_options, recursive_attributes)
{
    struct Row {
        const char* on;
        const char* off;
        uint64_t flag;
    };
    for (const auto& row : std::vector<Row>{{"rnosuid", "rsuid", MOUNT_ATTR_NOSUID},
                                            {"rnodev", "rdev", MOUNT_ATTR_NODEV},
                                            {"rnoexec", "rexec", MOUNT_ATTR_NOEXEC},
                                            {"rnodiratime", "rdiratime", MOUNT_ATTR_NODIRATIME},
                                            {"rnosymfollow", "rsymfollow", MOUNT_ATTR_NOSYMFOLLOW},
                                            {"rro", "rrw", MOUNT_ATTR_RDONLY}}) {
        auto set = parsed({row.on});
        cr_expect(set.recursive_set == row.flag && set.recursive_clear == 0, "%s", row.on);
        auto cleared = parsed({row.on, row.off});
        cr_expect(cleared.recursive_set == 0 && cleared.recursive_clear == row.flag, "%s", row.off);
        cr_expect(set.set_attributes == 0 && set.clear_attributes == 0 && set.superblock_set == 0);
    }
}

// The kernel refuses mount_setattr calls that set an access time without clearing the whole mask.
Test(mount_options, access_times)
{
    struct Row {
        Texts options;
        uint64_t set;
        uint64_t clear;
    };
    constexpr uint64_t mask = MOUNT_ATTR__ATIME;
    for (const auto& row : std::vector<Row>{{{"noatime"}, MOUNT_ATTR_NOATIME, mask},
                                            {{"strictatime"}, MOUNT_ATTR_STRICTATIME, mask},
                                            {{"relatime"}, 0, mask},
                                            {{"atime"}, 0, mask},
                                            {{"nostrictatime"}, 0, mask},
                                            {{"norelatime"}, 0, 0},
                                            {{"noatime", "strictatime"}, MOUNT_ATTR_STRICTATIME, mask},
                                            {{"strictatime", "noatime"}, MOUNT_ATTR_NOATIME, mask},
                                            {{"noatime", "relatime"}, 0, mask},
                                            {{"noatime", "nostrictatime"}, MOUNT_ATTR_NOATIME, mask},
                                            {{"strictatime", "atime"}, MOUNT_ATTR_STRICTATIME, mask},
                                            {{"noatime", "nodiratime"}, MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODIRATIME, mask}}) {
        auto options = parsed(row.options);
        cr_expect(options.set_attributes == row.set && options.clear_attributes == row.clear, "%s", row.options.back().c_str());
        Texts recursive;
        for (const auto& option : row.options)
            recursive.push_back("r" + option);
        options = parsed(recursive);
        cr_expect(options.recursive_set == row.set && options.recursive_clear == row.clear, "%s", recursive.back().c_str());
    }
}

Test(mount_options, superblock)
{
    auto options = parsed({"ro", "sync", "dirsync", "mand", "lazytime", "silent", "iversion", "acl"});
    cr_expect(options.superblock_set
              == (MS_RDONLY | MS_SYNCHRONOUS | MS_DIRSYNC | MS_MANDLOCK | MS_LAZYTIME | MS_SILENT | MS_I_VERSION | MS_POSIXACL));
    cr_expect((superblock_words(options) == std::vector<std::string_view>{"ro", "sync", "dirsync", "mand", "lazytime"}));
    options = parsed({"sync", "rw", "async", "nomand", "nolazytime", "loud", "noiversion", "noacl"});
    cr_expect(options.superblock_set == 0);
    cr_expect(options.superblock_clear
              == (MS_RDONLY | MS_SYNCHRONOUS | MS_MANDLOCK | MS_LAZYTIME | MS_SILENT | MS_I_VERSION | MS_POSIXACL));
    cr_expect((superblock_words(options) == std::vector<std::string_view>{"rw", "async", "nomand", "nolazytime"}));
    cr_expect((superblock_words(parsed({"nosuid", "rro"})).empty()));
}

Test(mount_options, propagation)
{
    auto options = parsed({"rslave", "shared"});
    cr_expect((options.propagation == std::vector<PropagationChange>{{Propagation::slave, true}, {Propagation::shared, false}}));
    cr_expect((parsed({"bind"}).propagation.empty()));
}

Test(mount_options, binds_and_extensions)
{
    auto options = parsed({"bind"});
    cr_expect(options.bind && !options.recursive_bind && !options.remount);
    options = parsed({"rbind"});
    cr_expect(options.bind && options.recursive_bind);
    cr_expect((parsed({"remount"}).remount));
    options = parsed({"idmap"});
    cr_expect(options.idmap && !options.recursive_idmap);
    options = parsed({"ridmap"});
    cr_expect(options.idmap && options.recursive_idmap);
    cr_expect((parsed({"tmpcopyup"}).tmpcopyup));
    cr_expect((parsed({"copy-symlink"}).copy_symlink));
    cr_expect((parsed({"src-nofollow"}).source_nofollow));
    cr_expect((parsed({"dest-nofollow"}).destination_nofollow));
}

Test(mount_options, what_is_unknown_goes_to_the_file_system)
{
    auto options = parsed({"defaults", "", "mode=755", "newinstance", "nosuid", "size=64m", "RO", "context=a,b"});
    cr_expect((options.data == Texts{"mode=755", "newinstance", "size=64m", "RO", "context=a,b"}));
    cr_expect(options.set_attributes == MOUNT_ATTR_NOSUID);
}

Test(mount_options, id_maps_with_a_value)
{
    auto options = parsed({"ridmap=uids=0-1000-10#@10-5000-5;gids=@3-4-5"});
    cr_assert(options.idmap && options.recursive_idmap && options.id_map);
    cr_assert(options.id_map->uids.size() == 2 && options.id_map->gids.size() == 1);
    cr_expect(options.id_map->uids[0].other_id == 1000 && !options.id_map->uids[0].relative);
    cr_expect(options.id_map->uids[1].file_system_id == 10 && options.id_map->uids[1].size == 5
              && options.id_map->uids[1].relative);
    auto resolved = resolve_id_ranges(options.id_map->uids, {{0, 7, 1}, {4999, 20000, 6}});
    cr_assert(resolved && resolved->size() == 2);
    cr_expect((*resolved)[0].host_id == 1000 && (*resolved)[1].host_id == 20001 && (*resolved)[1].container_id == 10);
    for (const char* option :
         {"idmap=uids=0-1-10", "ridmap=@", "idmap=", "idmap=gids=1-2-3;uids=", "idmap=uids=1-2-3-4;gids=1-2-3"})
        cr_expect((parse_mount_options({option}).error().kind() == ErrorKind::invalid), "%s", option);
    // One range of the container after the other is not one range.
    cr_expect((!resolve_id_ranges(options.id_map->uids, {{0, 7, 1}, {4999, 20000, 5}, {5004, 90000, 5}})));
    cr_expect((!resolve_id_ranges({{0, 0xffffffff, 2, true}}, {{0, 0, 0xffffffff}})));
}

// config.md lists them; Docker refuses recursive read-only binds unless "rro" is there.
Test(mount_options, names)
{
    auto names = mount_option_names();
    cr_expect(std::ranges::is_sorted(names));
    cr_expect(std::ranges::adjacent_find(names) == names.end());
    for (const char* name : {"async",
                             "atime",
                             "bind",
                             "defaults",
                             "dev",
                             "diratime",
                             "dirsync",
                             "exec",
                             "iversion",
                             "lazytime",
                             "loud",
                             "mand",
                             "noatime",
                             "nodev",
                             "nodiratime",
                             "noexec",
                             "noiversion",
                             "nolazytime",
                             "nomand",
                             "norelatime",
                             "nostrictatime",
                             "nosuid",
                             "nosymfollow",
                             "private",
                             "ratime",
                             "rbind",
                             "rdev",
                             "rdiratime",
                             "relatime",
                             "remount",
                             "rexec",
                             "rnoatime",
                             "rnodev",
                             "rnodiratime",
                             "rnoexec",
                             "rnorelatime",
                             "rnostrictatime",
                             "rnosuid",
                             "rnosymfollow",
                             "ro",
                             "rprivate",
                             "rrelatime",
                             "rro",
                             "rrw",
                             "rshared",
                             "rslave",
                             "rstrictatime",
                             "rsuid",
                             "rsymfollow",
                             "runbindable",
                             "rw",
                             "shared",
                             "silent",
                             "slave",
                             "strictatime",
                             "suid",
                             "symfollow",
                             "sync",
                             "tmpcopyup",
                             "tmpfs-upper",
                             "unbindable",
                             "idmap",
                             "ridmap"})
        cr_expect(std::ranges::binary_search(names, name), "%s", name);
    for (const auto& name : names)
        cr_expect((parsed({name}).data.empty()), "%s is listed but not known", name.c_str());
}
