#include "image/image_user.hpp"

#include "base/text.hpp"
#include "image/layer_stack.hpp"

#include <algorithm>
#include <limits>
#include <optional>

namespace brig::image {

namespace {

constexpr size_t largest_file = size_t{16} << 20;

struct Account {
    std::string name;
    uint32_t uid = 0;
    uint32_t gid = 0;
};

struct Group {
    std::string name;
    uint32_t gid = 0;
    std::vector<std::string> members;
};

// The highest value means "no change" to the kernel.
std::optional<uint32_t> id_from(std::string_view text)
{
    auto number = parse_unsigned(text);
    if (!number || *number >= std::numeric_limits<uint32_t>::max())
        return std::nullopt;
    return static_cast<uint32_t>(*number);
}

std::vector<Account> accounts_from(std::string_view text)
{
    std::vector<Account> accounts;
    for (auto line : split(text, '\n')) {
        auto fields = split(line, ':');
        if (fields.size() < 4)
            continue;
        auto uid = id_from(fields[2]);
        auto gid = id_from(fields[3]);
        if (uid && gid)
            accounts.push_back({std::string(fields[0]), *uid, *gid});
    }
    return accounts;
}

std::vector<Group> groups_from(std::string_view text)
{
    std::vector<Group> groups;
    for (auto line : split(text, '\n')) {
        auto fields = split(line, ':');
        if (fields.size() < 4)
            continue;
        auto gid = id_from(fields[2]);
        if (!gid)
            continue;
        Group group{std::string(fields[0]), *gid, {}};
        for (auto member : split(trim(fields[3]), ','))
            group.members.emplace_back(member);
        groups.push_back(std::move(group));
    }
    return groups;
}

tl::unexpected<Error> unknown(std::string_view what, std::string_view name, std::string_view file)
{
    return failure(Error(ErrorKind::invalid, fmt::format("{} {} is not in the image's {}", what, quoted(name), file))
                       .with_hint("--user takes numbers, too: UID:GID"));
}

Result<std::vector<Group>> read_groups(const LayerStack& stack)
{
    return groups_from(TRY(stack.read_file("etc/group", largest_file)).value_or(""));
}

} // namespace

Result<UserIds> resolve_user(const Image& image, OverlayAttributes attributes, const std::string& user)
{
    UserIds ids;
    // Most images of tools say nothing, or a number: nothing of the image is looked at for root.
    if (user.empty() || user == "0" || user == "0:0")
        return ids;
    LayerStack stack = TRY(LayerStack::open(image.layer_directories(), attributes));
    size_t colon = user.find(':');
    std::string name = user.substr(0, colon);
    auto accounts = accounts_from(TRY(stack.read_file("etc/passwd", largest_file)).value_or(""));
    auto number = id_from(name);
    // A name of digits is a name first, as for Docker.
    auto account = std::ranges::find(accounts, name, &Account::name);
    if (account == accounts.end() && number)
        account = std::ranges::find(accounts, *number, &Account::uid);
    if (account == accounts.end() && !number)
        return unknown("user", name, "/etc/passwd");
    ids.uid = account != accounts.end() ? account->uid : *number;
    ids.gid = account != accounts.end() ? account->gid : 0;
    auto groups = TRY(read_groups(stack));
    if (colon != std::string::npos) {
        std::string group_name = user.substr(colon + 1);
        auto group = std::ranges::find(groups, group_name, &Group::name);
        auto group_number = id_from(group_name);
        if (group == groups.end() && !group_number)
            return unknown("group", group_name, "/etc/group");
        ids.gid = group != groups.end() ? group->gid : *group_number;
        return ids;
    }
    if (account == accounts.end())
        return ids;
    for (const auto& group : groups)
        if (group.gid != ids.gid && std::ranges::find(group.members, account->name) != group.members.end())
            ids.additional_gids.push_back(group.gid);
    return ids;
}

} // namespace brig::image
