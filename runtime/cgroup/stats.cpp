#include "cgroup/stats.hpp"

#include "base/text.hpp"
#include "cgroup/stats_reader.hpp"
#include "kernel/files.hpp"
#include "spec/index_list.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace brig::cgroup {

namespace {

// memory.stat and io.stat grow with nodes and devices, cpuacct.usage_all with CPUs.
constexpr size_t file_limit = 4 << 20;

// EOPNOTSUPP: pressure files of a kernel that was booted with psi=0, and the root's part of some v1 files.
bool is_absent(const Error& error)
{
    return error.code() == ENOENT || error.code() == ENODEV || error.code() == EOPNOTSUPP;
}

} // namespace

// ---- one directory -----------------------------------------------------------------------------------------------------

Result<StatsReader> StatsReader::open(const std::string& directory)
{
    auto opened = kernel::open_at(kernel::working_directory, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened && !is_absent(opened.error()))
        return failure(std::move(opened).error());
    return StatsReader(directory, opened ? std::move(*opened) : Fd());
}

Error StatsReader::unexpected(const std::string& file, std::string_view text) const
{
    return Error(ErrorKind::internal, fmt::format("{}/{} holds {}", one_line(m_path), file, quoted(text.substr(0, 100))));
}

Result<std::optional<std::string>> StatsReader::text(const std::string& file) const
{
    if (!m_directory.valid())
        return std::optional<std::string>();
    auto content = kernel::read_file(m_directory, file, file_limit);
    if (content)
        return std::optional<std::string>(std::move(*content));
    if (is_absent(content.error()))
        return std::optional<std::string>();
    return failure(std::move(content).error());
}

Result<> StatsReader::fill(Count& target, const std::string& file) const
{
    if (target)
        return {};
    auto content = TRY(text(file));
    if (!content)
        return {};
    auto word = trim(*content);
    auto value = word == "max" ? Result<uint64_t>(unlimited) : parse_unsigned(word);
    if (!value)
        return failure(unexpected(file, *content));
    target = *value;
    return {};
}

Result<> StatsReader::fill(std::optional<int64_t>& target, const std::string& file) const
{
    auto content = target ? std::nullopt : TRY(text(file));
    if (!content)
        return {};
    auto value = parse_integer(trim(*content));
    if (!value)
        return failure(unexpected(file, *content));
    target = *value;
    return {};
}

Result<> StatsReader::fill(std::span<const KeyedCount> targets, const std::string& file) const
{
    for (const auto& [key, value] : TRY(pairs(file)))
        for (const auto& wanted : targets)
            if (wanted.key == key && !*wanted.target)
                *wanted.target = value * wanted.scale;
    return {};
}

Result<> StatsReader::fill(std::optional<Pressure>& target, const std::string& file) const
{
    auto content = target ? std::nullopt : TRY(text(file));
    if (!content || trim(*content).empty())
        return {};
    auto pressure = parse_pressure(*content);
    if (!pressure)
        return failure(unexpected(file, *content));
    target = *pressure;
    return {};
}

Result<> StatsReader::fill_list(std::vector<uint32_t>& target, const std::string& file) const
{
    auto content = target.empty() ? TRY(text(file)) : std::nullopt;
    if (!content)
        return {};
    auto ranges = spec::parse_index_list(trim(*content));
    if (!ranges)
        return failure(unexpected(file, *content));
    for (const auto& range : *ranges)
        for (uint32_t index = range.first; index <= range.last; index++)
            target.push_back(index);
    return {};
}

Result<std::vector<std::pair<std::string, uint64_t>>> StatsReader::pairs(const std::string& file) const
{
    std::vector<std::pair<std::string, uint64_t>> found;
    std::string content = TRY(text(file)).value_or("");
    for (auto line : split(content, '\n')) {
        auto words = words_of(line);
        if (words.size() != 2)
            continue;
        if (auto value = parse_unsigned(words[1]))
            found.emplace_back(words[0], *value);
    }
    return found;
}

Result<std::vector<std::string>> StatsReader::huge_page_sizes(std::string_view ending) const
{
    constexpr std::string_view beginning = "hugetlb.";
    std::vector<std::string> sizes;
    if (!m_directory.valid())
        return sizes;
    // Removed meanwhile: a directory without files.
    auto names = kernel::list_directory(m_directory);
    if (!names && is_absent(names.error()))
        return sizes;
    if (!names)
        return failure(std::move(names).error());
    for (std::string_view name : *names) {
        if (!name.starts_with(beginning) || !name.ends_with(ending) || name.size() <= beginning.size() + ending.size())
            continue;
        auto size = name.substr(beginning.size(), name.size() - beginning.size() - ending.size());
        if (!contains(size, "."))
            sizes.emplace_back(size);
    }
    return sizes;
}

// ---- what the versions share -------------------------------------------------------------------------------------------

namespace {

Result<double> parse_real(std::string_view text)
{
    double value = 0;
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (code != std::errc() || end != text.data() + text.size())
        return failure(ErrorKind::invalid, fmt::format("{} is not a number", quoted(text)));
    return value;
}

Result<Pressure::Line> parse_pressure_line(std::span<const std::string_view> words)
{
    Pressure::Line line;
    const std::array averages = {std::pair("avg10", &line.average_10), std::pair("avg60", &line.average_60),
                                 std::pair("avg300", &line.average_300)};
    for (auto word : words) {
        auto name = word.substr(0, word.find('='));
        auto value = word.substr(std::min(name.size() + 1, word.size()));
        for (const auto& [average, target] : averages)
            if (name == average)
                *target = TRY(parse_real(value));
        if (name == "total")
            line.total = TRY(parse_unsigned(value));
    }
    return line;
}

} // namespace

Result<Pressure> parse_pressure(std::string_view text)
{
    Pressure pressure;
    for (auto line : split(text, '\n')) {
        auto words = words_of(line);
        if (words.empty())
            continue;
        auto values = std::span(words).subspan(1);
        if (words[0] == "some")
            pressure.some = TRY(parse_pressure_line(values));
        else if (words[0] == "full")
            pressure.full = TRY(parse_pressure_line(values));
    }
    return pressure;
}

Result<> fill_memory_stat(MemoryStats& memory, const StatsReader& reader, std::string_view cache)
{
    if (!memory.raw.empty())
        return {};
    memory.raw = TRY(reader.pairs("memory.stat"));
    for (const auto& [key, value] : memory.raw)
        if (key == cache)
            memory.cache = value;
    return {};
}

Result<> fill_pids(PidsStats& pids, const StatsReader& reader)
{
    TRY(reader.fill(pids.current, "pids.current"));
    TRY(reader.fill(pids.limit, "pids.max"));
    return reader.fill(pids.peak, "pids.peak");
}

// ---- all directories ---------------------------------------------------------------------------------------------------

Result<Stats> read_stats(const std::vector<Location>& locations)
{
    Stats stats;
    for (const auto& location : locations)
        if (!location.unified)
            TRY(read_stats_v1(stats, TRY(StatsReader::open(location.directory())), location.controllers));
    for (const auto& location : locations)
        if (location.unified)
            TRY(read_stats_v2(stats, TRY(StatsReader::open(location.directory()))));
    return stats;
}

} // namespace brig::cgroup
