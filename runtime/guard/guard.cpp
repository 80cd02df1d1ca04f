#include "guard/guard.hpp"

#include "guard/duties.hpp"
#include "guard/guard_process.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/sockets.hpp"

#include <csignal>

namespace brig::guard {

namespace {

constexpr std::string_view ready = "ready";

// In the child; never returns.
[[noreturn]] void become_guard(const Duties& duties, container::Guarded guarded, Fd report)
{
    auto done = run_guard(duties, std::move(guarded), report);
    if (!done && report.valid())
        (void)kernel::write_all(report, done.error().message());
    kernel::exit_now(done ? 0 : 1);
}

class PolicyGuard final : public container::Guard {
public:
    explicit PolicyGuard(Duties duties) : m_duties(std::move(duties)) {}

    std::string resolver_configuration() const override
    {
        return m_duties.has_names() ? egress::resolver_configuration() : std::string();
    }

    Result<pid_t> start(container::Guarded guarded) const override
    {
        auto [reader, writer] = TRY(kernel::make_pipe());
        auto child = TRY(kernel::clone_process({}));
        if (child.in_child)
            become_guard(m_duties, std::move(guarded), std::move(writer));
        writer.reset();
        constexpr size_t longest = 64 << 10;
        auto report = kernel::read_all(reader, longest);
        if (report && *report == ready)
            return child.pid;
        (void)kernel::pidfd_send_signal(child.pidfd, SIGKILL);
        (void)kernel::wait_for(child.pid);
        if (!report)
            return failure(std::move(report).error());
        return failure(ErrorKind::system, report->empty() ? "it ended without a word" : *report);
    }

private:
    Duties m_duties;
};

} // namespace

Result<std::unique_ptr<container::Guard>> make_guard(const std::vector<policy::Policy>& policies)
{
    auto duties = TRY(duties_of(policies));
    if (!duties.any())
        return nullptr;
    return std::make_unique<PolicyGuard>(std::move(duties));
}

} // namespace brig::guard
