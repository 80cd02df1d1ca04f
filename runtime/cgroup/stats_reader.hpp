// Private to runtime/cgroup: one directory's files as values.
//
// All of them fill only what is absent, so that hierarchies can be read one after the other.
#pragma once

#include "base/fd.hpp"
#include "cgroup/stats.hpp"

#include <span>
#include <string_view>

namespace brig::cgroup {

// A line "key value" and where its value goes.
struct KeyedCount {
    std::string_view key;
    Count* target;
    uint64_t scale = 1;
};

class StatsReader {
public:
    // A directory that is gone has no files.
    static Result<StatsReader> open(const std::string& directory);

    Result<std::optional<std::string>> text(const std::string& file) const;
    // One number, or "max" for unlimited.
    Result<> fill(Count& target, const std::string& file) const;
    Result<> fill(std::optional<int64_t>& target, const std::string& file) const;
    Result<> fill(std::span<const KeyedCount> targets, const std::string& file) const;
    Result<> fill(std::optional<Pressure>& target, const std::string& file) const;
    Result<> fill_list(std::vector<uint32_t>& target, const std::string& file) const; // "0-3,7"
    // Lines of a name and a number; others are passed over.
    Result<std::vector<std::pair<std::string, uint64_t>>> pairs(const std::string& file) const;
    // The sizes for which there is a file "hugetlb.SIZE" + ending.
    Result<std::vector<std::string>> huge_page_sizes(std::string_view ending) const;

    Error unexpected(const std::string& file, std::string_view text) const;

private:
    explicit StatsReader(std::string path, Fd directory) : m_path(std::move(path)), m_directory(std::move(directory)) {}

    std::string m_path;
    Fd m_directory; // invalid: gone
};

Result<Pressure> parse_pressure(std::string_view text);

// memory.stat, and the page cache in it under the name that this version uses.
Result<> fill_memory_stat(MemoryStats& memory, const StatsReader& reader, std::string_view cache);
Result<> fill_pids(PidsStats& pids, const StatsReader& reader);

Result<> read_stats_v1(Stats& stats, const StatsReader& reader, const std::vector<std::string>& controllers);
Result<> read_stats_v2(Stats& stats, const StatsReader& reader);

} // namespace brig::cgroup
