#include "kernel/subordinate_ids.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"

#include <array>
#include <optional>
#include <span>

namespace brig::kernel {

namespace {

constexpr uint64_t end_of_ids = uint64_t{1} << 32;
constexpr size_t largest_file = size_t{4} << 20;

std::optional<IdRange> parse_range(std::string_view first, std::string_view count)
{
    auto begin = parse_unsigned(first);
    auto size = parse_unsigned(count);
    if (!begin || !size || *size == 0 || *begin >= end_of_ids || *size > end_of_ids - *begin)
        return std::nullopt;
    return IdRange{*begin, *size};
}

std::string read_or_empty(const std::string& path)
{
    return read_file(working_directory, path, largest_file).value_or(std::string());
}

std::string name_of_user(std::string_view passwd, uint32_t uid)
{
    constexpr size_t uid_field = 2;
    for (auto line : split(passwd, '\n')) {
        auto fields = split(line, ':');
        auto number = fields.size() > uid_field ? parse_unsigned(fields[uid_field]) : Result<uint64_t>(end_of_ids);
        if (number && *number == uid)
            return std::string(fields[0]);
    }
    return {};
}

// Never by the caller's PATH: what runs here is trusted with the container's ids.
std::string find_setuid_program(std::string_view name)
{
    constexpr std::array<std::string_view, 3> folders = {"/usr/bin", "/usr/sbin", "/bin"};
    for (auto folder : folders) {
        std::string path = join_path(folder, name);
        if (may_execute(path))
            return path;
    }
    return {};
}

} // namespace

std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view user_name, uint32_t uid)
{
    std::string number = std::to_string(uid);
    std::vector<IdRange> ranges;
    for (auto line : split(text, '\n')) {
        auto fields = split(line, ':');
        if (fields.size() != 3 || fields[0].empty() || (fields[0] != user_name && fields[0] != number))
            continue;
        if (auto range = parse_range(fields[1], fields[2]))
            ranges.push_back(*range);
    }
    return ranges;
}

bool names_other_source(std::string_view nsswitch)
{
    for (auto line : split(nsswitch, '\n')) {
        auto words = words_of(line.substr(0, line.find('#')));
        if (words.empty() || words[0] != "subid:")
            continue;
        for (auto word : std::span(words).subspan(1))
            if (word != "files")
                return true;
    }
    return false;
}

std::vector<IdRange> parse_id_map(std::string_view text)
{
    std::vector<IdRange> ranges;
    for (auto line : split(text, '\n')) {
        auto words = words_of(line);
        if (words.size() != 3)
            continue;
        if (auto range = parse_range(words[0], words[2]))
            ranges.push_back(*range);
    }
    return ranges;
}

SubordinateIds read_subordinate_ids(uint32_t uid)
{
    SubordinateIds ids;
    ids.user_name = name_of_user(read_or_empty("/etc/passwd"), uid);
    ids.uids = parse_subordinate_ids(read_or_empty("/etc/subuid"), ids.user_name, uid);
    ids.gids = parse_subordinate_ids(read_or_empty("/etc/subgid"), ids.user_name, uid);
    ids.elsewhere = names_other_source(read_or_empty("/etc/nsswitch.conf"));
    ids.newuidmap = find_setuid_program("newuidmap");
    ids.newgidmap = find_setuid_program("newgidmap");
    return ids;
}

} // namespace brig::kernel
