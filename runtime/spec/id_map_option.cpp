#include "spec/id_map_option.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <limits>

namespace brig::spec {

namespace {

constexpr std::string_view example = "write it like idmap=uids=0-1000-10#10-5000-5;gids=0-1000-10";

tl::unexpected<Error> wrong(std::string what)
{
    return failure(Error(ErrorKind::invalid, std::move(what)).with_hint(std::string(example)));
}

Result<uint32_t> parse_id(std::string_view text, std::string_view range)
{
    auto number = parse_unsigned(text);
    if (!number || *number > std::numeric_limits<uint32_t>::max())
        return wrong(fmt::format("{} of an id mapping is not three numbers", quoted(range)));
    return static_cast<uint32_t>(*number);
}

Result<IdMapRange> parse_range(std::string_view text)
{
    IdMapRange range;
    std::string_view numbers = text;
    range.relative = numbers.starts_with('@');
    if (range.relative)
        numbers.remove_prefix(1);
    auto parts = split(numbers, '-');
    if (parts.size() != 3)
        return wrong(fmt::format("{} of an id mapping is not three numbers", quoted(text)));
    range.file_system_id = TRY(parse_id(parts[0], text));
    range.other_id = TRY(parse_id(parts[1], text));
    range.size = TRY(parse_id(parts[2], text));
    return range;
}

Result<> parse_list(std::string_view text, std::vector<IdMapRange>& ranges)
{
    for (auto part : split(text, '#'))
        ranges.push_back(TRY(parse_range(part)));
    return {};
}

} // namespace

Result<IdMapOption> parse_id_map_option(std::string_view value)
{
    IdMapOption option;
    for (auto part : split(value, ';')) {
        bool uids = part.starts_with("uids=");
        if (!uids && !part.starts_with("gids="))
            return wrong(fmt::format("{} of an id mapping is neither uids= nor gids=", quoted(part)));
        auto& ranges = uids ? option.uids : option.gids;
        if (!ranges.empty())
            return wrong(fmt::format("{} comes twice in an id mapping", quoted(part.substr(0, 5))));
        TRY(parse_list(part.substr(5), ranges));
    }
    if (option.uids.empty() || option.gids.empty())
        return wrong("an id mapping needs both uids= and gids=");
    return option;
}

Result<std::vector<IdMapping>> resolve_id_ranges(const std::vector<IdMapRange>& ranges,
                                                 const std::vector<IdMapping>& of_container)
{
    std::vector<IdMapping> resolved;
    for (const auto& range : ranges) {
        if (!range.relative) {
            resolved.push_back({range.file_system_id, range.other_id, range.size});
            continue;
        }
        auto around = std::ranges::find_if(of_container, [&](const IdMapping& mapping) {
            return range.other_id >= mapping.container_id && range.other_id - mapping.container_id < mapping.size
                   && range.size <= mapping.size - (range.other_id - mapping.container_id);
        });
        if (around == of_container.end())
            return failure(
                Error(ErrorKind::invalid, fmt::format("@{}-{}-{} is not inside one mapping of the container's user namespace",
                                                      range.file_system_id, range.other_id, range.size))
                    .with_hint("split it where linux.uidMappings or gidMappings does, or give ids of the host without @"));
        resolved.push_back({range.file_system_id, around->host_id + (range.other_id - around->container_id), range.size});
    }
    return resolved;
}

} // namespace brig::spec
