#include "kernel/events.hpp"

#include "kernel/call.hpp"

#include <array>
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace brig::kernel {

namespace {

constexpr std::array not_queued = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGTTIN};

} // namespace

Result<SignalQueue> SignalQueue::open()
{
    sigset_t queued;
    sigset_t former;
    ::sigfillset(&queued);
    for (int signal : not_queued)
        ::sigdelset(&queued, signal);
    if (::sigprocmask(SIG_BLOCK, &queued, &former) < 0)
        return BRIG_CALL_FAILED("sigprocmask");
    int queue = ::signalfd(-1, &queued, SFD_CLOEXEC | SFD_NONBLOCK);
    if (queue < 0) {
        auto failed = BRIG_CALL_FAILED("signalfd");
        (void)::sigprocmask(SIG_SETMASK, &former, nullptr);
        return failed;
    }
    return SignalQueue(Fd(queue), former);
}

SignalQueue::SignalQueue(SignalQueue&& other) noexcept : m_queue(std::move(other.m_queue)), m_former(other.m_former) {}

SignalQueue::~SignalQueue()
{
    if (m_queue.valid())
        (void)::sigprocmask(SIG_SETMASK, &m_former, nullptr);
}

Result<std::optional<int>> SignalQueue::next() const
{
    struct signalfd_siginfo information;
    auto size = retry_interrupted([&] { return ::read(m_queue.get(), &information, sizeof information); });
    if (size < 0 && errno == EAGAIN)
        return std::nullopt;
    if (size < 0)
        return BRIG_CALL_FAILED("read of the signal queue");
    return static_cast<int>(information.ssi_signo);
}

Result<bool> wait_for_events(std::span<Watch> watches, int64_t milliseconds)
{
    std::vector<struct pollfd> entries(watches.size());
    for (size_t index = 0; index < watches.size(); ++index) {
        const Watch& watch = watches[index];
        int events = (watch.for_reading ? POLLIN : 0) | (watch.for_writing ? POLLOUT : 0) | (watch.for_change ? POLLPRI : 0);
        entries[index] = {events == 0 ? -1 : watch.fd, static_cast<short>(events), 0};
    }
    int ready = retry_interrupted([&] { return ::poll(entries.data(), watches.size(), static_cast<int>(milliseconds)); });
    if (ready < 0)
        return BRIG_CALL_FAILED("poll");
    for (size_t index = 0; index < watches.size(); ++index) {
        int events = entries[index].revents;
        watches[index].readable = (events & POLLIN) != 0;
        watches[index].writable = (events & POLLOUT) != 0;
        watches[index].changed = (events & POLLPRI) != 0;
        watches[index].ended = (events & (POLLHUP | POLLERR | POLLNVAL)) != 0;
    }
    return ready > 0;
}

Result<std::optional<EndedChild>> reap_any_child()
{
    int status = 0;
    pid_t pid = retry_interrupted([&] { return ::waitpid(-1, &status, __WALL | WNOHANG); });
    if (pid == 0 || (pid < 0 && errno == ECHILD))
        return std::nullopt;
    if (pid < 0)
        return BRIG_CALL_FAILED("waitpid");
    if (WIFSIGNALED(status))
        return EndedChild{pid, {true, WTERMSIG(status)}};
    return EndedChild{pid, {false, WEXITSTATUS(status)}};
}

Result<std::optional<std::string>> read_available(FdRef fd, size_t size)
{
    std::string data(size, '\0');
    auto count = retry_interrupted([&] { return ::read(fd.get(), data.data(), data.size()); });
    if (count < 0 && errno == EAGAIN)
        return std::nullopt;
    if (count < 0 && errno == EIO)
        return std::string();
    if (count < 0)
        return BRIG_CALL_FAILED("read");
    data.resize(static_cast<size_t>(count));
    return data;
}

Result<size_t> write_available(FdRef fd, std::string_view data)
{
    auto count = retry_interrupted([&] { return ::write(fd.get(), data.data(), data.size()); });
    if (count < 0 && errno == EAGAIN)
        return 0;
    if (count < 0)
        return BRIG_CALL_FAILED("write");
    return static_cast<size_t>(count);
}

Result<std::optional<size_t>> splice_available(FdRef from, FdRef to, size_t most)
{
    auto count = retry_interrupted(
        [&] { return ::splice(from.get(), nullptr, to.get(), nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK); });
    if (count < 0 && errno == EAGAIN)
        return std::nullopt;
    if (count < 0)
        return BRIG_CALL_FAILED("splice");
    return static_cast<size_t>(count);
}

void enlarge_pipe(FdRef pipe, int size)
{
    (void)::fcntl(pipe.get(), F_SETPIPE_SZ, size);
}

Result<> set_nonblocking(FdRef fd)
{
    int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) < 0)
        return BRIG_CALL_FAILED("fcntl O_NONBLOCK");
    return {};
}

bool is_inherited(FdRef fd)
{
    int flags = ::fcntl(fd.get(), F_GETFD);
    return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

Result<> notice_ended_children()
{
    struct sigaction action = {};
    action.sa_handler = SIG_DFL;
    if (::sigaction(SIGCHLD, &action, nullptr) < 0)
        return BRIG_CALL_FAILED("sigaction SIGCHLD");
    return {};
}

Result<> ensure_standard_descriptors()
{
    std::array<struct pollfd, 3> entries = {{{0, 0, 0}, {1, 0, 0}, {2, 0, 0}}};
    if (retry_interrupted([&] { return ::poll(entries.data(), entries.size(), 0); }) <= 0)
        return {};
    for (const auto& entry : entries) {
        if ((entry.revents & POLLNVAL) == 0)
            continue;
        // In ascending order, so that the lowest free number is the one that is missing.
        if (::open("/dev/null", O_RDWR) != entry.fd)
            return BRIG_CALL_FAILED("open /dev/null in place of the closed descriptor {}", entry.fd);
    }
    return {};
}

} // namespace brig::kernel
