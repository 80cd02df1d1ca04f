// Private to the launcher: the listener of a notifying filter goes on to linux.seccomp.listenerPath, together with the
// ContainerProcessState of runtime.md.
#pragma once

#include "base/json.hpp"
#include "launch/protocol.hpp"
#include "setup/seccomp.hpp"
#include "spec/version.hpp"

namespace brig::launch {

inline Result<> forward_listener(const spec::Seccomp& seccomp, FdRef listener, pid_t pid, const HookState& hook_state)
{
    Json state = Json::object();
    state.set("ociVersion", Json::string(spec::spec_version));
    state.set("fds", Json::strings({"seccompFd"}));
    state.set("pid", Json::number(pid));
    if (!seccomp.listener_metadata.empty())
        state.set("metadata", Json::string(seccomp.listener_metadata));
    state.set("state", TRY(Json::parse(hook_state(pid, HookMoment::create))));
    return setup::send_seccomp_listener(seccomp, listener, state.to_text());
}

} // namespace brig::launch
