#include "image/tool/compare_trees.hpp"

#include "base/text.hpp"
#include "kernel/attributes.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <map>

namespace brig::image {

namespace {

using Difference = std::optional<std::string>;

Difference says(const std::string& path, std::string_view what)
{
    return fmt::format("{}: {}", quoted(path.empty() ? "/" : path), what);
}

Difference compare_status(const std::string& path, const struct stat& wanted, const struct stat& found)
{
    if (wanted.st_mode != found.st_mode)
        return says(path, fmt::format("mode {:o} instead of {:o}", found.st_mode, wanted.st_mode));
    if (wanted.st_uid != found.st_uid || wanted.st_gid != found.st_gid)
        return says(path, fmt::format("owner {}:{} instead of {}:{}", found.st_uid, found.st_gid, wanted.st_uid, wanted.st_gid));
    if (wanted.st_mtim.tv_sec != found.st_mtim.tv_sec || wanted.st_mtim.tv_nsec != found.st_mtim.tv_nsec)
        return says(path, "another modification time");
    if (wanted.st_rdev != found.st_rdev)
        return says(path, "another device");
    if (!S_ISDIR(wanted.st_mode) && wanted.st_size != found.st_size)
        return says(path, fmt::format("{} bytes instead of {}", found.st_size, wanted.st_size));
    if (!S_ISDIR(wanted.st_mode) && wanted.st_nlink != found.st_nlink)
        return says(path, fmt::format("{} names instead of {}", found.st_nlink, wanted.st_nlink));
    return std::nullopt;
}

Result<std::map<std::string, std::string>> attributes_of(FdRef file)
{
    std::map<std::string, std::string> attributes;
    for (auto& name : TRY(kernel::attribute_names(file)))
        if (name != "security.selinux")
            attributes[name] = TRY(kernel::attribute(file, name)).value_or("");
    return attributes;
}

Result<bool> same_content(FdRef wanted, FdRef found, uint64_t size)
{
    constexpr size_t step = size_t{128} << 10;
    std::string one(step, '\0');
    std::string other(step, '\0');
    for (uint64_t offset = 0; offset < size;) {
        size_t count = TRY(kernel::read_at(wanted, offset, one.data(), step));
        size_t done = 0;
        while (done < count) {
            size_t part = TRY(kernel::read_at(found, offset + done, other.data() + done, count - done));
            if (part == 0)
                return false;
            done += part;
        }
        if (count == 0 || std::string_view(one).substr(0, count) != std::string_view(other).substr(0, count))
            return count == 0;
        offset += count;
    }
    return true;
}

Result<Difference> compare_folder(FdRef wanted, FdRef found, const std::string& path);

Result<Difference> compare_entry(FdRef wanted, FdRef found, const std::string& name, const std::string& path)
{
    struct stat status = TRY(kernel::status_at(wanted, name, AT_SYMLINK_NOFOLLOW));
    struct stat other = TRY(kernel::status_at(found, name, AT_SYMLINK_NOFOLLOW));
    if (auto difference = compare_status(path, status, other))
        return difference;
    Fd wanted_entry = TRY(kernel::open_at(wanted, name, O_PATH | O_NOFOLLOW));
    Fd found_entry = TRY(kernel::open_at(found, name, O_PATH | O_NOFOLLOW));
    if (TRY(attributes_of(wanted_entry)) != TRY(attributes_of(found_entry)))
        return says(path, "other extended attributes");
    if (S_ISLNK(status.st_mode) && TRY(kernel::read_link(wanted_entry, "")) != TRY(kernel::read_link(found_entry, "")))
        return says(path, "a link to somewhere else");
    if (S_ISDIR(status.st_mode))
        return compare_folder(TRY(kernel::open_at(wanted, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)),
                              TRY(kernel::open_at(found, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)), path);
    if (!S_ISREG(status.st_mode))
        return Difference();
    Fd wanted_file = TRY(kernel::open_at(wanted, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    Fd found_file = TRY(kernel::open_at(found, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    bool same = TRY(same_content(wanted_file, found_file, static_cast<uint64_t>(status.st_size)));
    return same ? Difference() : says(path, "other content");
}

Result<Difference> compare_folder(FdRef wanted, FdRef found, const std::string& path)
{
    auto names = TRY(kernel::list_directory(wanted));
    auto others = TRY(kernel::list_directory(found));
    std::ranges::sort(names);
    std::ranges::sort(others);
    for (const auto& name : names)
        if (!std::ranges::binary_search(others, name))
            return says(path + "/" + name, "is missing");
    for (const auto& name : others)
        if (!std::ranges::binary_search(names, name))
            return says(path + "/" + name, "should not be there");
    for (const auto& name : names)
        if (auto difference = TRY(compare_entry(wanted, found, name, path + "/" + name)))
            return difference;
    return Difference();
}

} // namespace

Result<std::optional<std::string>> compare_trees(FdRef wanted, FdRef found)
{
    if (auto difference = compare_status("", TRY(kernel::status_of(wanted)), TRY(kernel::status_of(found))))
        return difference;
    if (TRY(attributes_of(wanted)) != TRY(attributes_of(found)))
        return says("", "other extended attributes");
    return compare_folder(wanted, found, "");
}

} // namespace brig::image
