#include "cgroup/freezer.hpp"

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

Error took_too_long(const std::string& directory, int64_t milliseconds)
{
    return Error(ErrorKind::timed_out, fmt::format("the processes of {} did not all stop within {} ms; they run again",
                                                   one_line(directory), milliseconds))
        .with_hint("a process that waits uninterruptibly in the kernel cannot be frozen: see /proc/PID/stack");
}

Result<bool> is_one(const std::string& file)
{
    auto text = kernel::read_file(working_directory, file, small_file);
    if (!text && text.error().code() == ENOENT)
        return false;
    if (!text)
        return failure(std::move(text).error());
    return trim(*text) == "1";
}

} // namespace

Result<> freeze_v2(const std::string& directory, int64_t milliseconds)
{
    int64_t deadline = kernel::monotonic_milliseconds() + milliseconds;
    TRY(kernel::write_control_file(working_directory, directory + "/cgroup.freeze", "1"));
    Fd events = TRY(kernel::open_at(working_directory, directory + "/cgroup.events", O_RDONLY));
    while (value_of_key(TRY(kernel::read_from_start(events, small_file)), "frozen") != "1") {
        int64_t left = deadline - kernel::monotonic_milliseconds();
        if (left <= 0 || !TRY(kernel::wait_for_change(events, left))) {
            TRY(thaw_v2(directory));
            return failure(took_too_long(directory, milliseconds));
        }
    }
    return {};
}

Result<> thaw_v2(const std::string& directory)
{
    return kernel::write_control_file(working_directory, directory + "/cgroup.freeze", "0");
}

Result<bool> is_frozen_v2(const std::string& directory)
{
    return is_one(directory + "/cgroup.freeze");
}

Result<> freeze_v1(const std::string& directory, int64_t milliseconds)
{
    int64_t deadline = kernel::monotonic_milliseconds() + milliseconds;
    const std::string file = directory + "/freezer.state";
    int64_t pause = 50; // microseconds; the kernel announces no change of state here
    constexpr int64_t longest_pause = 2000;
    while (true) {
        // Writing again catches processes that were forked while the others froze.
        TRY(kernel::write_control_file(working_directory, file, "FROZEN"));
        if (trim(TRY(kernel::read_file(working_directory, file, small_file))) == "FROZEN")
            return {};
        if (kernel::monotonic_milliseconds() >= deadline) {
            TRY(thaw_v1(directory));
            return failure(took_too_long(directory, milliseconds));
        }
        kernel::sleep_microseconds(pause);
        pause = std::min(pause * 2, longest_pause);
    }
}

Result<> thaw_v1(const std::string& directory)
{
    return kernel::write_control_file(working_directory, directory + "/freezer.state", "THAWED");
}

Result<bool> is_frozen_v1(const std::string& directory)
{
    return is_one(directory + "/freezer.self_freezing");
}

} // namespace brig::cgroup
