#include "image/tool/unpacker.hpp"

#include "base/text.hpp"
#include "image/tool/entry_path.hpp"
#include "kernel/attributes.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

namespace brig::image {

namespace {

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
constexpr struct timespec no_time = {};

tl::unexpected<Error> refused(std::string why, std::string hint = {})
{
    return failure(Error(ErrorKind::invalid, std::move(why)).with_hint(std::move(hint)));
}

Result<uint32_t> id_of(uint64_t number)
{
    if (number >= std::numeric_limits<uint32_t>::max())
        return refused(fmt::format("its owner {} is no user id", number));
    return static_cast<uint32_t>(number);
}

bool is_whiteout(const struct stat& status)
{
    return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

Error with_remedy(Error error)
{
    if (error.hint().empty() && error.code() == EINVAL && contains(error.what(), "chown"))
        return std::move(error).with_hint("the owner is not mapped for this user: add ranges to /etc/subuid and /etc/subgid");
    return error;
}

} // namespace

std::string Unpacker::opaque_attribute() const
{
    return m_options.attributes == OverlayAttributes::user ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

std::string Unpacker::path_here(std::string_view name) const
{
    std::string path;
    for (const auto& directory : m_way)
        path += directory.name + "/";
    return path + std::string(name);
}

void Unpacker::touch()
{
    if (!m_way.empty())
        m_way.back().touched = true;
}

// ---- the way -----------------------------------------------------------------------------------------------------------

// What was made in a directory changed its time.
Result<> Unpacker::leave_to(size_t depth)
{
    while (m_way.size() > depth) {
        if (m_way.back().touched)
            TRY(kernel::set_times(m_way.back().fd, m_way.back().modified));
        m_way.pop_back();
    }
    return {};
}

tl::unexpected<Error> Unpacker::not_a_directory(const std::string& name) const
{
    auto target = kernel::read_link(here(), name);
    std::string what = target ? fmt::format("a link to {}", quoted(*target)) : "no directory";
    return refused(fmt::format("its name goes through {}, which is {}", quoted(path_here(name)), what));
}

Result<> Unpacker::remember_implied(std::string path)
{
    constexpr size_t most_bytes = size_t{16} << 20;
    m_implied_bytes += path.size();
    if (m_implied_bytes > most_bytes)
        return refused("the layer has too many files in directories that it has no entries for");
    m_implied.insert(std::move(path));
    return {};
}

Result<> Unpacker::imply_directory(const std::string& name)
{
    bool replaces = TRY(take_whiteout_away(name));
    TRY(kernel::make_directory(here(), name, 0755));
    touch();
    Fd made = TRY(kernel::open_at(here(), name, directory_flags));
    if (replaces)
        TRY(kernel::set_attribute(made, opaque_attribute(), "y"));
    else
        TRY(remember_implied(path_here(name)));
    m_way.push_back({name, std::move(made), no_time, true});
    return {};
}

Result<> Unpacker::enter_one(const std::string& name)
{
    auto opened = kernel::open_at(here(), name, directory_flags);
    if (opened) {
        struct stat status = TRY(kernel::status_of(*opened));
        m_way.push_back({name, std::move(*opened), status.st_mtim, false});
        return {};
    }
    if (opened.error().code() == ENOENT)
        return imply_directory(name);
    if (opened.error().code() != ENOTDIR && opened.error().code() != ELOOP)
        return failure(std::move(opened).error());
    auto status = kernel::status_at(here(), name, AT_SYMLINK_NOFOLLOW);
    if (status && is_whiteout(*status))
        return imply_directory(name);
    return not_a_directory(name);
}

Result<> Unpacker::enter(const std::vector<std::string>& parts)
{
    size_t common = 0;
    while (common < parts.size() && common < m_way.size() && m_way[common].name == parts[common])
        common++;
    TRY(leave_to(common));
    for (size_t depth = common; depth < parts.size(); depth++) {
        if (parts[depth].starts_with(whiteout_prefix))
            return refused(fmt::format("{} is a whiteout's name, which no directory can have", quoted(parts[depth])));
        TRY(enter_one(parts[depth]));
    }
    return {};
}

// ---- entries -----------------------------------------------------------------------------------------------------------

// What is whited out and there again hides what the layers below have: true, and the whiteout is gone.
Result<bool> Unpacker::take_whiteout_away(const std::string& name)
{
    auto status = kernel::status_at(here(), name, AT_SYMLINK_NOFOLLOW);
    if (!status || !is_whiteout(*status))
        return false;
    TRY(kernel::remove_file(here(), name));
    return true;
}

Result<> Unpacker::set_attributes(FdRef file, const ArchiveEntry& entry) const
{
    for (const auto& [name, value] : entry.attributes) {
        if (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay."))
            return refused(fmt::format("it has the attribute {}, with which it could show files of other layers", quoted(name)));
        // The label of a file belongs to the host that has it.
        if (name == "security.selinux")
            continue;
        TRY(kernel::set_attribute(file, name, value));
    }
    return {};
}

Result<> Unpacker::add_directory(const ArchiveEntry& entry, const std::string& name)
{
    bool opaque = TRY(take_whiteout_away(name));
    auto made = kernel::make_directory(here(), name, 0700);
    if (!made && made.error().code() != EEXIST)
        return made;
    touch();
    auto opened = kernel::open_at(here(), name, directory_flags);
    if (!opened && (opened.error().code() == ENOTDIR || opened.error().code() == ELOOP))
        return refused("the layer has another entry of this name, which is no directory");
    Fd directory = TRY(std::move(opened));
    if (!m_implied.empty())
        m_implied.erase(path_here(name));
    TRY(kernel::change_owner(directory, TRY(id_of(entry.uid)), TRY(id_of(entry.gid))));
    TRY(kernel::change_mode(directory, entry.mode & 07777));
    TRY(set_attributes(directory, entry));
    if (opaque)
        TRY(kernel::set_attribute(directory, opaque_attribute(), "y"));
    // Most archives go on with what is in it.
    m_way.push_back({name, std::move(directory), entry.modified, true});
    return {};
}

Result<> Unpacker::add_file(ArchiveReader& archive, const ArchiveEntry& entry, const std::string& name)
{
    (void)TRY(take_whiteout_away(name));
    Fd file = TRY(kernel::open_at(here(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    touch();
    uint64_t end = 0;
    TRY(archive.read_content([&](uint64_t offset, std::string_view bytes) -> Result<> {
        if (offset > entry.size || bytes.size() > entry.size - offset)
            return refused("it has more content than its size");
        TRY(kernel::write_all_at(file, offset, bytes));
        end = offset + bytes.size();
        return {};
    }));
    if (end < entry.size)
        TRY(kernel::truncate(file, static_cast<off_t>(entry.size)));
    TRY(kernel::change_owner(file, TRY(id_of(entry.uid)), TRY(id_of(entry.gid))));
    // After the owner: a chown takes set-user-id bits and capabilities away.
    TRY(kernel::change_mode(file, entry.mode & 07777));
    TRY(set_attributes(file, entry));
    return kernel::set_times(file, entry.modified);
}

// Owner, attributes and time of what cannot be opened.
Result<> Unpacker::complete(const ArchiveEntry& entry, const std::string& name)
{
    touch();
    TRY(kernel::change_owner_at(here(), name, TRY(id_of(entry.uid)), TRY(id_of(entry.gid))));
    if (!S_ISLNK(entry.mode))
        TRY(kernel::change_mode_at(here(), name, entry.mode & 07777));
    if (!entry.attributes.empty()) {
        Fd made = TRY(kernel::open_at(here(), name, O_PATH | O_NOFOLLOW));
        TRY(set_attributes(made, entry));
    }
    return kernel::set_times_at(here(), name, entry.modified);
}

Result<> Unpacker::add_link(const ArchiveEntry& entry, const std::string& name)
{
    if (entry.link.empty())
        return refused("it is a link to nothing");
    (void)TRY(take_whiteout_away(name));
    TRY(kernel::make_link(entry.link, here(), name));
    return complete(entry, name);
}

Result<> Unpacker::add_node(const ArchiveEntry& entry, const std::string& name)
{
    bool device = S_ISCHR(entry.mode) || S_ISBLK(entry.mode);
    if (device && !m_options.allow_devices)
        return refused("it is a device node", "containers get their devices from brig; --allow-devices takes the image's, too");
    if (S_ISCHR(entry.mode) && entry.device == 0)
        return refused("it is the device 0:0, which overlayfs takes for a whiteout");
    (void)TRY(take_whiteout_away(name));
    TRY(kernel::make_node(here(), name, entry.mode, entry.device));
    return complete(entry, name);
}

Result<Fd> Unpacker::open_hard_link_parent(const std::vector<std::string>& parts)
{
    Fd directory = TRY(kernel::open_at(m_root, ".", directory_flags));
    for (size_t depth = 0; depth + 1 < parts.size(); depth++)
        directory = TRY(kernel::open_at(directory, parts[depth], directory_flags));
    return directory;
}

Result<> Unpacker::add_hard_link(const ArchiveEntry& entry, const std::string& name)
{
    auto parts = split_entry_path(entry.hard_link);
    if (!parts || parts->empty())
        return refused(fmt::format("it is a hard link to {}, which is outside the layer", quoted(entry.hard_link)));
    auto missing = [&] {
        return refused(fmt::format("it is a hard link to {}, which the layer does not have", quoted(entry.hard_link)));
    };
    auto directory = open_hard_link_parent(*parts);
    if (!directory)
        return missing();
    auto target = kernel::status_at(*directory, parts->back(), AT_SYMLINK_NOFOLLOW);
    if (!target || is_whiteout(*target))
        return missing();
    if (S_ISDIR(target->st_mode))
        return refused(fmt::format("it is a hard link to the directory {}", quoted(entry.hard_link)));
    (void)TRY(take_whiteout_away(name));
    TRY(kernel::make_hard_link(*directory, parts->back(), here(), name));
    touch();
    return {};
}

// ---- whiteouts -----------------------------------------------------------------------------------------------------------

Result<> Unpacker::make_opaque()
{
    if (m_way.empty())
        return refused("it would hide the whole root");
    return kernel::set_attribute(m_way.back().fd, opaque_attribute(), "y");
}

Result<> Unpacker::add_whiteout(const ArchiveEntry& entry, std::string_view hidden)
{
    std::string name(hidden);
    if (name.empty() || name == "." || name == "..")
        return refused("it is a whiteout of no name");
    auto status = kernel::status_at(here(), name, AT_SYMLINK_NOFOLLOW);
    // Whiteouts are about the layers below only. What this layer has hides them, and a directory does so when it is opaque.
    if (status && S_ISDIR(status->st_mode))
        return kernel::set_attribute(TRY(kernel::open_at(here(), name, directory_flags)), opaque_attribute(), "y");
    if (status)
        return {};
    touch();
    TRY(kernel::make_node(here(), name, S_IFCHR, 0));
    return kernel::set_times_at(here(), name, entry.modified);
}

// ---- the whole -----------------------------------------------------------------------------------------------------------

Result<> Unpacker::add_root(const ArchiveEntry& entry)
{
    if (!S_ISDIR(entry.mode) || !entry.hard_link.empty())
        return refused("the root can only be a directory");
    TRY(leave_to(0));
    Fd root = TRY(kernel::open_at(m_root, ".", directory_flags));
    TRY(kernel::change_owner(root, TRY(id_of(entry.uid)), TRY(id_of(entry.gid))));
    TRY(kernel::change_mode(root, entry.mode & 07777));
    TRY(set_attributes(root, entry));
    m_root_modified = entry.modified;
    m_root_implied = false;
    return {};
}

Result<> Unpacker::add_named(ArchiveReader& archive, const ArchiveEntry& entry, const std::string& name)
{
    if (name == opaque_name)
        return make_opaque();
    if (name.starts_with(whiteout_prefix))
        return add_whiteout(entry, std::string_view(name).substr(whiteout_prefix.size()));
    if (!entry.hard_link.empty())
        return add_hard_link(entry, name);
    switch (entry.mode & S_IFMT) {
    case S_IFDIR: return add_directory(entry, name);
    case S_IFREG: return add_file(archive, entry, name);
    case S_IFLNK: return add_link(entry, name);
    case S_IFIFO:
    case S_IFCHR:
    case S_IFBLK: return add_node(entry, name);
    default: return refused("it is of no type that an image can have");
    }
}

Result<> Unpacker::add(ArchiveReader& archive, const ArchiveEntry& entry)
{
    if (m_budget.entries.fetch_add(1) >= m_budget.limits.entries)
        return refused(fmt::format("the image has more than {} entries", m_budget.limits.entries), "--max-entries allows more");
    // A file of holes costs nothing here, and all the memory of whoever copies it.
    if (entry.size > m_budget.limits.bytes)
        return refused(fmt::format("its size is {} bytes", entry.size), "--max-bytes allows more");
    auto parts = TRY(split_entry_path(entry.path));
    if (parts.empty())
        return add_root(entry);
    if (std::ranges::any_of(parts, is_of_aufs))
        return {};
    std::string name = std::move(parts.back());
    parts.pop_back();
    TRY(enter(parts));
    auto added = add_named(archive, entry, name);
    if (!added && added.error().code() == EEXIST)
        return refused("the layer has another entry of this name");
    return added;
}

Result<> Unpacker::unpack(ArchiveReader& archive)
{
    ArchiveEntry entry;
    while (TRY(archive.next(entry))) {
        auto added = add(archive, entry);
        if (!added)
            return failure(with_remedy(std::move(added).error()).during("entry " + quoted(entry.path)));
    }
    TRY(leave_to(0));
    return kernel::set_times(TRY(kernel::open_at(m_root, ".", directory_flags)), m_root_modified);
}

Result<> Unpacker::look_as_below(FdRef own, const LayerStack::Entry& below) const
{
    TRY(kernel::change_owner(own, below.status.st_uid, below.status.st_gid));
    TRY(kernel::change_mode(own, below.status.st_mode & 07777));
    for (const auto& name : TRY(kernel::attribute_names(below.fd)))
        if (!contains(name, ".overlay.") && name != "security.selinux")
            TRY(kernel::set_attribute(own, name, TRY(kernel::attribute(below.fd, name)).value_or("")));
    return kernel::set_times(own, below.status.st_mtim);
}

Result<> Unpacker::settle(const LayerStack& below)
{
    if (below.empty())
        return {};
    for (const auto& path : m_implied) {
        auto entry = TRY(below.find(path));
        if (!entry)
            continue;
        if (!S_ISDIR(entry->status.st_mode))
            return refused(fmt::format("entries below {}: the layers below have no directory there", quoted(path)),
                           "the image was made for a root file system of another shape");
        auto parts = TRY(split_entry_path(path));
        Fd parent = TRY(open_hard_link_parent(parts));
        TRY(look_as_below(TRY(kernel::open_at(parent, parts.back(), directory_flags)), *entry));
    }
    if (m_root_implied)
        TRY(look_as_below(TRY(kernel::open_at(m_root, ".", directory_flags)), *TRY(below.find("/"))));
    m_implied.clear();
    return {};
}

} // namespace brig::image
