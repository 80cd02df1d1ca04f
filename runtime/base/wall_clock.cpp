#include "base/wall_clock.hpp"

#include "base/text.hpp"

#include <chrono>

namespace brig {

std::string now_as_rfc3339()
{
    // Not gmtime_r: it reads the host's time zone.
    auto now = std::chrono::floor<std::chrono::nanoseconds>(std::chrono::system_clock::now());
    auto day = std::chrono::floor<std::chrono::days>(now);
    std::chrono::year_month_day date(day);
    std::chrono::hh_mm_ss time(now - day);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                       time.minutes().count(), time.seconds().count(), time.subseconds().count());
}

} // namespace brig
