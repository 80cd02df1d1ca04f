#include "sandbox/control_server.hpp"

#include "base/text.hpp"
#include "container/control.hpp"
#include "kernel/events.hpp"
#include "kernel/file_events.hpp"
#include "kernel/process.hpp"
#include "kernel/socket_peers.hpp"
#include "kernel/sockets.hpp"
#include "sandbox/control_client.hpp"

#include <algorithm>

namespace brig::sandbox {

namespace {

constexpr size_t most_clients = 256;

} // namespace

ControlServer::ControlServer(const container::Context& context, Sandbox& sandbox, Fd listener)
    : m_context(context), m_sandbox(sandbox), m_listener(std::move(listener)), m_begin(kernel::monotonic_milliseconds()),
      m_last_activity(m_begin)
{
}

ControlServer::~ControlServer() = default;

void ControlServer::note_activity()
{
    m_last_activity = kernel::monotonic_milliseconds();
}

void ControlServer::prepare(EventLoop& loop)
{
    std::erase_if(m_clients, [](const auto& client) { return client->gone(); });
    if (m_clients.size() < most_clients)
        loop.add({.fd = m_listener.get(), .for_reading = true}, [this](const kernel::Watch&) { return accept(); });
    for (auto& client : m_clients)
        client->prepare(loop);
}

Result<> ControlServer::accept()
{
    auto connection = kernel::accept_connection(m_listener);
    if (!connection)
        return {}; // it has gone again
    auto peer = kernel::peer_uid(*connection);
    bool trusted = peer && (*peer == 0 || *peer == kernel::effective_uid());
    if (trusted && kernel::set_nonblocking(*connection))
        m_clients.push_back(std::make_unique<ControlClient>(*this, std::move(*connection)));
    return {};
}

Result<> ControlServer::pause()
{
    TRY(container::pause(m_context, m_sandbox.request().id));
    m_paused = true;
    return {};
}

Result<> ControlServer::resume()
{
    TRY(container::resume(m_context, m_sandbox.request().id));
    m_paused = false;
    return {};
}

Json ControlServer::description() const
{
    constexpr int64_t second = 1000;
    int64_t now = kernel::monotonic_milliseconds();
    const Request& request = m_sandbox.request();
    Json document = Json::object();
    document.set("sandbox_id", Json::string(request.id))
        .set("status", Json::string(m_paused           ? "paused"
                                    : m_sandbox.idle() ? "idle"
                                                       : "running"))
        .set("policy", request.policy.empty() ? Json() : Json::string(request.policy))
        .set("programs", Json::unsigned_number(m_sandbox.job_count()))
        .set("age_seconds", Json::number((now - m_begin) / second))
        .set("idle_seconds", Json::number(m_sandbox.idle() ? (now - m_last_activity) / second : 0));
    return document;
}

void ControlServer::farewell()
{
    for (auto& client : m_clients)
        if (client->wants_removal())
            client->say_done();
}

} // namespace brig::sandbox
