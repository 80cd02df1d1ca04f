#include "command/sandbox/client.hpp"

#include "command/sandbox/options.hpp"
#include "kernel/files.hpp"
#include "kernel/sockets.hpp"
#include "launch/protocol.hpp"
#include "sandbox/approval.hpp"
#include "sandbox/registry.hpp"

namespace brig::command {

using sandbox::ControlKind;
using sandbox::ControlMessage;

Result<SandboxClient> SandboxClient::connect(const Invocation& invocation, const std::string& id)
{
    auto context = TRY(invocation.query_context());
    return SandboxClient(TRY(sandbox::connect_to_sandbox(context, id)));
}

Result<> SandboxClient::send(const ControlMessage& message, const std::vector<int>& fds) const
{
    return kernel::send_message(m_socket, encode_control(message), fds);
}

Result<SandboxAnswer> SandboxClient::receive() const
{
    auto packet = TRY(kernel::receive_message(m_socket, sandbox::longest_control_message));
    if (packet.end_of_stream)
        return failure(Error(ErrorKind::wrong_state, "the sandbox has ended")
                           .with_hint("brig sandbox list shows those that live, prune removes what is left"));
    SandboxAnswer answer{TRY(sandbox::decode_control(packet.bytes)), std::move(packet.fds)};
    if (answer.message.kind == ControlKind::failed)
        return failure(launch::decode_error(answer.message.text));
    return answer;
}

Result<SandboxAnswer> SandboxClient::ask(const ControlMessage& message) const
{
    TRY(send(message));
    return receive();
}

Result<std::string> SandboxClient::ask_for_document(const ControlMessage& message) const
{
    auto answer = TRY(ask(message));
    return document_text(answer.fds);
}

Result<> approve_in_sandbox(const Invocation& invocation, const sandbox::Program& program, std::string_view verb)
{
    auto context = TRY(invocation.context());
    auto policy = TRY(policy_of_sandbox(context, invocation.operand(0)));
    if (!policy || !policy->approval)
        return {};
    sandbox::Request request;
    request.id = invocation.operand(0);
    request.policy = policy->name;
    request.traceparent = caller_traceparent();
    sandbox::AuditTarget target;
    if (policy->audit.sink == policy::AuditSink::file)
        target.file = policy->audit.file;
    target.journald = policy->audit.sink == policy::AuditSink::journald;
    auto audit = TRY(sandbox::Audit::open(target));
    audit.describe(request);
    return sandbox::ask_approval(*policy, sandbox::approval_request(request, &program, verb), audit);
}

Result<std::string> document_text(const std::vector<Fd>& fds)
{
    constexpr size_t largest_document = size_t{1} << 30;
    if (fds.empty())
        return failure(ErrorKind::internal, "the supervisor's answer lacks its document");
    // By a descriptor of its own: the offset of the sender's is at the end.
    Fd own = TRY(kernel::open_at(kernel::working_directory, kernel::descriptor_path(fds[0]), O_RDONLY));
    return kernel::read_all(own, largest_document);
}

} // namespace brig::command
