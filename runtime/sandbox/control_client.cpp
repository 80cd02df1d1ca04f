#include "sandbox/control_client.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/sockets.hpp"
#include "kernel/terminal.hpp"
#include "launch/protocol.hpp"
#include "sandbox/policy_limits.hpp"

#include <cerrno>
#include <csignal>
#include <utility>

namespace brig::sandbox {

namespace {

constexpr size_t longest_output = 32768; // in one packet, well below what a socket holds

Result<Fd> document_file(const Json& document)
{
    Fd file = TRY(kernel::memory_file("document", 0));
    TRY(kernel::write_all(file, document.to_text()));
    return file;
}

} // namespace

// ---- the socket ----------------------------------------------------------------------------------------------------------

void ControlClient::prepare(EventLoop& loop)
{
    loop.add({.fd = m_socket.get(), .for_reading = true, .for_writing = !m_queue.empty()}, [this](const kernel::Watch& watch) {
        if (watch.writable)
            flush();
        if (watch.readable || watch.ended)
            m_gone = !receive() || m_gone;
        return Result<>();
    });
}

Result<> ControlClient::receive()
{
    auto packet = TRY(kernel::receive_message(m_socket, longest_control_message));
    if (packet.end_of_stream)
        return failure(ErrorKind::internal, "closed");
    auto message = TRY(decode_control(packet.bytes));
    m_server.note_activity();
    auto done = obey(message, packet.fds);
    if (!done)
        send({.kind = ControlKind::failed, .text = launch::encode_error(done.error())});
    return {};
}

void ControlClient::send(const ControlMessage& message, Fd fd)
{
    m_queue.push_back({encode_control(message), std::move(fd)});
    flush();
}

void ControlClient::flush()
{
    while (!m_queue.empty() && !m_gone) {
        Packet& packet = m_queue.front();
        auto sent = packet.fd ? kernel::send_message(m_socket, packet.bytes, {packet.fd.get()})
                              : kernel::send_message(m_socket, packet.bytes);
        if (!sent && sent.error().code() == EAGAIN)
            return;
        m_gone = !sent;
        m_queue.pop_front();
    }
}

Result<> ControlClient::answer(const Json& document)
{
    send({.kind = ControlKind::answer}, TRY(document_file(document)));
    return {};
}

// ---- what a client asks ----------------------------------------------------------------------------------------------------

Result<> ControlClient::obey(ControlMessage& message, std::vector<Fd>& fds)
{
    switch (message.kind) {
    case ControlKind::exec: exec(message, fds); return {};
    case ControlKind::attach: attach(message); return {};
    case ControlKind::input:
    case ControlKind::resize: return to_terminal(message);
    case ControlKind::stop: m_server.sandbox().stop_job(m_job, Reason::killed); return {};
    case ControlKind::read_file:
    case ControlKind::write_file:
    case ControlKind::commit:
    case ControlKind::list_files: return obey_files(message);
    case ControlKind::logs:
    case ControlKind::stats:
    case ControlKind::describe:
    case ControlKind::pause:
    case ControlKind::resume:
    case ControlKind::remove: return obey_sandbox(message);
    case ControlKind::output:
    case ControlKind::ended:
    case ControlKind::file:
    case ControlKind::answer:
    case ControlKind::done:
    case ControlKind::failed: break;
    }
    return failure(ErrorKind::internal, "a supervisor does not take this message");
}

void ControlClient::exec(ControlMessage& message, std::vector<Fd>& fds)
{
    m_whole = message.whole;
    JobRequest request{.program = std::move(message.program), .owner = this, .keep_output = message.whole};
    const Request& sandbox = m_server.sandbox().request();
    Limits limits = sandbox.limits;
    if (message.timeout >= 0)
        limits.timeout = message.timeout;
    if (sandbox.policy_document)
        lower_limits(limits, *sandbox.policy_document);
    request.timeout = limits.timeout;
    if (!fds.empty())
        request.input = std::move(fds[0]);
    m_server.sandbox().start_job(std::move(request));
}

void ControlClient::attach(ControlMessage& message)
{
    Job* session = m_server.sandbox().find_job(m_server.session());
    if (session == nullptr) {
        JobRequest request{.program = std::move(message.program), .owner = this};
        m_job = m_server.sandbox().start_job(std::move(request));
        m_server.set_session(m_job);
        return;
    }
    m_job = session->number;
    m_server.sandbox().adopt(*session, this);
    (void)kernel::set_terminal_size(session->input, {message.rows, message.columns});
}

Result<> ControlClient::to_terminal(const ControlMessage& message)
{
    Job* session = m_server.sandbox().find_job(m_job);
    if (session == nullptr)
        return {};         // it has just ended
    if (!session->input) { // it has not begun yet
        if (message.kind == ControlKind::input)
            m_early_keys += message.text;
        return {};
    }
    if (message.kind == ControlKind::resize)
        return kernel::set_terminal_size(session->input, {message.rows, message.columns});
    // What a full terminal does not take is lost, as on a serial line: keys are few.
    (void)kernel::write_available(session->input, message.text);
    return {};
}

Result<> ControlClient::obey_files(const ControlMessage& message)
{
    Sandbox& sandbox = m_server.sandbox();
    const Request& request = sandbox.request();
    if (message.kind == ControlKind::commit) {
        if (!m_new_file)
            return failure(ErrorKind::internal, "no file was begun");
        TRY(m_new_file->commit());
        auto size = TRY(kernel::status_of(m_new_file->fd())).st_size;
        m_new_file.reset();
        TRY(sandbox.audit_file("put", m_new_path, static_cast<uint64_t>(size)));
        say_done();
        return {};
    }
    std::string path = TRY(path_in_workspace(message.text));
    if (message.kind == ControlKind::list_files)
        return answer(TRY(list_files(sandbox.workspace(), path)));
    if (message.kind == ControlKind::read_file) {
        Fd file = TRY(open_for_reading(sandbox.workspace(), path));
        auto size = static_cast<uint64_t>(TRY(kernel::status_of(file)).st_size);
        TRY(sandbox.audit_file("get", path, size));
        send({.kind = ControlKind::file, .number = size}, std::move(file));
        return {};
    }
    m_new_file.emplace(TRY(NewFile::create(sandbox.workspace(), path, request.host_user)));
    m_new_path = path;
    send({.kind = ControlKind::file}, TRY(kernel::duplicate(m_new_file->fd())));
    return {};
}

Result<> ControlClient::obey_sandbox(const ControlMessage& message)
{
    if (message.kind == ControlKind::logs)
        return answer(m_server.sandbox().logs());
    if (message.kind == ControlKind::stats)
        return answer(metrics_document(TRY(m_server.sandbox().metrics())));
    if (message.kind == ControlKind::describe)
        return answer(m_server.description());
    if (message.kind == ControlKind::remove) {
        // The answer comes when it is gone.
        m_wants_removal = true;
        m_server.want_removal();
        return {};
    }
    TRY(message.kind == ControlKind::pause ? m_server.pause() : m_server.resume());
    say_done();
    return {};
}

// ---- what a job says ---------------------------------------------------------------------------------------------------------

void ControlClient::started(uint64_t number)
{
    m_job = number;
    Job* job = m_server.sandbox().find_job(number);
    if (job != nullptr && job->input && !m_early_keys.empty())
        (void)kernel::write_available(job->input, std::exchange(m_early_keys, {}));
}

void ControlClient::take(StreamName stream, std::string_view bytes)
{
    if (m_whole)
        return;
    while (!bytes.empty()) {
        auto part = bytes.substr(0, longest_output);
        send({.kind = ControlKind::output, .text = std::string(part), .number = static_cast<uint64_t>(stream)});
        bytes.remove_prefix(part.size());
    }
}

void ControlClient::replaced()
{
    m_job = 0;
    send({.kind = ControlKind::ended, .text = "another client has attached", .reason = "detached"});
}

void ControlClient::ended(Outcome outcome)
{
    m_job = 0;
    ControlMessage message{.kind = ControlKind::ended,
                           .text = outcome.message,
                           .reason = std::string(reason_name(outcome.reason)),
                           .number = static_cast<uint64_t>(outcome.as_exit_status())};
    auto document = document_file(outcome_document(outcome));
    send(message, document ? std::move(*document) : Fd());
}

} // namespace brig::sandbox
