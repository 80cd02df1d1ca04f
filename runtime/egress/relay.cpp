#include "egress/relay.hpp"

#include "kernel/events.hpp"
#include "kernel/internet.hpp"
#include "kernel/sockets.hpp"

#include <fcntl.h>

namespace brig::egress {

namespace {

constexpr size_t most_spare_pipes = 4;
constexpr int pipe_size = 1 << 20;
constexpr uint64_t bytes_in_a_turn = 4 << 20;
constexpr size_t read_size = 16 << 10;

} // namespace

Result<Pipe> PipePool::take()
{
    if (!m_spare.empty()) {
        Pipe pipe = std::move(m_spare.back());
        m_spare.pop_back();
        return pipe;
    }
    auto [reader, writer] = TRY(kernel::make_pipe(O_NONBLOCK));
    kernel::enlarge_pipe(writer, pipe_size);
    return Pipe{std::move(reader), std::move(writer)};
}

void PipePool::give_back(Pipe pipe)
{
    if (m_spare.size() < most_spare_pipes)
        m_spare.push_back(std::move(pipe));
}

// A tenth of a second's worth at once.
Meter::Meter(uint64_t most, uint64_t per_second) : m_most(most), m_rate(per_second, std::max<uint64_t>(per_second / 10, 1)) {}

void Meter::use(uint64_t bytes)
{
    m_used += bytes;
    m_rate.use(bytes);
}

Relay::Relay(FdRef client, FdRef server, PipePool& pipes, Meter& meter)
    : m_pipes(pipes), m_meter(meter), m_out{.from = client, .to = server}, m_in{.from = server, .to = client}
{
}

void Relay::begin(std::string head, Inspector inspector, bool pass_no_more)
{
    m_out.buffer = std::move(head);
    m_inspector = std::move(inspector);
    m_passes_no_more = pass_no_more;
}

void Relay::client_is_ready(bool readable, bool writable)
{
    m_out.readable = m_out.readable || readable;
    m_in.writable = m_in.writable || writable;
}

void Relay::server_is_ready(bool readable, bool writable)
{
    m_in.readable = m_in.readable || readable;
    m_out.writable = m_out.writable || writable;
}

RelayState Relay::fail(std::string_view reason, RelayState state)
{
    m_reason = reason;
    return state;
}

RelayState Relay::pump(int64_t now)
{
    RelayState states[2] = {};
    Direction* directions[2] = {&m_out, &m_in};
    for (size_t index = 0; index < 2; index++) {
        if (m_meter.is_used_up())
            return fail("byte_limit", RelayState::refused);
        uint64_t before = directions[index]->bytes;
        states[index] = pump(*directions[index], std::min(bytes_in_a_turn, m_meter.left_now(now)));
        m_meter.use(directions[index]->bytes - before);
        if (states[index] == RelayState::failed || states[index] == RelayState::refused)
            return states[index];
    }
    if (m_in.closed && (m_out.closed || m_passes_no_more))
        return RelayState::ended;
    bool busy = states[0] == RelayState::busy || states[1] == RelayState::busy;
    if (busy && m_meter.left_now(now) == 0 && !m_meter.is_used_up())
        return RelayState::held;
    return busy ? RelayState::busy : RelayState::waiting;
}

// False: the direction waits, or is over. What is on its way goes first.
bool Relay::move_on(Direction& direction, RelayState& state)
{
    state = RelayState::waiting;
    if (!direction.buffer.empty()) {
        auto taken = kernel::write_available(direction.to, direction.buffer);
        if (!taken)
            state = fail("connection_lost");
        else if (*taken == 0)
            direction.writable = false;
        else {
            direction.buffer.erase(0, *taken);
            direction.bytes += *taken;
            return true;
        }
        return false;
    }
    auto moved = kernel::splice_available(direction.pipe->reader, direction.to, direction.in_pipe);
    if (!moved) {
        state = fail("connection_lost");
        return false;
    }
    if (!*moved) {
        direction.writable = false;
        return false;
    }
    direction.in_pipe -= **moved;
    direction.bytes += **moved;
    if (direction.in_pipe == 0) {
        m_pipes.give_back(std::move(*direction.pipe));
        direction.pipe.reset();
    }
    return true;
}

RelayState Relay::pump(Direction& direction, uint64_t budget)
{
    uint64_t limit = direction.bytes + std::min(budget, UINT64_MAX - direction.bytes);
    while (true) {
        RelayState state = RelayState::waiting;
        if (!direction.buffer.empty() || direction.in_pipe > 0) {
            if (!direction.writable || !move_on(direction, state))
                return state;
            continue;
        }
        if (direction.at_end) {
            bool tell = !direction.closed && !(&direction == &m_out && m_passes_no_more);
            if (tell && !kernel::shut_down_sending(direction.to))
                return fail("connection_lost");
            direction.closed = true;
            return RelayState::waiting;
        }
        // Unwanted bytes stay where they are: reading and dropping them would never end while they come.
        if (!direction.readable || (&direction == &m_out && m_unwanted))
            return RelayState::waiting;
        if (direction.bytes >= limit)
            return RelayState::busy;
        bool inspected = &direction == &m_out && (m_inspector || m_passes_no_more);
        state = inspected ? read_inspected(direction) : read_unseen(direction, limit - direction.bytes);
        if (state != RelayState::busy)
            return state;
    }
}

// busy: there may be more.
RelayState Relay::read_inspected(Direction& direction)
{
    auto bytes = kernel::read_available(direction.from, read_size);
    if (!bytes)
        return fail("connection_lost");
    direction.readable = bytes->has_value();
    direction.at_end = *bytes && (*bytes)->empty();
    if (!*bytes || (*bytes)->empty())
        return RelayState::busy;
    if (m_passes_no_more) {
        m_unwanted = true;
        return RelayState::busy;
    }
    Inspection inspection = m_inspector(**bytes);
    if (inspection.then == Inspection::Then::refuse)
        return fail(inspection.reason, RelayState::refused);
    direction.buffer = (*bytes)->substr(0, inspection.pass);
    if (inspection.then != Inspection::Then::look_on)
        m_inspector = nullptr;
    m_passes_no_more = inspection.then == Inspection::Then::pass_no_more;
    m_unwanted = m_unwanted || (m_passes_no_more && inspection.pass < (*bytes)->size());
    return RelayState::busy;
}

RelayState Relay::read_unseen(Direction& direction, uint64_t most)
{
    auto pipe = m_pipes.take();
    if (!pipe)
        return fail("too_many_files");
    auto moved = kernel::splice_available(direction.from, pipe->writer, std::min<uint64_t>(most, pipe_size));
    if (!moved)
        return fail("connection_lost");
    if (!*moved || **moved == 0) {
        direction.readable = moved->has_value();
        direction.at_end = moved->has_value();
        m_pipes.give_back(std::move(*pipe));
        return RelayState::busy;
    }
    direction.in_pipe = **moved;
    direction.pipe = std::move(*pipe);
    return RelayState::busy;
}

} // namespace brig::egress
