// Asks this host for what host_report judges. Reads files and probes; changes nothing.
#pragma once

#include "base/result.hpp"
#include "doctor/host_report.hpp"

namespace brig::doctor {

// search_path: as $PATH has it, for programs that brig calls or is called by. What cannot be read counts as not there.
Result<HostView> read_host_view(const std::string& search_path);

} // namespace brig::doctor
