#include "sandbox/end_reason.hpp"

#include "base/text.hpp"

#include <csignal>

namespace brig::sandbox {

Reason end_reason(const EndFacts& facts)
{
    const auto& status = facts.status;
    if (facts.decided)
        return *facts.decided;
    bool killed = status.signaled && status.value == SIGKILL;
    bool failed = !status.signaled && status.value != 0;
    if (facts.oom_kills > 0 && (killed || failed))
        return Reason::oom;
    // A page of a mapped file that finds no room raises SIGBUS.
    if (facts.disk_full && (failed || (status.signaled && status.value == SIGBUS)))
        return Reason::disk_limit;
    if (facts.pids_refusals > 0 && (failed || (status.signaled && status.value == SIGABRT)))
        return Reason::pids_limit;
    return status.signaled ? Reason::signaled : Reason::exited;
}

std::string end_message(Reason reason, const Request& request, int64_t timeout, const kernel::ExitStatus& status)
{
    const Limits& limits = request.limits;
    constexpr double second = 1000;
    switch (reason) {
    case Reason::exited: return "";
    case Reason::signaled: return fmt::format("ended by signal {}", status.value);
    case Reason::timeout: return fmt::format("ended after {} s, its time limit", static_cast<double>(timeout) / second);
    case Reason::oom: return fmt::format("the memory limit of {} bytes was met and the kernel killed for it", limits.memory);
    case Reason::output_limit:
        return fmt::format("went on writing far beyond the limit of {} bytes of output and was ended", limits.output);
    case Reason::pids_limit: return fmt::format("failed after the limit of {} processes was met", limits.pids);
    case Reason::disk_limit:
        return fmt::format("failed with no space left: {} bytes in {}, {} in {}", limits.disk, workspace_path, limits.temporary,
                           temporary_path);
    case Reason::killed: return "ended on request, or together with its sandbox";
    case Reason::refused: return "refused";
    case Reason::setup_failed: return "could not be begun";
    }
    return "";
}

} // namespace brig::sandbox
