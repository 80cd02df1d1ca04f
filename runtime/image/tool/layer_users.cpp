#include "image/tool/layer_users.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <set>

namespace brig::image {

namespace {

constexpr size_t largest_text = size_t{16} << 20;

std::optional<std::string> text_of(const std::string& path)
{
    auto text = kernel::read_file(kernel::working_directory, path, largest_text);
    return text ? std::optional(std::move(*text)) : std::nullopt;
}

std::vector<std::string> names_in(const std::string& path)
{
    auto folder = kernel::open_at(kernel::working_directory, path, O_RDONLY | O_DIRECTORY);
    auto names = folder ? kernel::list_directory(*folder) : failure(folder.error());
    return names ? std::move(*names) : std::vector<std::string>();
}

} // namespace

Result<LayerUsers> LayerUsers::find(const StoreWriter& writer, const std::string& state_root)
{
    LayerUsers users;
    users.add_containers(state_root);
    TRY(users.add_bundles(writer));
    users.add_mounts();
    return users;
}

void LayerUsers::add_containers(const std::string& state_root)
{
    for (const auto& id : names_in(state_root))
        if (auto config = text_of(join_path(state_root, id + "/config.json")))
            m_users.push_back({"container " + id, std::move(*config)});
}

Result<> LayerUsers::add_bundles(const StoreWriter& writer)
{
    std::string folder = join_path(writer.store().root(), "bundles");
    for (const auto& name : names_in(folder)) {
        std::string config = TRY(kernel::read_link(writer.directory(), "bundles/" + name));
        if (auto text = text_of(config))
            m_users.push_back({fmt::format("bundle {}", parent_path(config)), std::move(*text)});
        else if (!kernel::exists(kernel::working_directory, config))
            m_stale.push_back("bundles/" + name);
    }
    return {};
}

// Processes of one mount namespace see the same.
void LayerUsers::add_mounts()
{
    std::set<std::string> seen;
    for (const auto& pid : names_in("/proc")) {
        if (pid.find_first_not_of("0123456789") != std::string::npos)
            continue;
        auto name_space = kernel::read_link(kernel::working_directory, fmt::format("/proc/{}/ns/mnt", pid));
        if (name_space && !seen.insert(*name_space).second)
            continue;
        auto table = text_of(fmt::format("/proc/{}/mountinfo", pid));
        if (table && contains(*table, "lowerdir"))
            m_users.push_back({"a mount of process " + pid, std::move(*table)});
    }
}

std::optional<std::string> LayerUsers::user_of(std::string_view chain_id) const
{
    std::string_view hex = chain_id.substr(chain_id.find(':') + 1);
    for (const auto& user : m_users)
        if (contains(user.text, hex))
            return user.what;
    return std::nullopt;
}

} // namespace brig::image
