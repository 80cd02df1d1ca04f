// Which sandboxes there are, and what is left of those whose supervisor is dead.
//
// Runs in: the verbs. A sandbox is a container whose record names its supervisor; there is no other list of them.
#pragma once

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "container/context.hpp"
#include "container/lifecycle.hpp"

#include <string>
#include <vector>

namespace brig::sandbox {

struct Listed {
    container::ContainerState container;
    pid_t supervisor = 0;
    bool orphan = false; // its supervisor is dead: prune removes it
    bool one_shot = false;
};

Result<std::vector<Listed>> list_sandboxes(const container::Context& context);
Json listed_document(const Listed& listed);

// Removes the orphans and gives their ids. One that cannot be removed is a warning, and the others are removed all the same.
Result<std::vector<std::string>> prune_sandboxes(const container::Context& context);

// To the supervisor. Kind not_found: "sandbox does not exist"; wrong_state for one without a control socket or supervisor.
Result<Fd> connect_to_sandbox(const container::Context& context, const std::string& id);

} // namespace brig::sandbox
