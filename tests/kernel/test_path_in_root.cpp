// Both back-ends of kernel/path_in_root.hpp over one tree of hostile links; what is opened is named by its contents.
#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/path_in_root.hpp"
#include "kernel/path_walk.hpp"
#include "support/scratch.hpp"

#include <cerrno>
#include <criterion/criterion.h>
#include <sys/stat.h>

using namespace brig;
using namespace brig::kernel;

namespace {

using Open = Result<Fd> (*)(FdRef, const std::string&, int, Links);

struct BackEnd {
    const char* name;
    Open open;
};

constexpr BackEnd back_ends[] = {{"openat2", open_in_root_by_openat2}, {"walk", open_in_root_by_walk}};

// OUTSIDE/secret is what no path may reach; everything else is in OUTSIDE/root.
struct Tree : test::Scratch {
    Tree()
    {
        write("secret", "outside");
        directory("root");
        write("root/file", "file");
        directory("root/directory/inner");
        write("root/directory/inner/deep", "deep");
        write("root/secret", "inside");
        link("/secret", "root/absolute");
        link("../../../../../secret", "root/directory/climbing");
        link("directory", "root/to_directory");
        link("/directory/inner", "root/directory/to_inner");
        link("loop", "root/loop");
        link("missing/below", "root/dangling");
        link("/made/by/link", "root/dangling_deep");
        link("first", "root/chain");
        link("directory/to_inner", "root/first");
        link("file/", "root/file_with_slash");
        link("..", "root/directory/parent");
        link("/", "root/slash");
        root = *open_at(working_directory, path("root"), O_PATH | O_DIRECTORY);
    }
    Fd root;
};

std::string contents(const Result<Fd>& fd)
{
    if (!fd)
        return fmt::format("errno {}", fd.error().code());
    auto text = read_all(*fd, 100);
    return text ? *text : fmt::format("errno {}", text.error().code());
}

void expect_contents(const std::string& path, const std::string& expected, Links links = Links::follow)
{
    Tree tree;
    for (const auto& back_end : back_ends) {
        std::string found = contents(back_end.open(tree.root, path, O_RDONLY, links));
        cr_expect_str_eq(found.c_str(), expected.c_str(), "%s of %s", back_end.name, path.c_str());
    }
}

std::string error(int code)
{
    return fmt::format("errno {}", code);
}

ino_t inode(FdRef fd)
{
    return status_of(fd)->st_ino;
}

} // namespace

Test(path_in_root, plain_paths)
{
    expect_contents("file", "file");
    expect_contents("/file", "file");
    expect_contents("directory/inner/deep", "deep");
    expect_contents("//directory/./inner//deep", "deep");
}

Test(path_in_root, dots_stop_at_the_root)
{
    expect_contents("../secret", "inside");
    expect_contents("/../../../secret", "inside");
    expect_contents("directory/../../secret", "inside");
    expect_contents("directory/inner/../../../../secret", "inside");
}

Test(path_in_root, links_stay_inside)
{
    expect_contents("absolute", "inside");
    expect_contents("directory/climbing", "inside");
    expect_contents("to_directory/inner/deep", "deep");
    expect_contents("directory/to_inner/deep", "deep");
    expect_contents("chain/deep", "deep");
    expect_contents("chain/../../file", "file");
    expect_contents("directory/parent/parent", error(ENOENT));
    expect_contents("slash/slash/secret", "inside");
}

Test(path_in_root, failures_have_the_kernels_errno)
{
    expect_contents("loop", error(ELOOP));
    expect_contents("loop/file", error(ELOOP));
    expect_contents("nothing", error(ENOENT));
    expect_contents("dangling", error(ENOENT));
    expect_contents("file/below", error(ENOTDIR));
    expect_contents("file/", error(ENOTDIR));
    expect_contents("file/.", error(ENOTDIR));
    expect_contents("file_with_slash", error(ENOTDIR));
}

Test(path_in_root, refuse_takes_no_link_at_all)
{
    expect_contents("directory/inner/deep", "deep", Links::refuse);
    expect_contents("absolute", error(ELOOP), Links::refuse);
    expect_contents("to_directory/inner/deep", error(ELOOP), Links::refuse);
}

Test(path_in_root, keep_last_gives_the_link_itself)
{
    Tree tree;
    for (const auto& back_end : back_ends) {
        auto link = back_end.open(tree.root, "to_directory/climbing", O_PATH, Links::keep_last);
        cr_assert(link.has_value(), "%s", back_end.name);
        cr_expect(S_ISLNK(status_of(*link)->st_mode), "%s", back_end.name);
    }
}

Test(path_in_root, the_root_itself)
{
    Tree tree;
    for (const auto& back_end : back_ends)
        for (const char* path : {"", "/", ".", "..", "/..", "directory/.."}) {
            auto opened = back_end.open(tree.root, path, O_PATH | O_DIRECTORY, Links::follow);
            cr_assert(opened.has_value(), "%s of '%s'", back_end.name, path);
            cr_expect_eq(inode(*opened), inode(tree.root), "%s of '%s'", back_end.name, path);
        }
}

Test(path_in_root, directories_are_asked_for_as_such)
{
    Tree tree;
    for (const auto& back_end : back_ends) {
        auto file = back_end.open(tree.root, "file", O_PATH | O_DIRECTORY, Links::follow);
        cr_assert_not(file.has_value(), "%s", back_end.name);
        cr_expect_eq(file.error().code(), ENOTDIR, "%s", back_end.name);
        auto directory = back_end.open(tree.root, "to_directory", O_RDONLY | O_DIRECTORY, Links::follow);
        cr_assert(directory.has_value(), "%s", back_end.name);
        cr_expect_eq(list_directory(*directory)->size(), 4u, "%s", back_end.name);
    }
}

// The kernel refuses magic links; the walk takes their text for a path inside the root, where there is no such file.
Test(path_in_root, magic_links_lead_nowhere)
{
    auto proc = open_at(working_directory, "/proc", O_PATH | O_DIRECTORY);
    for (const auto& back_end : back_ends) {
        cr_expect_not(back_end.open(*proc, "self/exe", O_RDONLY, Links::follow).has_value(), "%s", back_end.name);
        cr_expect_not(back_end.open(*proc, "self/cwd/Makefile", O_RDONLY, Links::follow).has_value(), "%s", back_end.name);
        auto root = back_end.open(*proc, "self/root/etc", O_PATH, Links::follow);
        cr_expect_not(root.has_value(), "%s", back_end.name);
    }
}

// ---- making what is missing: the walk does it, whichever back-end looked first -----------------------------------------

Test(path_in_root, missing_directories_are_made)
{
    Tree tree;
    auto made = ensure_directory_in_root(tree.root, "/to_directory/new/newer", 0750);
    cr_assert(made.has_value(), "%s", made ? "" : made.error().message().c_str());
    struct stat status = *status_of(*made);
    cr_expect(S_ISDIR(status.st_mode));
    cr_expect_eq(status.st_mode & 07777, 0750u);
    cr_expect(tree.has("root/directory/new/newer"));
    auto again = ensure_directory_in_root(tree.root, "/to_directory/new/newer", 0750);
    cr_assert(again.has_value());
    cr_expect_eq(inode(*again), inode(*made));
}

Test(path_in_root, a_dangling_link_gets_its_target_inside)
{
    Tree tree;
    auto directory = ensure_directory_in_root(tree.root, "dangling_deep", 0755);
    cr_assert(directory.has_value(), "%s", directory ? "" : directory.error().message().c_str());
    cr_expect(tree.has("root/made/by/link"));
    auto file = ensure_file_in_root(tree.root, "dangling", 0644);
    cr_assert(file.has_value(), "%s", file ? "" : file.error().message().c_str());
    cr_expect(S_ISREG(status_of(*file)->st_mode));
    cr_expect(tree.has("root/missing/below"));
}

Test(path_in_root, a_climbing_path_is_made_inside)
{
    Tree tree;
    auto made = ensure_file_in_root(tree.root, "/../../new/file", 0600);
    cr_assert(made.has_value());
    cr_expect(tree.has("root/new/file"));
    cr_expect_not(tree.has("new"));
    cr_expect_eq(status_of(*made)->st_mode & 07777, 0600u);
}

Test(path_in_root, files_and_directories_do_not_replace_each_other)
{
    Tree tree;
    auto directory = ensure_directory_in_root(tree.root, "file", 0755);
    cr_assert_not(directory.has_value());
    cr_expect_eq(directory.error().code(), ENOTDIR);
    auto below = ensure_directory_in_root(tree.root, "file/below", 0755);
    cr_assert_not(below.has_value());
    cr_expect_eq(below.error().code(), ENOTDIR);
    auto file = ensure_file_in_root(tree.root, "directory", 0644);
    cr_assert(file.has_value());
    cr_expect(S_ISDIR(status_of(*file)->st_mode));
}

Test(path_in_root, refuse_makes_nothing_behind_a_link)
{
    Tree tree;
    auto made = ensure_directory_in_root(tree.root, "to_directory/new", 0755, Links::refuse);
    cr_assert_not(made.has_value());
    cr_expect_eq(made.error().code(), ELOOP);
    cr_expect_not(tree.has("root/directory/new"));
    auto dangling = ensure_directory_in_root(tree.root, "dangling", 0755, Links::refuse);
    cr_assert_not(dangling.has_value());
    cr_expect_not(tree.has("root/missing"));
}

Test(path_in_root, keep_last_makes_a_missing_file)
{
    Tree tree;
    auto made = ensure_file_in_root(tree.root, "directory/new", 0644, Links::keep_last);
    cr_assert(made.has_value());
    cr_expect(S_ISREG(status_of(*made)->st_mode));
    auto kept = ensure_file_in_root(tree.root, "dangling", 0644, Links::keep_last);
    cr_assert(kept.has_value());
    cr_expect(S_ISLNK(status_of(*kept)->st_mode));
}

Test(path_in_root, parents)
{
    Tree tree;
    auto parent = ensure_parent_in_root(tree.root, "/to_directory/fresh/name/", 0755);
    cr_assert(parent.has_value());
    cr_expect_str_eq(parent->name.c_str(), "name");
    cr_expect(tree.has("root/directory/fresh"));
    cr_expect_not(tree.has("root/directory/fresh/name"));
    auto top = ensure_parent_in_root(tree.root, "name", 0755);
    cr_assert(top.has_value());
    cr_expect_eq(inode(top->directory), inode(tree.root));
    for (const char* path : {"", "/", "directory/..", "directory/."}) {
        auto none = ensure_parent_in_root(tree.root, path, 0755);
        cr_assert_not(none.has_value(), "'%s'", path);
        cr_expect_eq(none.error().kind(), ErrorKind::invalid);
    }
}

Test(path_in_root, the_walk_makes_what_openat2_finds)
{
    Tree tree;
    auto made = walk_in_root(tree.root, {"chain/../other/file", Links::follow, MissingPart::becomes_file, 0640});
    cr_assert(made.has_value(), "%s", made ? "" : made.error().message().c_str());
    auto found = open_in_root_by_openat2(tree.root, "directory/other/file", O_PATH, Links::follow);
    cr_assert(found.has_value());
    cr_expect_eq(inode(*found), inode(made->entry));
    cr_expect_str_eq(made->name.c_str(), "file");
}

// A directory that is moved out of the root while a walk stands in it must not make ".." leave the root.
Test(path_in_root, a_moved_directory_opens_no_way_out)
{
    Tree tree;
    tree.directory("root/a/b/c");
    auto inner = open_in_root_by_walk(tree.root, "a/b/c", O_PATH | O_DIRECTORY, Links::follow);
    cr_assert(inner.has_value());
    cr_assert(rename(working_directory, tree.path("root/a/b"), working_directory, tree.path("b")).has_value());
    for (const auto& back_end : back_ends)
        cr_expect_not(back_end.open(tree.root, "a/b/../secret", O_RDONLY, Links::follow).has_value(), "%s", back_end.name);
}
