#include "spec/index_list.hpp"

#include "base/text.hpp"

namespace brig::spec {

namespace {

constexpr uint64_t highest_index = 65535;

Result<uint32_t> parse_index(std::string_view text)
{
    uint64_t index = TRY(parse_unsigned(trim(text)));
    if (index > highest_index)
        return failure(ErrorKind::invalid, fmt::format("{} is larger than {}", index, highest_index));
    return static_cast<uint32_t>(index);
}

} // namespace

Result<std::vector<IndexRange>> parse_index_list(std::string_view text)
{
    std::vector<IndexRange> ranges;
    if (trim(text).empty())
        return ranges;
    for (auto item : split(text, ',')) {
        auto dash = item.find('-');
        IndexRange range;
        range.first = TRY(parse_index(item.substr(0, dash)));
        range.last = dash == std::string_view::npos ? range.first : TRY(parse_index(item.substr(dash + 1)));
        if (range.last < range.first)
            return failure(ErrorKind::invalid, fmt::format("{} ends before it starts", quoted(trim(item))));
        ranges.push_back(range);
    }
    return ranges;
}

} // namespace brig::spec
