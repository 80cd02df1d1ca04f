// Device nodes and links below /dev.
//
// Runs in: the container's init before pivot_root. Implements config-linux.md "Devices", "Default Devices", "/dev symbolic links".
// Paths are opened inside `root` by descriptor (CVE-2025-24965, 2026-47766 and their kind: /dev as a link).
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "plan/plan.hpp"

namespace brig::setup {

// Makes every planned node (or binds the host's, in a user namespace) and link; existing equal nodes are fine.
Result<> create_devices(FdRef root, const plan::RootFilesystem& plan);

// Binds the terminal's slave onto /dev/console. `slave` comes from TIOCGPTPEER, so no path is resolved (CVE-2025-52565).
Result<> bind_console(FdRef root, FdRef slave);

} // namespace brig::setup
