#include "cgroup/bus_connection.hpp"

#include "base/text.hpp"
#include "kernel/file_events.hpp"
#include "kernel/files.hpp"
#include "kernel/sockets.hpp"

namespace brig::cgroup {

namespace {

constexpr int64_t sending_time = 10000; // milliseconds
constexpr size_t most_kept_signals = 1024;
constexpr size_t longest_authentication = 4096;

} // namespace

Result<BusConnection> BusConnection::open(const std::string& socket_path, Peer peer)
{
    BusConnection connection(TRY(kernel::connect_stream(socket_path, sending_time)), peer);
    // Without a name the other side takes the kernel's word for who this is, which is right in user namespaces, too.
    constexpr char authentication[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
    TRY(kernel::send_message(connection.m_socket, std::string_view(authentication, sizeof authentication - 1)));
    return connection;
}

Result<> BusConnection::receive(int64_t deadline)
{
    int64_t left = deadline - kernel::monotonic_milliseconds();
    if (left <= 0 || !TRY(kernel::wait_readable(m_socket, left)))
        return failure(ErrorKind::timed_out, "systemd does not answer");
    std::string bytes = TRY(kernel::read_some(m_socket, size_t{64} << 10));
    if (bytes.empty())
        return failure(ErrorKind::system, "systemd has closed the connection");
    m_received += bytes;
    return {};
}

Result<> BusConnection::finish_authentication(int64_t deadline)
{
    while (true) {
        auto end = m_received.find("\r\n");
        if (end == std::string::npos) {
            if (m_received.size() > longest_authentication)
                return failure(ErrorKind::system, "what answers is not D-Bus");
            TRY(receive(deadline));
            continue;
        }
        std::string line = m_received.substr(0, end);
        m_received.erase(0, end + 2);
        if (line.starts_with("OK "))
            break;
        if (line != "DATA")
            return failure(Error(ErrorKind::system, fmt::format("authentication was answered with {}", quoted(line)))
                               .with_hint("systemd lets root and the user whose manager it is in"));
    }
    m_ready = true;
    if (m_peer == Peer::manager)
        return {};
    BusCall hello{"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "", ""};
    auto answer = TRY(exchange(hello, deadline));
    if (answer.refused())
        return failure(ErrorKind::system, fmt::format("the message bus refused: {}", one_line(answer.refusal.text)));
    BusWriter rule;
    rule.string("type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',"
                "member='JobRemoved',path='/org/freedesktop/systemd1'");
    BusCall match{"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", rule.bytes()};
    answer = TRY(exchange(match, deadline));
    if (answer.refused())
        return failure(ErrorKind::system, fmt::format("the message bus refused: {}", one_line(answer.refusal.text)));
    return {};
}

Result<BusMessage> BusConnection::next_message(int64_t deadline)
{
    while (true) {
        auto length = TRY(bus_message_length(m_received));
        if (length && m_received.size() >= *length) {
            auto message = decode_bus_message(std::string_view(m_received).substr(0, *length));
            m_received.erase(0, *length);
            return message;
        }
        TRY(receive(deadline));
    }
}

Result<BusConnection::Answer> BusConnection::exchange(const BusCall& call, int64_t deadline)
{
    uint32_t serial = ++m_serial;
    TRY(kernel::send_message(m_socket, encode_bus_call(call, serial)));
    while (true) {
        BusMessage message = TRY(next_message(deadline));
        if (message.type == BusMessageType::signal) {
            if (!m_kept_member.empty() && message.member == m_kept_member && m_signals.size() < most_kept_signals)
                m_signals.push_back(std::move(message));
            continue;
        }
        if (message.reply_serial != serial || message.type == BusMessageType::call)
            continue;
        Answer answer;
        if (message.type == BusMessageType::error) {
            answer.refusal.name = message.error_name.empty() ? "error" : message.error_name;
            if (message.signature.starts_with('s'))
                answer.refusal.text = TRY(BusReader(message.body).string());
        }
        answer.reply = std::move(message);
        return answer;
    }
}

Result<BusConnection::Answer> BusConnection::call(BusCall call, int64_t milliseconds)
{
    int64_t deadline = kernel::monotonic_milliseconds() + milliseconds;
    if (!m_ready)
        TRY(finish_authentication(deadline));
    if (m_peer == Peer::bus)
        call.destination = "org.freedesktop.systemd1";
    return exchange(call, deadline);
}

Result<BusMessage> BusConnection::next_signal(std::string_view member, int64_t milliseconds)
{
    if (!m_signals.empty()) {
        BusMessage message = std::move(m_signals.front());
        m_signals.erase(m_signals.begin());
        return message;
    }
    int64_t deadline = kernel::monotonic_milliseconds() + milliseconds;
    while (true) {
        BusMessage message = TRY(next_message(deadline));
        if (message.type == BusMessageType::signal && message.member == member)
            return message;
    }
}

} // namespace brig::cgroup
