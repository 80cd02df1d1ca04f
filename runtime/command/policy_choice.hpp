// Which policy the caller chooses by the name of the program, and where policies are.
#pragma once

#include "command/options.hpp"

#include <string>
#include <vector>

namespace brig::command {

inline constexpr const char* host_settings_file = "/etc/brig/config.json";

// Called as brig-NAME, with a link: as if --policy NAME came first, so that --policy wins.
Result<> imply_policy(std::string_view program, Arguments& globals);

// /etc/brig/policies, share/brig/policies of the prefix that brig is installed in, and policies/ beside a build folder.
std::vector<std::string> policy_folders();

} // namespace brig::command
