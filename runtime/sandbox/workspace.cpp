#include "sandbox/workspace.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "kernel/file_system_ids.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/openat2.h>

namespace brig::sandbox {

namespace {

constexpr uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
constexpr size_t most_listed = 10'000;

Error explain(Error error, const std::string& path)
{
    if (error.code() == ELOOP)
        return std::move(error).with_kind(ErrorKind::invalid).with_hint("links are not followed");
    if (error.code() == EXDEV)
        return std::move(error).with_kind(ErrorKind::invalid).with_hint("only files of the workspace itself can be reached");
    if (error.code() == ENOENT)
        return Error(ErrorKind::not_found, fmt::format("there is no {} in the workspace", quoted(path))).with_code(ENOENT);
    return error;
}

Result<Fd> open_beneath(FdRef workspace, const std::string& path, uint64_t flags)
{
    auto opened = kernel::open_at2(workspace, path.empty() ? "." : path, flags, 0, resolve);
    if (!opened)
        return failure(explain(std::move(opened).error(), path));
    return opened;
}

std::string_view type_name(mode_t mode)
{
    if (S_ISREG(mode))
        return "file";
    if (S_ISDIR(mode))
        return "directory";
    return S_ISLNK(mode) ? "link" : "other";
}

Json entry_of(const std::string& name, const struct stat& status)
{
    Json entry = Json::object();
    entry.set("name", Json::string(is_utf8(name) ? name : "base64:" + base64(name)))
        .set("type", Json::string(type_name(status.st_mode)))
        .set("size", Json::number(status.st_size))
        .set("mode", Json::string(fmt::format("{:04o}", status.st_mode & 07777U)))
        .set("modified", Json::number(status.st_mtim.tv_sec));
    return entry;
}

} // namespace

Result<std::string> path_in_workspace(std::string_view path)
{
    auto outside = [&] {
        return failure(Error(ErrorKind::invalid, fmt::format("{} is outside of the workspace", quoted(path)))
                           .with_hint(fmt::format("paths are relative to {} and have no ..", workspace_path)));
    };
    if (path.find('\0') != std::string_view::npos)
        return outside();
    if (path.starts_with('/')) {
        std::string_view prefix = workspace_path;
        if (!path.starts_with(prefix) || (path.size() > prefix.size() && path[prefix.size()] != '/'))
            return outside();
        path.remove_prefix(prefix.size());
    }
    std::vector<std::string> parts;
    for (auto part : split(path, '/')) {
        if (part == "..")
            return outside();
        if (!part.empty() && part != ".")
            parts.emplace_back(part);
    }
    return join(parts, "/");
}

Result<Fd> open_for_reading(FdRef workspace, const std::string& path)
{
    // A fifo without writers would hold an opener up, a device might do anything.
    Fd file = TRY(open_beneath(workspace, path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    if (!S_ISREG(TRY(kernel::status_of(file)).st_mode))
        return failure(ErrorKind::invalid, fmt::format("{} is not a regular file", quoted(path)));
    return file;
}

Result<NewFile> NewFile::create(FdRef workspace, const std::string& path, const User& owner)
{
    std::string name(base_name(path));
    if (path.empty() || name.empty())
        return failure(ErrorKind::invalid, "a file needs a name");
    std::string parent = path.size() > name.size() ? path.substr(0, path.size() - name.size() - 1) : "";
    Fd folder = TRY(open_beneath(workspace, parent, O_RDONLY | O_DIRECTORY));
    auto ids = TRY(kernel::FileSystemIds::become(owner.uid, owner.gid));
    // A name that exists is another writer's, or a program's that guesses: the next one then.
    constexpr int attempts = 64;
    for (int attempt = 0; attempt < attempts; attempt++) {
        std::string temporary = fmt::format(".brig-put-{}-{}", folder.get(), attempt);
        auto file = kernel::open_at2(folder, temporary, O_WRONLY | O_CREAT | O_EXCL, 0644, resolve);
        if (!file && file.error().code() == EEXIST)
            continue;
        return NewFile(std::move(folder), TRY(std::move(file)), owner, temporary, name);
    }
    return failure(ErrorKind::already_exists, "every name for the new file is taken");
}

NewFile::~NewFile()
{
    if (m_file && !m_temporary.empty())
        (void)kernel::remove_file(m_folder, m_temporary);
}

Result<> NewFile::commit()
{
    auto ids = TRY(kernel::FileSystemIds::become(m_owner.uid, m_owner.gid));
    TRY(kernel::rename(m_folder, m_temporary, m_folder, m_name));
    m_temporary.clear();
    return {};
}

Result<Json> list_files(FdRef workspace, const std::string& path)
{
    Fd place = TRY(open_beneath(workspace, path, O_PATH));
    struct stat status = TRY(kernel::status_of(place));
    Json list = Json::array();
    if (!S_ISDIR(status.st_mode)) {
        list.append(entry_of(std::string(base_name(path)), status));
        return list;
    }
    Fd folder = TRY(open_beneath(workspace, path, O_RDONLY | O_DIRECTORY));
    auto names = TRY(kernel::list_directory(folder));
    std::ranges::sort(names);
    if (names.size() > most_listed)
        return failure(
            Error(ErrorKind::invalid, fmt::format("{} has {} entries, more than {}", quoted(path), names.size(), most_listed)));
    for (const auto& name : names)
        if (auto entry = kernel::status_at(folder, name, AT_SYMLINK_NOFOLLOW))
            list.append(entry_of(name, *entry));
    return list;
}

} // namespace brig::sandbox
