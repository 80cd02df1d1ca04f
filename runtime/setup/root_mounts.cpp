#include "base/text.hpp"
#include "kernel/copy_tree.hpp"
#include "kernel/files.hpp"
#include "kernel/id_mapped.hpp"
#include "kernel/mounting.hpp"
#include "kernel/path_in_root.hpp"
#include "setup/root_filesystem.hpp"
#include "setup/root_parts.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/magic.h>
#include <sys/mount.h>

namespace brig::setup {

using kernel::Links;
using kernel::Recursion;

// ---- options -----------------------------------------------------------------------------------------------------------

namespace {

// "a=1,b" in one option is as good as two options. A comma inside double quotes or after a backslash belongs to the value.
std::vector<std::string> split_data(const std::string& data)
{
    std::vector<std::string> parts(1);
    bool in_quotes = false;
    for (size_t at = 0; at < data.size(); at++) {
        if (data[at] == '\\' && at + 1 < data.size()) {
            parts.back() += data.substr(at++, 2);
        } else if (data[at] == ',' && !in_quotes) {
            parts.emplace_back();
        } else {
            in_quotes = in_quotes != (data[at] == '"');
            parts.back() += data[at];
        }
    }
    std::erase(parts, "");
    return parts;
}

// The quotes around a SELinux context keep mount(8) from splitting it; fsconfig takes the bare value.
std::string unquoted(std::string_view value)
{
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
    return std::string(value);
}

void add_data(kernel::FileSystemRequest& request, const std::string& option)
{
    size_t equals = option.find('=');
    if (equals == std::string::npos)
        request.flags.push_back(option);
    else
        request.strings.emplace_back(option.substr(0, equals), unquoted(std::string_view(option).substr(equals + 1)));
}

// File systems with one superblock for the whole host or for all users of a namespace: read-only there would be
// read-only for everybody, the host's /dev included. The mount point's own flag is enough.
bool shares_superblock(std::string_view type)
{
    constexpr std::array<std::string_view, 14> types = {"sysfs",     "cgroup",   "cgroup2",  "devtmpfs",   "debugfs",
                                                        "tracefs",   "configfs", "efivarfs", "securityfs", "pstore",
                                                        "selinuxfs", "smackfs",  "fusectl",  "binfmt_misc"};
    return std::ranges::find(types, type) != types.end();
}

void add_superblock_words(kernel::FileSystemRequest& request, const spec::MountOptions& options)
{
    for (auto word : spec::superblock_words(options))
        if (word != "ro" || !shares_superblock(request.type))
            request.flags.emplace_back(word);
}

} // namespace

kernel::FileSystemRequest file_system_request(const plan::Mount& mount)
{
    const spec::MountOptions& options = mount.options;
    kernel::FileSystemRequest request;
    request.type = mount.type;
    request.source = mount.host_source;
    for (const auto& data : options.data)
        for (const auto& option : split_data(data))
            add_data(request, option);
    add_superblock_words(request, options);
    // The new mount is a single one, so what goes for all goes for it. The access time is a number, not a bit: one of
    // the two settings can stand.
    request.attributes = options.set_attributes;
    if ((options.recursive_clear & MOUNT_ATTR__ATIME) != 0)
        request.attributes &= ~uint64_t{MOUNT_ATTR__ATIME};
    request.attributes |= options.recursive_set;
    return request;
}

namespace {

// What a remount replaces as a whole; the access time modes stay unless they are named.
constexpr uint64_t replaced_attributes =
    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;

// runc's rule: a bind mount that names any attribute has those it names and no others of its source; one that names
// none keeps all. In a user namespace the source's attributes can be locked, and then they are kept; only an attribute
// that is asked to be off is then an error.
Result<> set_own_attributes(FdRef mount, const spec::MountOptions& options, uint64_t propagation, Recursion recursion)
{
    kernel::MountAttributes attributes;
    attributes.set = options.set_attributes;
    attributes.clear = options.clear_attributes;
    attributes.propagation = propagation;
    bool named = (options.set_attributes | options.clear_attributes) != 0;
    if (!named || options.remount)
        return kernel::set_mount_attributes(mount, attributes, recursion);
    attributes.clear |= replaced_attributes & ~options.set_attributes;
    auto replaced = kernel::set_mount_attributes(mount, attributes, recursion);
    if (replaced || replaced.error().code() != EPERM)
        return replaced;
    attributes.clear = options.clear_attributes;
    auto kept = kernel::set_mount_attributes(mount, attributes, recursion);
    if (!kept && kept.error().code() == EPERM)
        return failure(std::move(kept).error().with_hint(
            "the source's own mount has a flag that this user namespace may not take away; ask for ro, nosuid, nodev or "
            "noexec as the source has it"));
    return kept;
}

} // namespace

Result<> apply_propagation(FdRef mount, const spec::MountOptions& options)
{
    for (const auto& change : options.propagation) {
        kernel::MountAttributes attributes;
        attributes.propagation = change.mount_flag();
        TRY(kernel::set_mount_attributes(mount, attributes, change.recursive ? Recursion::all : Recursion::none));
    }
    return {};
}

Result<> apply_options_to_clone(FdRef clone, const spec::MountOptions& options)
{
    bool own = (options.set_attributes | options.clear_attributes) != 0;
    bool all = (options.recursive_set | options.recursive_clear) != 0;
    // A propagation that is recursive goes with the recursive attributes, or with the own ones of a single mount.
    bool one_propagation = options.propagation.size() == 1;
    uint64_t with_own = 0;
    uint64_t with_all = 0;
    if (one_propagation) {
        const auto& change = options.propagation.front();
        bool single = !options.recursive_bind || !change.recursive;
        (single ? with_own : with_all) = change.mount_flag();
    }
    if (own || with_own != 0)
        TRY(set_own_attributes(clone, options, with_own, Recursion::none));
    if (all || with_all != 0) {
        kernel::MountAttributes attributes;
        attributes.set = options.recursive_set;
        attributes.clear = options.recursive_clear;
        attributes.propagation = with_all;
        TRY(kernel::set_mount_attributes(clone, attributes, Recursion::all));
    }
    return one_propagation ? Result<>{} : apply_propagation(clone, options);
}

// ---- sources -----------------------------------------------------------------------------------------------------------

namespace {

std::string id_map_lines(const std::vector<spec::IdMapping>& mappings)
{
    std::string lines;
    for (const auto& mapping : mappings)
        lines += fmt::format("{} {} {}\n", mapping.container_id, mapping.host_id, mapping.size);
    return lines;
}

} // namespace

Result<> map_ids(FdRef mount, const plan::Mount& planned)
{
    if (planned.uid_mappings.empty())
        return {};
    Fd name_space = TRY(kernel::make_user_namespace(id_map_lines(planned.uid_mappings), id_map_lines(planned.gid_mappings)));
    kernel::MountAttributes attributes;
    attributes.set = MOUNT_ATTR_IDMAP;
    attributes.user_namespace = name_space.get();
    auto mapped =
        kernel::set_mount_attributes(mount, attributes, planned.options.recursive_idmap ? Recursion::all : Recursion::none);
    if (!mapped && mapped.error().code() == EINVAL)
        return failure(std::move(mapped)
                           .error()
                           .with_kind(ErrorKind::not_supported)
                           .with_hint("the file system of the source cannot be id-mapped by this kernel, or is so already"));
    return mapped;
}

Result<Fd> clone_host_source(const plan::Mount& mount)
{
    int flags = mount.options.source_nofollow ? AT_SYMLINK_NOFOLLOW : 0;
    Recursion recursion = mount.options.recursive_bind ? Recursion::all : Recursion::none;
    auto clone = kernel::clone_mount(kernel::working_directory, mount.host_source, recursion, flags);
    if (!clone && clone.error().code() == EINVAL)
        return failure(std::move(clone).error().with_hint(
            "the source or a mount below it is unbindable, or rbind is needed to take locked mounts along"));
    if (!clone)
        return clone;
    TRY(map_ids(*clone, mount));
    return clone;
}

namespace {

void add_label(kernel::FileSystemRequest& request, const std::string& label)
{
    if (label.empty() || request.type == "proc" || request.type == "sysfs" || request.type == "mqueue")
        return;
    request.strings.emplace_back("context", label);
}

Result<Fd> make_mapped_file_system(const plan::Mount& mount, const std::string& label)
{
    kernel::FileSystemRequest request = file_system_request(mount);
    add_label(request, label);
    // Mount points are still to be made in a tmpfs; make_root_readonly comes later.
    if (mount.type == "tmpfs") {
        request.attributes &= ~uint64_t{MOUNT_ATTR_RDONLY};
        std::erase(request.flags, "ro");
    }
    Fd made = TRY(kernel::new_file_system(request));
    TRY(map_ids(made, mount));
    return made;
}

} // namespace

Result<Fd> make_host_source(const plan::Mount& mount, const std::string& label)
{
    if (mount.kind == plan::MountKind::bind)
        return clone_host_source(mount);
    return mount.is_root() ? make_root_file_system(mount, label, FdRef(-1)) : make_mapped_file_system(mount, label);
}

// ---- the kinds of mounts -----------------------------------------------------------------------------------------------

Result<> check_target_outside_proc(const plan::Mount& mount, FdRef target)
{
    if (mount.destination.starts_with("/proc/") || mount.destination == "/proc")
        return {};
    if (TRY(kernel::file_system_type(target)) != PROC_SUPER_MAGIC)
        return {};
    return failure(
        Error(ErrorKind::invalid, fmt::format("{} cannot be mounted because it is inside /proc", quoted(mount.destination)))
            .with_hint("a link of the image leads there"));
}

namespace {

bool has_user_namespace(const plan::Plan& plan)
{
    return plan.root.bind_devices;
}

class Mounter {
public:
    Mounter(FdRef root, const plan::Plan& plan, const MountSource& source) : m_root(root), m_plan(plan), m_source(source) {}

    Result<> mount(const plan::Mount& mount);
    // `root` becomes that of the mount.
    Result<> mount_root(const plan::Mount& mount, Fd& root);

private:
    Result<> bind(const plan::Mount& mount);
    Result<> leave_host_peers(FdRef clone) const;
    Result<bool> copy_link(const plan::Mount& mount);
    Result<> new_file_system(const plan::Mount& mount);
    Result<> new_tmpfs(const plan::Mount& mount);
    Result<> remount(const plan::Mount& mount);
    Result<Fd> ordinary_directory(const plan::Mount& mount);
    Result<> attach_file_system(const plan::Mount& mount, const kernel::FileSystemRequest& request, FdRef target);
    Result<Fd> make_file_system(const plan::Mount& mount, const kernel::FileSystemRequest& request) const;
    Result<> label_message_queues(FdRef mount) const;

    FdRef m_root;
    const plan::Plan& m_plan;
    const MountSource& m_source;
};

Result<> check_source_for_proc(const plan::Mount& mount, FdRef source)
{
    if (mount.destination != "/proc" || TRY(kernel::file_system_type(source)) == PROC_SUPER_MAGIC)
        return {};
    return failure(ErrorKind::invalid,
                   fmt::format("{} cannot be mounted because it is not of type proc", quoted(mount.destination)));
}

// In a user namespace the launcher made the clone in the host's mount namespace, where it is a peer of its source: what
// is mounted below it inside would appear on the host. Everybody else cloned it out of a tree that is a slave already.
Result<> Mounter::leave_host_peers(FdRef clone) const
{
    if (!has_user_namespace(m_plan))
        return {};
    kernel::MountAttributes attributes;
    attributes.propagation = MS_SLAVE;
    return kernel::set_mount_attributes(clone, attributes, Recursion::all);
}

Result<> Mounter::mount(const plan::Mount& mount)
{
    if (mount.options.remount)
        return remount(mount);
    switch (mount.kind) {
    case plan::MountKind::bind: return bind(mount);
    case plan::MountKind::cgroup_v1: return mount_cgroup_v1(m_root, m_plan, mount);
    case plan::MountKind::cgroup_v2: return mount_cgroup_v2(m_root, m_plan, mount);
    case plan::MountKind::file_system: break;
    }
    if (mount.type == "tmpfs")
        return new_tmpfs(mount);
    return new_file_system(mount);
}

Result<> Mounter::mount_root(const plan::Mount& mount, Fd& root)
{
    bool bind = mount.kind == plan::MountKind::bind;
    // In a user namespace the layers are the host's, which nobody inside may enter.
    bool by_init = !bind && !m_plan.root.sources_from_launcher;
    Fd made = by_init ? TRY(make_root_file_system(mount, m_plan.root.mount_label, root)) : TRY(m_source(mount));
    if (bind) {
        TRY(leave_host_peers(made));
        TRY(apply_options_to_clone(made, mount.options));
    } else {
        TRY(apply_propagation(made, mount.options));
    }
    if (!by_init)
        TRY(kernel::attach_mount(made, root));
    root = std::move(made);
    return {};
}

Result<> Mounter::bind(const plan::Mount& mount)
{
    if (mount.options.copy_symlink && TRY(copy_link(mount)))
        return {};
    Fd clone = TRY(m_source(mount));
    TRY(check_source_for_proc(mount, clone));
    bool directory = S_ISDIR(TRY(kernel::status_of(clone)).st_mode);
    Links links = mount.options.destination_nofollow ? Links::keep_last : Links::follow;
    Fd target = directory ? TRY(kernel::ensure_directory_in_root(m_root, mount.destination, mount_point_mode, links))
                          : TRY(kernel::ensure_file_in_root(m_root, mount.destination, mount_point_mode, links));
    TRY(check_target_outside_proc(mount, target));
    TRY(leave_host_peers(clone));
    TRY(apply_options_to_clone(clone, mount.options));
    auto attached = kernel::attach_mount(clone, target);
    if (attached || directory || !S_ISDIR(TRY(kernel::status_of(target)).st_mode))
        return attached;
    // The kernel says EINVAL, from which nobody learns that a file does not go onto a directory.
    return failure(Error::system_call(
                       ENOTDIR, fmt::format("mount the file {} onto {}", quoted(mount.host_source), quoted(mount.destination)))
                       .with_hint("the destination is a directory"));
}

Result<bool> Mounter::copy_link(const plan::Mount& mount)
{
    auto link = kernel::read_link(kernel::working_directory, mount.host_source);
    if (!link && link.error().code() == EINVAL)
        return false;
    if (!link)
        return failure(std::move(link).error());
    auto parent = TRY(kernel::ensure_parent_in_root(m_root, mount.destination, mount_point_mode));
    auto made = kernel::make_link(*link, parent.directory, parent.name);
    if (made)
        return true;
    if (made.error().code() == EEXIST) {
        auto existing = kernel::read_link(parent.directory, parent.name);
        if (existing && *existing == *link)
            return true;
    }
    return failure(std::move(made).error());
}

// No link anywhere on the path: an image that leads /proc elsewhere would get its own files written to in place of the
// kernel's (CVE-2019-19921, CVE-2023-27561). The error is runc's.
Result<Fd> Mounter::ordinary_directory(const plan::Mount& mount)
{
    auto target = kernel::ensure_directory_in_root(m_root, mount.destination, mount_point_mode, Links::refuse);
    if (!target && (target.error().code() == ELOOP || target.error().code() == ENOTDIR))
        return failure(ErrorKind::invalid,
                       fmt::format("filesystem {} must be mounted on ordinary directory", quoted(mount.type)));
    return target;
}

// The remedy for each file system whose refusal has a known reason.
std::string hint_for(const plan::Mount& mount, const Error& error, bool in_user_namespace)
{
    if (error.code() == EPERM && mount.type == "sysfs" && in_user_namespace)
        return "in a user namespace sysfs needs a network namespace of the container's own; or bind the host's /sys: "
               "\"type\": \"none\", \"source\": \"/sys\", \"options\": [\"rbind\", \"ro\"]";
    if (error.code() == EPERM && mount.type == "proc" && in_user_namespace)
        return "in a user namespace proc needs a pid namespace of the container's own, and a host /proc without masks";
    if (error.code() == EPERM && mount.type == "mqueue")
        return "mqueue needs an IPC namespace of the container's own";
    if (error.code() == EINVAL && mount.type == "devpts" && in_user_namespace)
        return "the group of gid= must be mapped in linux.gidMappings";
    return "";
}

tl::unexpected<Error> with_hint_for(const plan::Mount& mount, Error error, bool in_user_namespace)
{
    std::string hint = hint_for(mount, error, in_user_namespace);
    if (hint.empty() || !error.hint().empty())
        return failure(std::move(error));
    return failure(std::move(error).with_hint(std::move(hint)));
}

Result<Fd> Mounter::make_file_system(const plan::Mount& mount, const kernel::FileSystemRequest& request) const
{
    // The ids of the host are out of sight in a user namespace, and the mapping needs power over the file system.
    bool by_launcher = has_user_namespace(m_plan) && !mount.uid_mappings.empty();
    auto made = by_launcher ? m_source(mount) : kernel::new_file_system(request);
    if (!made)
        return with_hint_for(mount, std::move(made).error(), has_user_namespace(m_plan));
    if (!by_launcher)
        TRY(map_ids(*made, mount));
    TRY(apply_propagation(*made, mount.options));
    if (mount.type == "mqueue")
        TRY(label_message_queues(*made));
    return made;
}

// fsconfig takes short values only, and no word for two old flags: the layers of an overlay are often longer.
bool needs_mount_call(const spec::MountOptions& options, const kernel::FileSystemRequest& request)
{
    constexpr uint64_t wordless = MS_I_VERSION | MS_POSIXACL;
    return ((options.superblock_set | options.superblock_clear) & wordless) != 0
           || std::ranges::any_of(request.strings,
                                  [](const auto& parameter) { return parameter.second.size() > kernel::longest_parameter; });
}

unsigned long mount_call_flags(uint64_t attributes)
{
    struct Pair {
        uint64_t attribute;
        unsigned long flag;
    };
    constexpr unsigned long ms_nosymfollow = 256; // not in glibc 2.36
    constexpr Pair pairs[] = {{MOUNT_ATTR_RDONLY, MS_RDONLY},         {MOUNT_ATTR_NOSUID, MS_NOSUID},
                              {MOUNT_ATTR_NODEV, MS_NODEV},           {MOUNT_ATTR_NOEXEC, MS_NOEXEC},
                              {MOUNT_ATTR_NOATIME, MS_NOATIME},       {MOUNT_ATTR_STRICTATIME, MS_STRICTATIME},
                              {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME}, {MOUNT_ATTR_NOSYMFOLLOW, ms_nosymfollow}};
    unsigned long flags = 0;
    for (const auto& pair : pairs)
        if ((attributes & pair.attribute) != 0)
            flags |= pair.flag;
    return flags;
}

Result<> mount_by_call(const plan::Mount& mount, const kernel::FileSystemRequest& request, FdRef target)
{
    std::string data = join(mount.options.data, ",");
    for (const auto& [key, value] : request.strings)
        if (key == "context" && !contains(data, "context="))
            data += fmt::format("{}context=\"{}\"", data.empty() ? "" : ",", value);
    TRY(kernel::mount_call(request.source, target, request.type,
                           mount_call_flags(request.attributes) | mount.options.superblock_set, data));
    return {};
}

Result<> Mounter::attach_file_system(const plan::Mount& mount, const kernel::FileSystemRequest& request, FdRef target)
{
    if (!needs_mount_call(mount.options, request)) {
        Fd made = TRY(make_file_system(mount, request));
        return kernel::attach_mount(made, target);
    }
    if (!mount.uid_mappings.empty())
        return failure(ErrorKind::not_supported, "a mount with options of this length cannot be id-mapped");
    TRY(mount_by_call(mount, request, target));
    if (mount.options.propagation.empty())
        return {};
    // `target` is what was covered; the path has the new mount on top.
    Fd made = TRY(kernel::open_in_root(m_root, mount.destination, O_PATH));
    return apply_propagation(made, mount.options);
}

// mqueue has no mount option for its label.
Result<> Mounter::label_message_queues(FdRef mount) const
{
    const std::string& label = m_plan.root.mount_label;
    return label.empty() ? Result<>{} : kernel::set_security_label(mount, label);
}

Result<> Mounter::new_file_system(const plan::Mount& mount)
{
    bool ordinary = mount.type == "proc" || mount.type == "sysfs";
    Fd target = ordinary ? TRY(ordinary_directory(mount))
                         : TRY(kernel::ensure_directory_in_root(m_root, mount.destination, mount_point_mode));
    if (!ordinary)
        TRY(check_target_outside_proc(mount, target));
    kernel::FileSystemRequest request = file_system_request(mount);
    add_label(request, m_plan.root.mount_label);
    return attach_file_system(mount, request, target);
}

bool has_parameter(const kernel::FileSystemRequest& request, std::string_view name)
{
    return std::ranges::any_of(request.strings, [&](const auto& parameter) { return parameter.first == name; });
}

// The directory itself is the image's, too, unless the options say whose it is.
Result<> copy_up(FdRef from, FdRef to, const kernel::FileSystemRequest& request)
{
    TRY(kernel::copy_tree(from, to));
    if (has_parameter(request, "uid") || has_parameter(request, "gid"))
        return {};
    struct stat status = TRY(kernel::status_of(from));
    return kernel::change_owner(to, status.st_uid, status.st_gid);
}

Result<> Mounter::new_tmpfs(const plan::Mount& mount)
{
    kernel::FileSystemRequest request = file_system_request(mount);
    add_label(request, m_plan.root.mount_label);
    // Writable until the end (make_root_readonly): mount points and devices are still to be made inside.
    request.attributes &= ~uint64_t{MOUNT_ATTR_RDONLY};
    std::erase(request.flags, "ro");
    auto existing = kernel::open_in_root(m_root, mount.destination, O_PATH | O_DIRECTORY);
    if (!existing && existing.error().code() != ENOENT)
        return failure(std::move(existing).error());
    Fd target =
        existing ? std::move(*existing) : TRY(kernel::make_directory_in_root(m_root, mount.destination, mount_point_mode));
    TRY(check_target_outside_proc(mount, target));
    // The image's own directory says who may use it; one that was just made for the mount says nothing.
    bool takes_mode = existing && !has_parameter(request, "mode");
    if (takes_mode)
        request.strings.emplace_back("mode", fmt::format("{:04o}", TRY(kernel::status_of(target)).st_mode & 07777));
    Fd made = TRY(make_file_system(mount, request));
    // One that the launcher made does not know of the image's directory.
    if (takes_mode && !mount.uid_mappings.empty())
        TRY(kernel::change_mode(TRY(kernel::open_at(made, ".", O_RDONLY | O_DIRECTORY)),
                                TRY(kernel::status_of(target)).st_mode & 07777));
    if (mount.options.tmpcopyup)
        TRY_DURING("tmpcopyup", copy_up(target, made, request));
    return kernel::attach_mount(made, target);
}

Result<> Mounter::remount(const plan::Mount& mount)
{
    Links links = mount.options.destination_nofollow ? Links::keep_last : Links::follow;
    Fd target = TRY(kernel::open_in_root(m_root, mount.destination, O_PATH, links));
    TRY(check_target_outside_proc(mount, target));
    if (!TRY(kernel::is_mount_root(target)))
        return failure(
            Error(ErrorKind::invalid, fmt::format("{} is not a mount that could be remounted", quoted(mount.destination)))
                .with_hint("mount it first, or use bind without remount"));
    if (mount.kind != plan::MountKind::bind) {
        kernel::FileSystemRequest request = file_system_request(mount);
        if (!request.strings.empty() || !request.flags.empty())
            TRY(kernel::reconfigure_file_system(target, request));
    }
    return apply_options_to_clone(target, mount.options);
}

} // namespace

Result<> mount_range(Fd& root, const plan::Plan& plan, size_t first, size_t last, const MountSource& source)
{
    for (size_t index = first; index < last; index++) {
        const plan::Mount& mount = plan.root.mounts[index];
        Mounter mounter(root, plan, source);
        // runc's words, behind the property's name.
        TRY_DURING(fmt::format("mounts[{}]: error mounting {} to rootfs at {}", mount.spec_index,
                               quoted(mount.host_source.empty() ? mount.type : mount.host_source), quoted(mount.destination)),
                   mount.is_root() ? mounter.mount_root(mount, root) : mounter.mount(mount));
    }
    return {};
}

} // namespace brig::setup
