// Mounts of a running container: added, removed, remembered in the state directory (mounts.json).
//
// Runs in: the caller. `text` is a JSON list of mounts as in config.json, or an object with a member `mounts`.
#pragma once

#include "base/result.hpp"
#include "container/context.hpp"
#include "container/state_store.hpp"

#include <string>
#include <vector>

namespace brig::container {

// All or none. Destinations are absolute. Stopped: kind wrong_state "container not running".
Result<> add_mounts(const Context& context, const std::string& id, const std::string& text);
// Only destinations count. Each must be a mount that was added, or a mount at exactly that path.
Result<> remove_mounts(const Context& context, const std::string& id, const std::string& text);

struct LiveMount {
    std::string destination; // as it was asked for
    std::string host_source; // of a bind; else empty
    uint64_t id = 0;         // of the mount, in the mount table
};

Result<std::vector<LiveMount>> read_live_mounts(const StateDirectory& directory);

} // namespace brig::container
