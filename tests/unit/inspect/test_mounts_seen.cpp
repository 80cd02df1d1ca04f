#include <criterion/criterion.h>

#include "inspect/mounts_seen.hpp"

#include <algorithm>

using namespace brig;
using namespace brig::inspect;

namespace {

std::vector<kernel::MountEntry> table(const char* text)
{
    auto parsed = kernel::parse_mount_table(text);
    cr_assert(parsed.has_value(), "%s", parsed ? "" : parsed.error().message().c_str());
    return *parsed;
}

// / is on a disk, /home a part of another, /run a tmpfs in whose peer group the container has a mount.
const char* host_text = "1 0 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
                        "2 1 8:2 /sub /home rw - btrfs /dev/sda2 rw\n"
                        "3 1 0:20 / /run rw shared:7 - tmpfs tmpfs rw\n"
                        "4 1 0:21 / /sys rw - sysfs sysfs rw\n";

MountsSeen see(const std::string& container, const std::vector<std::string>& existing = watched_kernel_paths())
{
    return see_mounts(table(container.c_str()), table(host_text), existing);
}

std::string host_path(const MountsSeen& seen, std::string_view mount_point)
{
    auto found = std::ranges::find(seen.all, mount_point, [](const auto& mount) { return mount.entry.mount_point; });
    cr_assert(found != seen.all.end());
    return found->host_path;
}

Exposure exposure(const MountsSeen& seen, std::string_view path)
{
    return std::ranges::find(seen.kernel_paths, path, &KernelPath::path)->exposure;
}

const std::string root = "50 40 0:60 / / rw - overlay overlay rw,lowerdir=/l\n";
const std::string proc = root + "51 50 0:61 / /proc rw - proc proc rw\n";

} // namespace

Test(mounts_seen, host_paths_are_those_of_the_longest_mounted_part)
{
    auto seen = see(root
                    + "51 50 8:1 /srv/data /data rw - ext4 /dev/sda1 rw\n"
                      "52 50 8:2 /sub/alice /alice ro - btrfs /dev/sda2 rw\n"
                      "53 50 8:2 /sub /homes ro - btrfs /dev/sda2 rw\n"
                      "54 50 8:2 /subway /other ro - btrfs /dev/sda2 rw\n"
                      "55 50 8:1 / /host rw - ext4 /dev/sda1 rw\n"
                      "56 50 0:99 / /tmp rw - tmpfs tmpfs rw\n"
                      "57 50 0:21 / /sys ro - sysfs sysfs rw\n");
    cr_expect_str_eq(host_path(seen, "/data").c_str(), "/srv/data");
    cr_expect_str_eq(host_path(seen, "/alice").c_str(), "/home/alice");
    cr_expect_str_eq(host_path(seen, "/homes").c_str(), "/home");
    cr_expect_str_eq(host_path(seen, "/other").c_str(), "", "a part of the device that the host has not mounted");
    cr_expect_str_eq(host_path(seen, "/host").c_str(), "/");
    cr_expect_str_eq(host_path(seen, "/tmp").c_str(), "");
    cr_expect_str_eq(host_path(seen, "/sys").c_str(), "", "each network namespace has its own");
}

Test(mounts_seen, writable_needs_the_mount_and_the_file_system)
{
    auto seen =
        see(root + "51 50 0:1 / /a rw,nosuid - tmpfs t rw\n52 50 0:2 / /b ro - tmpfs t rw\n53 50 0:3 / /c rw - tmpfs t ro\n");
    cr_expect(seen.all[1].writable() && !seen.all[2].writable() && !seen.all[3].writable());
    cr_assert(seen.root() != nullptr);
    cr_expect(seen.root()->entry.type == "overlay");
}

Test(mounts_seen, peers_of_the_hosts_mounts_are_shared)
{
    auto seen = see(root + "51 50 0:20 / /run rw shared:7 - tmpfs t rw\n52 50 0:20 / /slave rw shared:9 master:7 - tmpfs t rw\n");
    cr_expect(seen.all[1].shared_with_host);
    cr_expect(!seen.all[2].shared_with_host, "what it mounts stays with it");
}

Test(kernel_paths, follow_the_mounts)
{
    auto seen = see(proc
                    + "52 51 0:61 /sys /proc/sys ro - proc proc rw\n"
                      "53 51 0:70 /null /proc/kcore rw - tmpfs t rw\n");
    cr_expect(exposure(seen, "/proc/sys") == Exposure::readable);
    cr_expect(exposure(seen, "/proc/kcore") == Exposure::masked);
    cr_expect(exposure(seen, "/proc/sysrq-trigger") == Exposure::writable);
    cr_expect(exposure(seen, "/sys/firmware") == Exposure::masked, "no sysfs at all");
}

Test(kernel_paths, what_lies_under_another_mount_is_hidden)
{
    // A tmpfs over all of /proc, after the read-only /proc/sys was mounted in it.
    auto hidden = see(proc + "52 51 0:61 /sys /proc/sys ro - proc proc rw\n53 51 0:80 / /proc rw - tmpfs t rw\n");
    cr_expect(exposure(hidden, "/proc/sys") == Exposure::masked);
    cr_expect(exposure(hidden, "/proc/kcore") == Exposure::masked);
    // And a new proc over the masks: they do not help.
    auto again = see(proc + "52 51 0:70 /null /proc/kcore ro - tmpfs t rw\n53 51 0:61 / /proc rw - proc proc rw\n");
    cr_expect(exposure(again, "/proc/kcore") == Exposure::writable);
}

Test(kernel_paths, what_this_kernel_does_not_have_is_absent)
{
    cr_expect(exposure(see(proc, {"/proc/sys"}), "/proc/kcore") == Exposure::absent);
}

Test(mounts_seen, an_empty_table_has_no_root)
{
    auto seen = see("");
    cr_expect(seen.root() == nullptr);
    cr_expect(exposure(seen, "/proc/kcore") == Exposure::masked);
}

Test(mount_table, has_all_columns)
{
    auto entries = table("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/a\\040b rw,errors=continue\n"
                         "37 35 0:5 / /x ro - tmpfs  rw\n");
    cr_expect_str_eq(entries[0].mount_point.c_str(), "/mnt 2");
    cr_expect_str_eq(entries[0].options.c_str(), "rw,noatime");
    cr_expect_str_eq(entries[0].propagation.c_str(), "master:1 shared:2");
    cr_expect_str_eq(entries[0].source.c_str(), "/dev/a b");
    cr_expect_str_eq(entries[0].super_options.c_str(), "rw,errors=continue");
    cr_expect(kernel::has_mount_option(entries[0].options, "noatime") && !kernel::has_mount_option(entries[0].options, "atime"));
    cr_expect(entries[1].propagation.empty() && entries[1].source.empty() && entries[1].super_options == "rw");
}

Test(mount_paths, cover_themselves_and_what_is_below)
{
    cr_expect(covers("/", "/a") && covers("/a", "/a") && covers("/a", "/a/b"));
    cr_expect(!covers("/a", "/ab") && !covers("/a/b", "/a"));
}
