// A human's or a program's word before anything runs: the approval command of a policy.
//
// Runs in: the verb, before the sandbox is made or the program is sent to it. The command gets the request as one JSON object on
// stdin and approves by exit status 0 within its time; everything else, a command that is not there included, refuses.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "policy/policy.hpp"
#include "sandbox/audit.hpp"
#include "sandbox/request.hpp"

#include <string>

namespace brig::sandbox {

// Pure: what the command is asked.
Json approval_request(const Request& request, const Program* program, std::string_view verb);

// Kind refused, with the last line that the command wrote. Both answers are audited. Without an approval command: approved.
Result<> ask_approval(const policy::Policy& policy, const Json& request, const Audit& audit);

} // namespace brig::sandbox
