// The supervisor's side of the control socket: clients, what they ask, what they are told.
//
// Runs in: the supervisor of a sandbox that `create` made. A client is a process of the same user (or root): the socket lies in
// a folder that is closed to others, and SO_PEERCRED is looked at besides.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "container/context.hpp"
#include "sandbox/control_protocol.hpp"
#include "sandbox/event_loop.hpp"
#include "sandbox/sandbox.hpp"

#include <list>
#include <memory>

namespace brig::sandbox {

class ControlClient;

class ControlServer {
public:
    ControlServer(const container::Context& context, Sandbox& sandbox, Fd listener);
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;
    ~ControlServer();

    void prepare(EventLoop& loop);
    bool removal_wanted() const { return m_removal_wanted; }
    // When a client last said something.
    int64_t last_activity() const { return m_last_activity; }
    void note_activity();

    // For clients.
    const container::Context& context() const { return m_context; }
    Sandbox& sandbox() { return m_sandbox; }
    Json description() const;
    Result<> pause();
    Result<> resume();
    void want_removal() { m_removal_wanted = true; }
    // The one terminal session; a new client takes it over.
    uint64_t session() const { return m_session; }
    void set_session(uint64_t number) { m_session = number; }
    // Tells whoever asked for the removal, as far as the socket takes it at once.
    void farewell();

private:
    Result<> accept();

    const container::Context& m_context;
    Sandbox& m_sandbox;
    Fd m_listener;
    std::list<std::unique_ptr<ControlClient>> m_clients;
    int64_t m_begin = 0;
    int64_t m_last_activity = 0;
    uint64_t m_session = 0;
    bool m_removal_wanted = false;
    bool m_paused = false;
};

} // namespace brig::sandbox
