#include "image/tool/entry_path.hpp"

#include "base/text.hpp"

#include <climits>

namespace brig::image {

Result<std::vector<std::string>> split_entry_path(std::string_view path)
{
    if (path.empty())
        return failure(ErrorKind::invalid, "its name is empty");
    if (path.front() == '/')
        return failure(ErrorKind::invalid, "its name is absolute");
    if (path.size() >= PATH_MAX)
        return failure(ErrorKind::invalid, "its name is longer than a path can be");
    std::vector<std::string> parts;
    for (auto part : split(path, '/')) {
        if (part.empty() || part == ".")
            continue;
        if (part == "..")
            return failure(ErrorKind::invalid, "its name has a \"..\"");
        if (part.size() > NAME_MAX)
            return failure(ErrorKind::invalid, "a part of its name is longer than 255 bytes");
        parts.emplace_back(part);
    }
    return parts;
}

bool is_of_aufs(std::string_view name)
{
    return name.starts_with(".wh..wh.") && name != opaque_name;
}

} // namespace brig::image
