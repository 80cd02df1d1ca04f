#include "cgroup/oom_watch.hpp"

#include "base/text.hpp"
#include "cgroup/directory.hpp"
#include "kernel/file_events.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <cerrno>

namespace brig::cgroup {

using kernel::working_directory;

namespace {

constexpr size_t small_file = 4096;

bool has_memory(const Location& location)
{
    const auto& controllers = location.controllers;
    return std::find(controllers.begin(), controllers.end(), "memory") != controllers.end();
}

} // namespace

Result<OomWatch> OomWatch::open(const std::vector<Location>& locations)
{
    OomWatch watch;
    for (const auto& location : locations) {
        if (watch.works())
            break;
        // The state names the v2 controllers that a limit needed; a parent may have enabled more.
        if (location.unified)
            TRY(watch.open_v2(location.directory()));
        else if (has_memory(location))
            TRY(watch.open_v1(location.directory()));
    }
    if (watch.works())
        watch.m_kills = TRY(watch.kills());
    return watch;
}

Result<> OomWatch::open_v2(const std::string& directory)
{
    auto file = kernel::open_at(working_directory, directory + "/memory.events", O_RDONLY);
    if (!file && file.error().code() == ENOENT)
        return {};
    m_count = TRY(std::move(file));
    m_announced = Announced::by_change;
    return {};
}

Result<> OomWatch::open_v1(const std::string& directory)
{
    m_count = TRY(kernel::open_at(working_directory, directory + "/memory.oom_control", O_RDONLY));
    Fd counter = TRY(kernel::open_event_counter());
    const std::string control = directory + "/cgroup.event_control";
    if (!kernel::write_control_file(working_directory, control, fmt::format("{} {}", counter.get(), m_count.get())))
        return {};
    m_counter = std::move(counter);
    m_control = control;
    m_announced = Announced::by_counter;
    return {};
}

kernel::Watch OomWatch::watch() const
{
    switch (m_announced) {
    case Announced::by_change: return {.fd = m_count.get(), .for_change = true};
    case Announced::by_counter: return {.fd = m_counter.get(), .for_reading = true};
    case Announced::never: break;
    }
    return {};
}

Result<uint64_t> OomWatch::kills() const
{
    auto text = TRY(kernel::read_from_start(m_count, small_file));
    // Before Linux 4.13 v1 did not count them.
    return parse_unsigned(value_of_key(text, "oom_kill")).value_or(m_kills);
}

Result<bool> OomWatch::take()
{
    if (m_announced == Announced::by_counter) {
        // The kernel announces before it kills, so the count would still be the old one. It also announces the end of the
        // cgroup, whose files are gone then.
        auto counted = TRY(kernel::read_available(m_counter, sizeof(uint64_t)));
        return counted.has_value() && kernel::exists(working_directory, m_control);
    }
    if (!works())
        return false;
    auto kills = this->kills();
    if (!kills && kills.error().code() == ENODEV) {
        // The cgroup is gone. Its files announce a change from now on, again and again.
        m_announced = Announced::never;
        m_count.reset();
        return false;
    }
    uint64_t now = TRY(std::move(kills));
    return std::exchange(m_kills, now) < now;
}

} // namespace brig::cgroup
