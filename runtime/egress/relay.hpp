// Bytes between two connected sockets, in both directions, through pipes (splice) so that they are not copied.
//
// Runs in: the broker. The sockets are lent by the connection that owns both.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "egress/allowance.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brig::egress {

struct Pipe {
    Fd reader;
    Fd writer;
};

// A direction holds a pipe only while bytes wait in it, so that a thousand idle connections need none.
class PipePool {
public:
    Result<Pipe> take();
    void give_back(Pipe pipe); // empty

private:
    std::vector<Pipe> m_spare;
};

// What all connections of a sandbox may move together.
class Meter {
public:
    Meter(uint64_t most, uint64_t per_second);

    // In bytes; UINT64_MAX without limits.
    uint64_t left_now(int64_t now) { return std::min(m_most == 0 ? UINT64_MAX : m_most - m_used, m_rate.left(now)); }
    bool is_used_up() const { return m_most != 0 && m_used >= m_most; }
    void use(uint64_t bytes);

private:
    uint64_t m_most;
    uint64_t m_used = 0;
    Allowance m_rate;
};

// What an inspector says about the client's next bytes.
struct Inspection {
    enum class Then { look_on, look_no_more, pass_no_more, refuse };

    size_t pass = 0; // how many of them go on
    Then then = Then::look_on;
    std::string_view reason; // of a refusal
};

using Inspector = std::function<Inspection(std::string_view bytes)>;

enum class RelayState {
    waiting, // until a socket is ready
    busy,    // had enough for one turn
    held,    // the rate is used up
    ended,
    failed,
    refused, // by the inspector, or the bytes are used up
};

class Relay {
public:
    Relay(FdRef client, FdRef server, PipePool& pipes, Meter& meter);
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    // `head` goes first and has been inspected; without an inspector, what follows is passed on unseen.
    void begin(std::string head, Inspector inspector, bool pass_no_more);

    void client_is_ready(bool readable, bool writable);
    void server_is_ready(bool readable, bool writable);
    RelayState pump(int64_t now);

    uint64_t bytes_out() const { return m_out.bytes; }
    uint64_t bytes_in() const { return m_in.bytes; }
    bool client_asks_for_more() const { return m_unwanted; } // behind the one request that it has
    std::string_view reason() const { return m_reason; }

private:
    struct Direction {
        FdRef from;
        FdRef to;
        bool readable = true;
        bool writable = true;
        bool at_end = false; // `from` sends nothing more
        bool closed = false; // `to` was told
        std::string buffer;  // goes first
        std::optional<Pipe> pipe;
        size_t in_pipe = 0;
        uint64_t bytes = 0;
    };

    RelayState pump(Direction& direction, uint64_t budget);
    bool move_on(Direction& direction, RelayState& state);
    RelayState read_inspected(Direction& direction);
    RelayState read_unseen(Direction& direction, uint64_t most);
    RelayState fail(std::string_view reason, RelayState state = RelayState::failed);

    PipePool& m_pipes;
    Meter& m_meter;
    Direction m_out; // from the client to the server
    Direction m_in;
    Inspector m_inspector;
    bool m_passes_no_more = false;
    bool m_unwanted = false;
    std::string_view m_reason;
};

} // namespace brig::egress
