// kernel/mounting.hpp on detached mounts, which need no namespace of their own.
#include "base/text.hpp"
#include "kernel/copy_tree.hpp"
#include "kernel/files.hpp"
#include "kernel/id_mapped.hpp"
#include "kernel/mounting.hpp"
#include "support/scratch.hpp"

#include <cerrno>
#include <criterion/criterion.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

using namespace brig;
using namespace brig::kernel;

namespace {

template<typename T> void expect_success(const Result<T>& result)
{
    cr_assert(result.has_value(), "%s", result ? "" : result.error().message().c_str());
}

Fd new_tmpfs(uint64_t attributes = 0)
{
    FileSystemRequest request;
    request.type = "tmpfs";
    request.source = "scratch";
    request.strings = {{"mode", "0751"}};
    request.attributes = attributes;
    auto made = new_file_system(request);
    expect_success(made);
    return std::move(*made);
}

Error refused(const FileSystemRequest& request)
{
    auto made = new_file_system(request);
    cr_assert_not(made.has_value());
    return made.error();
}

} // namespace

Test(mounting, a_new_file_system_is_usable_before_it_is_attached)
{
    Fd mount = new_tmpfs();
    cr_expect_eq(*file_system_type(mount), TMPFS_MAGIC);
    cr_expect_eq(status_of(mount)->st_mode & 07777, 0751u);
    expect_success(make_directory(mount, "inside", 0755));
    cr_expect_eq(list_directory(mount)->size(), 1u);
}

Test(mounting, attributes_of_a_new_file_system)
{
    Fd mount = new_tmpfs(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME);
    cr_expect_eq(*mount_attributes(mount), uint64_t{MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME});
    auto made = make_directory(mount, "inside", 0755);
    cr_assert_not(made.has_value());
    cr_expect_eq(made.error().code(), EROFS);
}

Test(mounting, a_wrong_parameter_is_told_in_the_file_systems_words)
{
    FileSystemRequest request;
    request.type = "tmpfs";
    request.strings = {{"size", "banana"}};
    Error wrong_value = refused(request);
    cr_expect_eq(wrong_value.code(), EINVAL);
    cr_expect(contains(wrong_value.message(), "set size=\"banana\" of file system tmpfs: tmpfs: "), "%s",
              wrong_value.message().c_str());
    request.strings = {{"banana", "1"}};
    cr_expect(contains(refused(request).message(), "Unknown parameter 'banana'"), "%s", refused(request).message().c_str());
    request.strings = {};
    request.flags = {"split"};
    cr_expect(contains(refused(request).message(), "set \"split\" of file system tmpfs"), "%s",
              refused(request).message().c_str());
}

Test(mounting, an_unknown_file_system)
{
    FileSystemRequest request;
    request.type = "bananafs";
    Error error = refused(request);
    cr_expect_eq(error.code(), ENODEV);
    cr_expect(contains(error.message(), "does not know the file system type"));
}

Test(mounting, attributes_change_one_way_and_back)
{
    Fd mount = new_tmpfs();
    MountAttributes change;
    change.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC;
    expect_success(set_mount_attributes(mount, change, Recursion::none));
    cr_expect_eq(*mount_attributes(mount), uint64_t{MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC});
    change.set = MOUNT_ATTR_NOSYMFOLLOW | MOUNT_ATTR_STRICTATIME;
    change.clear = MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME;
    change.propagation = MS_PRIVATE;
    expect_success(set_mount_attributes(mount, change, Recursion::all));
    cr_expect_eq(*mount_attributes(mount), uint64_t{MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW | MOUNT_ATTR_STRICTATIME});
}

Test(mounting, the_file_system_of_a_mount_can_be_changed)
{
    Fd mount = new_tmpfs();
    FileSystemRequest request;
    request.type = "tmpfs";
    request.flags = {"ro"};
    expect_success(reconfigure_file_system(mount, request));
    cr_expect_eq(make_directory(mount, "inside", 0755).error().code(), EROFS);
    request.flags = {"banana"};
    auto wrong = reconfigure_file_system(mount, request);
    cr_assert_not(wrong.has_value());
    cr_expect(contains(wrong.error().message(), "banana"));
}

Test(mounting, a_clone_shows_the_same_files_on_another_mount)
{
    test::Scratch scratch;
    scratch.directory("source");
    scratch.write("source/file", "text");
    auto clone = clone_mount(working_directory, scratch.path("source"), Recursion::all);
    expect_success(clone);
    cr_expect(*is_mount_root(*clone));
    auto directory = open_at(working_directory, scratch.path("source"), O_PATH);
    cr_expect_not(*is_mount_root(*directory));
    cr_expect_neq(*mount_id(*clone), *mount_id(*directory));
    cr_expect(read_file(*clone, "file", 100).value() == "text");
    auto by_descriptor = clone_mount(*directory, "", Recursion::none);
    expect_success(by_descriptor);
    cr_expect(read_file(*by_descriptor, "file", 100).value() == "text");
}

Test(mounting, a_link_is_cloned_or_followed)
{
    test::Scratch scratch;
    scratch.write("file", "text");
    scratch.link("file", "link");
    auto followed = clone_mount(working_directory, scratch.path("link"), Recursion::none);
    expect_success(followed);
    cr_expect(S_ISREG(status_of(*followed)->st_mode));
    auto kept = clone_mount(working_directory, scratch.path("link"), Recursion::none, AT_SYMLINK_NOFOLLOW);
    expect_success(kept);
    cr_expect(S_ISLNK(status_of(*kept)->st_mode));
    auto missing = clone_mount(working_directory, scratch.path("missing"), Recursion::none);
    cr_assert_not(missing.has_value());
    cr_expect_eq(missing.error().code(), ENOENT);
    cr_expect(contains(missing.error().message(), scratch.path("missing")));
}

Test(mounting, ids_are_mapped)
{
    test::Scratch scratch;
    scratch.directory("source");
    scratch.write("source/file", "text");
    auto map = make_user_namespace("0 4242 10\n", "0 2424 10\n");
    expect_success(map);
    auto clone = clone_mount(working_directory, scratch.path("source"), Recursion::none);
    expect_success(clone);
    MountAttributes change;
    change.set = MOUNT_ATTR_IDMAP;
    change.user_namespace = map->get();
    expect_success(set_mount_attributes(*clone, change, Recursion::none));
    auto status = status_at(*clone, "file", 0);
    cr_expect_eq(status->st_uid, 4242u);
    cr_expect_eq(status->st_gid, 2424u);
}

Test(mounting, a_wrong_map_leaves_no_process)
{
    auto map = make_user_namespace("nonsense\n", "0 0 1\n");
    cr_assert_not(map.has_value());
    cr_expect(contains(map.error().message(), "uid_map"), "%s", map.error().message().c_str());
    auto children = read_file(working_directory, fmt::format("/proc/self/task/{}/children", ::gettid()), 1000);
    expect_success(children);
    cr_expect_str_eq(children->c_str(), "");
}

// ---- copies ----------------------------------------------------------------------------------------------------------------

Test(copy_tree, everything_but_sockets)
{
    test::Scratch scratch;
    scratch.directory("from/directory/inner", 01770);
    scratch.write("from/directory/inner/program", std::string(100000, 'x'), 04755);
    scratch.link("/etc/shadow", "from/link");
    expect_success(make_node(working_directory, scratch.path("from/pipe"), S_IFIFO | 0640, 0));
    expect_success(make_node(working_directory, scratch.path("from/null"), S_IFCHR | 0666, makedev(1, 3)));
    expect_success(make_node(working_directory, scratch.path("from/socket"), S_IFSOCK | 0666, 0));
    cr_assert_eq(::chown(scratch.path("from/directory/inner/program").c_str(), 12, 34), 0);
    cr_assert_eq(::chmod(scratch.path("from/directory/inner/program").c_str(), 04755), 0);
    cr_assert_eq(::setxattr(scratch.path("from/directory").c_str(), "trusted.brig", "value", 5, 0), 0);
    auto from = open_at(working_directory, scratch.path("from"), O_PATH | O_DIRECTORY);
    Fd to = new_tmpfs();
    auto copied = copy_tree(*from, to);
    expect_success(copied);
    auto program = status_at(to, "directory/inner/program", 0);
    expect_success(program);
    cr_expect_eq(program->st_mode & 07777, 04755u);
    cr_expect_eq(program->st_uid, 12u);
    cr_expect_eq(program->st_gid, 34u);
    cr_expect_eq(program->st_size, 100000);
    cr_expect_eq(program->st_mtim.tv_sec, status_at(*from, "directory/inner/program", 0)->st_mtim.tv_sec);
    cr_expect_eq(status_at(to, "directory/inner", 0)->st_mode & 07777, 01770u);
    cr_expect(read_link(to, "link").value() == "/etc/shadow");
    cr_expect_eq(status_at(to, "null", 0)->st_rdev, makedev(1, 3));
    cr_expect(S_ISFIFO(status_at(to, "pipe", 0)->st_mode));
    cr_expect_not(status_at(to, "socket", 0).has_value());
    char value[16] = {};
    auto directory = open_at(to, "directory", O_RDONLY);
    cr_expect_eq(::fgetxattr(directory->get(), "trusted.brig", value, sizeof value), 5);
}
