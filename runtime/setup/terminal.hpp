// The container's console.
//
// Runs in: the container's init (new terminal, made controlling) and the caller (socket). Implements config.md "terminal",
// "consoleSize" and runc's console-socket protocol: one SCM_RIGHTS message with the pty's name as payload.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "kernel/terminal.hpp"
#include "plan/plan.hpp"

namespace brig::setup {

// A pair from the container's own devpts (root/dev/pts), sized, owned by the process's user (gid kept, as runc does).
Result<kernel::TerminalPair> create_terminal(FdRef root, const plan::Process& process);
// stdin, stdout, stderr and the controlling terminal of a new session.
Result<> adopt_terminal(FdRef slave);
// Sends the master to the listener of --console-socket.
Result<> send_terminal(FdRef console_socket, FdRef master, const std::string& name);

} // namespace brig::setup
