// Private to the verbs of `brig sandbox`: a question to the supervisor, and what comes back.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "command/verb.hpp"
#include "sandbox/control_protocol.hpp"

#include <string>
#include <vector>

namespace brig::command {

struct SandboxAnswer {
    sandbox::ControlMessage message;
    std::vector<Fd> fds;
};

class SandboxClient {
public:
    static Result<SandboxClient> connect(const Invocation& invocation, const std::string& id);

    FdRef socket() const { return m_socket; }
    Result<> send(const sandbox::ControlMessage& message, const std::vector<int>& fds = {}) const;
    // `failed` is the error that it carries; an end without a word is one, too.
    Result<SandboxAnswer> receive() const;
    Result<SandboxAnswer> ask(const sandbox::ControlMessage& message) const;
    // Of `answer`: the document's text.
    Result<std::string> ask_for_document(const sandbox::ControlMessage& message) const;

private:
    explicit SandboxClient(Fd socket) : m_socket(std::move(socket)) {}
    Fd m_socket;
};

// Asks the approval command of the policy of the sandbox that the first operand names. Kind refused.
Result<> approve_in_sandbox(const Invocation& invocation, const sandbox::Program& program, std::string_view verb);

// The text of a memory file that came with a message.
Result<std::string> document_text(const std::vector<Fd>& fds);

} // namespace brig::command
