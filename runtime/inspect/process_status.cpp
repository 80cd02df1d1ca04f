#include "inspect/process_status.hpp"

#include "base/text.hpp"

#include <charconv>

namespace brig::inspect {

namespace {

Result<uint64_t> parse_mask(std::string_view text)
{
    uint64_t mask = 0;
    constexpr int hexadecimal = 16;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mask, hexadecimal);
    if (error != std::errc() || end != text.data() + text.size())
        return failure(ErrorKind::internal, fmt::format("not a set of capabilities: {}", quoted(text)));
    return mask;
}

// "Uid: real effective saved file-system"
Result<uint64_t> effective_id(std::string_view value)
{
    auto ids = words_of(value);
    if (ids.size() != 4)
        return failure(ErrorKind::internal, fmt::format("not the ids of a process: {}", quoted(value)));
    return parse_unsigned(ids[1]);
}

Result<SeccompMode> parse_mode(std::string_view value)
{
    if (value == "0")
        return SeccompMode::none;
    return value == "1" ? SeccompMode::strict : SeccompMode::filter;
}

Result<> take_field(ProcessStatus& status, std::string_view key, std::string_view value)
{
    CapabilitySets& sets = status.capabilities;
    for (auto [name, set] : {std::pair{"CapInh", &sets.inheritable},
                             {"CapPrm", &sets.permitted},
                             {"CapEff", &sets.effective},
                             {"CapBnd", &sets.bounding},
                             {"CapAmb", &sets.ambient}})
        if (key == name)
            *set = TRY(parse_mask(value));
    if (key == "Name")
        status.name = value;
    else if (key == "Pid")
        status.pid = static_cast<pid_t>(TRY(parse_unsigned(value)));
    else if (key == "Uid")
        status.uid = TRY(effective_id(value));
    else if (key == "Gid")
        status.gid = TRY(effective_id(value));
    else if (key == "NoNewPrivs")
        status.no_new_privileges = value == "1";
    else if (key == "Seccomp")
        status.seccomp = TRY(parse_mode(value));
    else if (key == "Seccomp_filters")
        status.filters = TRY(parse_unsigned(value));
    else if (key == "Groups")
        for (auto group : words_of(value))
            status.groups.push_back(TRY(parse_unsigned(group)));
    return {};
}

} // namespace

Result<ProcessStatus> parse_process_status(std::string_view text)
{
    ProcessStatus status;
    for (auto line : split(text, '\n')) {
        auto colon = line.find(':');
        if (colon != std::string_view::npos)
            TRY_DURING("reading the status of a process",
                       take_field(status, line.substr(0, colon), trim(line.substr(colon + 1))));
    }
    if (status.pid == 0)
        return failure(ErrorKind::internal, "the status of a process names no pid");
    return status;
}

Result<std::vector<IdMapping>> parse_id_map(std::string_view text)
{
    std::vector<IdMapping> map;
    for (auto line : split(text, '\n')) {
        auto numbers = words_of(line);
        if (numbers.empty())
            continue;
        if (numbers.size() != 3)
            return failure(ErrorKind::internal, fmt::format("not a line of an id map: {}", quoted(line)));
        map.push_back({TRY(parse_unsigned(numbers[0])), TRY(parse_unsigned(numbers[1])), TRY(parse_unsigned(numbers[2]))});
    }
    return map;
}

std::optional<uint64_t> id_inside(const std::vector<IdMapping>& map, uint64_t outside)
{
    for (const auto& range : map)
        if (outside >= range.outside && outside - range.outside < range.count)
            return range.inside + (outside - range.outside);
    return {};
}

} // namespace brig::inspect
