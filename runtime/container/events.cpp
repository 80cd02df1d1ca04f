#include "container/events.hpp"

#include "base/text.hpp"
#include "cgroup/oom_watch.hpp"
#include "container/creation.hpp"
#include "container/lifecycle.hpp"
#include "kernel/child_process.hpp"
#include "kernel/events.hpp"
#include "kernel/file_events.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <sched.h>

namespace brig::container {

namespace {

// The container decides how many interfaces it makes; nobody needs to read of ten thousand.
constexpr size_t interfaces_limit = 1 << 20;

tl::unexpected<Error> not_running()
{
    return failure(ErrorKind::wrong_state, "container is not running");
}

struct RunningContainer {
    Record record;
    Fd init; // while it has not ended, the pid and the cgroup are the container's
};

Result<RunningContainer> open_running(const Context& context, const std::string& id)
{
    ContainerState container = TRY(state(context, id));
    if (container.status == Status::stopped || container.status == Status::creating)
        return not_running();
    TRY(check_has_cgroup(container.record, "nothing counts what it uses"));
    auto init = open_init(container.record);
    if (!init)
        return not_running();
    return RunningContainer{std::move(container.record), std::move(*init)};
}

Result<bool> has_ended(const RunningContainer& container)
{
    return kernel::wait_for_end(container.init, 0);
}

Result<Stats> read_stats(const Context& context, const RunningContainer& container)
{
    Stats stats;
    stats.cgroup = TRY(cgroup::read_stats(container.record.cgroups));
    if ((container.record.namespaces & CLONE_NEWNET) == 0)
        return stats;
    auto text =
        kernel::read_file(kernel::working_directory, fmt::format("/proc/{}/net/dev", container.record.pid), interfaces_limit);
    if (text)
        stats.interfaces = parse_network_interfaces(*text);
    else
        context.log.debug(fmt::format("no network statistics: {}", text.error().message()));
    return stats;
}

} // namespace

Result<Stats> stats(const Context& context, const std::string& id)
{
    auto container = TRY(open_running(context, id));
    auto read = TRY(read_stats(context, container));
    // It may have been deleted meanwhile, and the pid be another process's.
    if (TRY(has_ended(container)))
        return not_running();
    return read;
}

// ---- the watch ---------------------------------------------------------------------------------------------------------

namespace {

class EventLoop {
public:
    EventLoop(const Context& context, const RunningContainer& container, cgroup::OomWatch& oom, const EventHandlers& handlers)
        : m_context(context), m_container(container), m_oom(oom), m_handlers(handlers)
    {
    }

    Result<> run(int64_t interval)
    {
        int64_t next = kernel::monotonic_milliseconds() + interval;
        while (true) {
            std::array<kernel::Watch, 2> watches = {kernel::Watch{.fd = m_container.init.get(), .for_reading = true},
                                                    m_oom.watch()};
            int64_t left = next - kernel::monotonic_milliseconds();
            (void)TRY(kernel::wait_for_events(watches, std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max())));
            // Before the end: the kill may have been the end.
            if (TRY(m_oom.take()))
                TRY(m_handlers.out_of_memory());
            if (watches[0].readable)
                return {};
            int64_t now = kernel::monotonic_milliseconds();
            if (now < next)
                continue;
            TRY(report_stats());
            // A reader that was slow misses some, instead of getting them all at once.
            next += (now - next) / interval * interval + interval;
        }
    }

private:
    Result<> report_stats() const
    {
        auto stats = TRY(read_stats(m_context, m_container));
        if (TRY(has_ended(m_container)))
            return {};
        return m_handlers.stats(stats);
    }

    const Context& m_context;
    const RunningContainer& m_container;
    cgroup::OomWatch& m_oom;
    const EventHandlers& m_handlers;
};

} // namespace

Result<> watch_events(const Context& context, const std::string& id, int64_t interval, const EventHandlers& handlers)
{
    if (interval <= 0)
        return failure(ErrorKind::internal, "an interval of nothing");
    auto container = TRY(open_running(context, id));
    auto oom = TRY_DURING("watch for out-of-memory kills", cgroup::OomWatch::open(container.record.cgroups));
    if (!oom.works())
        context.log.warning("out-of-memory kills are not told: no memory controller counts for this container");
    return EventLoop(context, container, oom, handlers).run(interval);
}

// ---- network -----------------------------------------------------------------------------------------------------------

namespace {

// The kernel takes any bytes but blanks, '/' and ':', and readers of JSON want UTF-8.
std::string printable_name(std::string_view name)
{
    std::string text;
    for (unsigned char character : name) {
        if (character > 0x20 && character < 0x7f)
            text += static_cast<char>(character);
        else
            text += fmt::format("\\x{:02x}", character);
    }
    return text;
}

} // namespace

std::vector<NetworkInterface> parse_network_interfaces(std::string_view text)
{
    std::vector<NetworkInterface> interfaces;
    for (auto line : split(text, '\n')) {
        auto colon = line.find(':');
        if (colon == std::string_view::npos)
            continue;
        std::vector<uint64_t> counts;
        for (auto word : split(line.substr(colon + 1), ' '))
            if (auto count = word.empty() ? failure(ErrorKind::invalid, "") : parse_unsigned(word))
                counts.push_back(*count);
        // bytes packets errs drop fifo frame compressed multicast, then the same for what was sent.
        constexpr size_t columns = 16;
        constexpr size_t sent = 8;
        if (counts.size() != columns)
            continue;
        interfaces.push_back({printable_name(trim(line.substr(0, colon))),
                              {counts[0], counts[1], counts[2], counts[3]},
                              {counts[sent], counts[sent + 1], counts[sent + 2], counts[sent + 3]}});
    }
    return interfaces;
}

} // namespace brig::container
