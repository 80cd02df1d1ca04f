#include "container/notify.hpp"

#include "base/text.hpp"
#include "kernel/events.hpp"
#include "kernel/files.hpp"
#include "kernel/sockets.hpp"

#include <array>
#include <chrono>
#include <string_view>

namespace brig::container {

namespace {

// Two directories: other users of the host may not pass the outer one, every user of the container may enter the inner one.
constexpr const char* outer_directory = "notify";
constexpr const char* inner_directory = "notify/container";
constexpr const char* socket_name = "notify.sock";
constexpr const char* destination = "/run/notify";

constexpr size_t largest_message = 4096; // as systemd's own
constexpr int most_at_once = 64;         // then the caller's other events have their turn
constexpr int64_t manager_patience = 5000;
// systemd-notify sends its barrier right after READY=1, and fails when nobody is there any more.
constexpr std::chrono::milliseconds barrier_patience{200};

bool has_line(std::string_view message, std::string_view wanted)
{
    while (!message.empty()) {
        size_t end = message.find('\n');
        if (message.substr(0, end) == wanted)
            return true;
        if (end == std::string_view::npos)
            return false;
        message.remove_prefix(end + 1);
    }
    return false;
}

Result<> make_with_mode(FdRef directory, const char* name, mode_t mode)
{
    TRY(kernel::make_directory(directory, name, 0700));
    // Whatever the caller's umask is.
    return kernel::change_mode(TRY(kernel::open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)), mode);
}

Result<Fd> bind_inside(FdRef state_directory)
{
    Fd directory = TRY(kernel::open_at(state_directory, inner_directory, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    // Of a start that failed.
    if (auto removed = kernel::remove_file(directory, socket_name); !removed && removed.error().code() != ENOENT)
        return failure(std::move(removed).error());
    return kernel::bind_datagram_at(directory, socket_name, 0666);
}

} // namespace

spec::Mount notify_mount(const std::string& host_state_directory)
{
    spec::Mount mount;
    mount.destination = destination;
    mount.type = "bind";
    mount.source = join_path(host_state_directory, inner_directory);
    // Read-only does not hinder sending; writable, it would be room on the host's /run for the container to fill.
    mount.options = {"bind", "ro", "nosuid", "nodev", "noexec"};
    return mount;
}

std::string notify_variable()
{
    return fmt::format("NOTIFY_SOCKET={}/{}", destination, socket_name);
}

Result<> make_notify_directory(FdRef state_directory)
{
    TRY(make_with_mode(state_directory, outer_directory, 0700));
    return make_with_mode(state_directory, inner_directory, 0755);
}

bool has_notify_directory(FdRef state_directory)
{
    return kernel::exists(state_directory, inner_directory);
}

Result<Notifier> Notifier::open(FdRef state_directory, const std::string& host_socket, Log log)
{
    auto outside = kernel::connect_datagram(host_socket, manager_patience);
    if (!outside)
        return failure(std::move(outside)
                           .error()
                           .during("connect to $NOTIFY_SOCKET")
                           .with_hint("it names the socket of the service manager; unset it where there is none"));
    Fd inside = TRY_DURING("make the container's notify socket", bind_inside(state_directory));
    return Notifier(std::move(inside), *std::move(outside), std::move(log));
}

// False: nothing waits.
bool Notifier::take_one()
{
    auto message = kernel::receive_text_datagram(m_inside, largest_message);
    if (!message || !*message)
        return false;
    m_ready = m_ready || has_line(**message, "READY=1");
    // Those before it end with the receiving; the one after it is what wait_for_barrier is for.
    m_barrier = m_ready && has_line(**message, "BARRIER=1");
    return true;
}

void Notifier::relay(pid_t pid)
{
    for (int count = 0; count < most_at_once && take_one(); count++)
        ;
    if (m_ready && !m_told)
        tell(pid);
}

void Notifier::tell(pid_t pid)
{
    m_told = true;
    auto sent = kernel::send_message(m_outside, fmt::format("READY=1\nMAINPID={}", pid));
    if (!sent)
        m_log.warning(std::move(sent).error().during("tell $NOTIFY_SOCKET that the container is ready").message());
}

// sd_notify_barrier(3): the manager looks at the sender of a message, which must be there until then.
Result<> Notifier::wait_for_manager() const
{
    auto [ours, theirs] = TRY(kernel::make_pipe());
    TRY(kernel::send_message(m_outside, "BARRIER=1", {theirs.get()}));
    theirs = Fd();
    TRY(kernel::wait_readable(ours, manager_patience));
    return {};
}

Result<> Notifier::wait_for_barrier(pid_t pid, FdRef pidfd)
{
    using Clock = std::chrono::steady_clock;
    auto deadline = Clock::now() + barrier_patience;
    while (!m_barrier) {
        auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        std::array<kernel::Watch, 2> watches = {kernel::Watch{.fd = m_inside.get(), .for_reading = true},
                                                kernel::Watch{.fd = pidfd.get(), .for_reading = true}};
        if (left <= 0 || !TRY(kernel::wait_for_events(watches, left)) || watches[1].readable)
            return {};
        relay(pid);
    }
    return {};
}

Result<> Notifier::wait_until_ready(pid_t pid, FdRef pidfd)
{
    bool ended = false;
    while (!m_told && !ended) {
        std::array<kernel::Watch, 2> watches = {kernel::Watch{.fd = m_inside.get(), .for_reading = true},
                                                kernel::Watch{.fd = pidfd.get(), .for_reading = true}};
        TRY(kernel::wait_for_events(watches, -1));
        ended = watches[1].readable || watches[1].ended;
        relay(pid); // its last words, too
    }
    if (!m_told)
        return {};
    // An older manager does not know barriers, and one that is busy has the message all the same.
    if (auto taken = wait_for_manager(); !taken)
        m_log.debug(taken.error().message());
    return wait_for_barrier(pid, pidfd);
}

} // namespace brig::container
