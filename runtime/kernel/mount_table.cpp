#include "kernel/mount_table.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"

#include <algorithm>

namespace brig::kernel {

namespace {

// Octal escapes are how mountinfo writes blanks and backslashes.
std::string unescape(std::string_view text)
{
    auto octal = [](char digit) { return digit >= '0' && digit <= '7'; };
    std::string plain;
    for (size_t at = 0; at < text.size(); at++) {
        if (text[at] == '\\' && at + 3 < text.size() && octal(text[at + 1]) && octal(text[at + 2]) && octal(text[at + 3])) {
            plain += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0'));
            at += 3;
        } else {
            plain += text[at];
        }
    }
    return plain;
}

} // namespace

bool has_mount_option(std::string_view options, std::string_view option)
{
    return std::ranges::any_of(split(options, ','), [&](auto one) { return one == option; });
}

Result<std::vector<MountEntry>> parse_mount_table(std::string_view text)
{
    std::vector<MountEntry> entries;
    for (std::string_view line : split(text, '\n')) {
        if (line.empty())
            continue;
        auto fields = split(line, ' ');
        auto separator = std::ranges::find(fields, "-");
        if (fields.size() < 6 || separator == fields.end() || separator + 1 == fields.end())
            return failure(ErrorKind::internal, fmt::format("not a line of mountinfo: {}", quoted(line)));
        MountEntry entry;
        entry.id = TRY(parse_unsigned(fields[0]));
        entry.parent = TRY(parse_unsigned(fields[1]));
        entry.device = fields[2];
        entry.root = unescape(fields[3]);
        entry.mount_point = unescape(fields[4]);
        entry.options = fields[5];
        entry.propagation = join(std::vector<std::string>(fields.begin() + 6, separator), " ");
        entry.type = *(separator + 1);
        if (separator + 2 != fields.end())
            entry.source = unescape(*(separator + 2));
        if (fields.end() - separator > 3)
            entry.super_options = unescape(*(separator + 3));
        entries.push_back(std::move(entry));
    }
    return entries;
}

Result<std::vector<MountEntry>> read_mount_table(const std::string& process)
{
    constexpr size_t largest_table = size_t{64} << 20;
    return parse_mount_table(TRY(read_file(working_directory, "/proc/" + process + "/mountinfo", largest_table)));
}

} // namespace brig::kernel
