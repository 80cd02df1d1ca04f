#include "setup/devices.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/mounting.hpp"
#include "kernel/path_in_root.hpp"
#include "kernel/process.hpp"

#include <cerrno>
#include <sys/sysmacros.h>

namespace brig::setup {

namespace {

constexpr mode_t directory_mode = 0755;
constexpr const char* kernel_memory = "/proc/kcore";

mode_t type_bits(const plan::DeviceNode& node)
{
    switch (node.type) {
    case 'b': return S_IFBLK;
    case 'p': return S_IFIFO;
    default: return S_IFCHR;
    }
}

dev_t number(const plan::DeviceNode& node)
{
    return node.type == 'p' ? 0 : makedev(node.major, node.minor);
}

bool is_same(const plan::DeviceNode& node, const struct stat& status)
{
    return (status.st_mode & S_IFMT) == type_bits(node) && (node.type == 'p' || status.st_rdev == number(node));
}

std::string describe(const plan::DeviceNode& node)
{
    return node.type == 'p' ? "fifo" : fmt::format("{} {}:{}", node.type, node.major, node.minor);
}

// Modes are those of the plan, whatever umask the caller has.
class ZeroUmask {
public:
    ZeroUmask() : m_before(kernel::set_umask(0)) {}
    ~ZeroUmask() { (void)kernel::set_umask(m_before); }
    ZeroUmask(const ZeroUmask&) = delete;
    ZeroUmask& operator=(const ZeroUmask&) = delete;

private:
    mode_t m_before;
};

// Nearly all entries are in /dev itself, so the last directory is kept.
class Directories {
public:
    explicit Directories(FdRef root) : m_root(root) {}

    struct Entry {
        FdRef directory;
        std::string name;
    };

    Result<Entry> find(const std::string& path)
    {
        std::string name(base_name(path));
        std::string parent(parent_path(path));
        if (!m_directory || parent != m_path) {
            auto found = TRY(kernel::ensure_parent_in_root(m_root, path, directory_mode));
            m_directory = std::move(found.directory);
            m_path = std::move(parent);
        }
        return Entry{m_directory, std::move(name)};
    }

private:
    FdRef m_root;
    std::string m_path;
    Fd m_directory;
};

Result<> set_owner(const Directories::Entry& entry, const plan::DeviceNode& node)
{
    if (node.uid == 0 && node.gid == 0)
        return {};
    Fd made = TRY(kernel::open_at(entry.directory, entry.name, O_PATH | O_NOFOLLOW));
    if (!is_same(node, TRY(kernel::status_of(made))))
        return failure(ErrorKind::system, fmt::format("{} was replaced while it was made", quoted(node.path)));
    return kernel::change_owner(made, node.uid, node.gid);
}

Result<> check_existing(const Directories::Entry& entry, const plan::DeviceNode& node)
{
    struct stat status = TRY(kernel::status_at(entry.directory, entry.name, AT_SYMLINK_NOFOLLOW));
    if (is_same(node, status))
        return {};
    return failure(
        Error(ErrorKind::already_exists, fmt::format("{} exists and is not the device {}", quoted(node.path), describe(node)))
            .with_hint("mount a tmpfs at /dev, or remove it from the image"));
}

// ---- nodes of the host, bound ----------------------------------------------------------------------------------------

Result<Fd> clone_if_same(const std::string& host_path, const plan::DeviceNode& node)
{
    Fd clone = TRY(kernel::clone_mount(kernel::working_directory, host_path, kernel::Recursion::none));
    if (is_same(node, TRY(kernel::status_of(clone))))
        return clone;
    return failure(ErrorKind::not_found, fmt::format("the host's {} is not the device {}", quoted(host_path), describe(node)));
}

// The same path, or udev's name by number for a device that has another name on the host.
Result<Fd> clone_host_node(const plan::DeviceNode& node)
{
    auto same_path = clone_if_same(node.path, node);
    if (same_path || node.type == 'p')
        return same_path;
    auto by_number =
        clone_if_same(fmt::format("/dev/{}/{}:{}", node.type == 'b' ? "block" : "char", node.major, node.minor), node);
    if (by_number)
        return by_number;
    return failure(std::move(same_path).error().with_hint(
        "in a user namespace devices are bound from the host, which must have the same node"));
}

// A new empty file to mount on, or what is there; never what a link leads to.
Result<Fd> open_mount_point(FdRef directory, const std::string& name, mode_t mode)
{
    auto made = kernel::open_at(directory, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    if (made || made.error().code() != EEXIST)
        return made;
    return kernel::open_at(directory, name, O_PATH | O_NOFOLLOW);
}

Result<> bind_node(const Directories::Entry& entry, const plan::DeviceNode& node)
{
    Fd clone = TRY(clone_host_node(node));
    Fd target = TRY(open_mount_point(entry.directory, entry.name, 0666));
    struct stat status = TRY(kernel::status_of(target));
    if (!S_ISREG(status.st_mode) && !is_same(node, status))
        return check_existing(entry, node);
    return kernel::attach_mount(clone, target);
}

Result<> make_or_bind(const Directories::Entry& entry, const plan::DeviceNode& node, bool bind)
{
    if (bind && node.type != 'p')
        return bind_node(entry, node);
    auto made = kernel::make_node(entry.directory, entry.name, type_bits(node) | node.mode, number(node));
    if (made)
        return set_owner(entry, node);
    if (made.error().code() == EEXIST)
        return check_existing(entry, node);
    // A host that keeps CAP_MKNOD from us can still have the node.
    if (made.error().code() == EPERM)
        return bind_node(entry, node);
    return made;
}

// ---- links -----------------------------------------------------------------------------------------------------------

// A root that is the host's "/", or that has the host's /dev bound somewhere: what is removed there is gone for everybody.
Result<bool> is_hosts_dev(FdRef directory)
{
    auto host = kernel::status_at(kernel::working_directory, "/dev", 0);
    return host && host->st_dev == TRY(kernel::status_of(directory)).st_dev;
}

// Whatever the image has under these names stays, as with runc; only ptmx has to be the container's own devpts.
Result<> ensure_link(const Directories::Entry& entry, const plan::Link& link)
{
    auto made = kernel::make_link(link.target, entry.directory, entry.name);
    if (made || made.error().code() != EEXIST)
        return made;
    if (link.path != "/dev/ptmx")
        return {};
    auto existing = kernel::read_link(entry.directory, entry.name);
    if ((existing && *existing == link.target) || TRY(is_hosts_dev(entry.directory)))
        return {};
    TRY(kernel::remove_file(entry.directory, entry.name));
    return kernel::make_link(link.target, entry.directory, entry.name);
}

} // namespace

Result<> create_devices(FdRef root, const plan::RootFilesystem& plan)
{
    if (!plan.populate_dev)
        return {};
    ZeroUmask exact_modes;
    Directories directories(root);
    for (const auto& node : plan.devices) {
        auto step = [&] { return fmt::format("make device {}", quoted(node.path)); };
        auto entry = TRY_DURING(step(), directories.find(node.path));
        TRY_DURING(step(), make_or_bind(entry, node, plan.bind_devices));
    }
    for (const auto& link : plan.links) {
        if (link.target == kernel_memory && !kernel::exists(kernel::working_directory, kernel_memory))
            continue; // the kernel was built without it
        auto step = [&] { return fmt::format("make link {}", quoted(link.path)); };
        auto entry = TRY_DURING(step(), directories.find(link.path));
        TRY_DURING(step(), ensure_link(entry, link));
    }
    return {};
}

Result<> bind_console(FdRef root, FdRef slave)
{
    auto parent = TRY_DURING("make /dev/console", kernel::ensure_parent_in_root(root, "/dev/console", directory_mode));
    Fd target = TRY_DURING("make /dev/console", open_mount_point(parent.directory, parent.name, 0620));
    struct stat status = TRY_DURING("make /dev/console", kernel::status_of(target));
    if (S_ISLNK(status.st_mode) || S_ISDIR(status.st_mode))
        return failure(Error(ErrorKind::invalid, "/dev/console is a link or a directory")
                           .with_hint("mount a tmpfs at /dev, or remove it from the image"));
    Fd clone = TRY_DURING("bind /dev/console", kernel::clone_mount(slave, "", kernel::Recursion::none));
    TRY_DURING("bind /dev/console", kernel::attach_mount(clone, target));
    return {};
}

} // namespace brig::setup
