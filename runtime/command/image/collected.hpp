// What remove and prune say about their work.
#pragma once

#include "command/image/verbs.hpp"
#include "image/tool/collect.hpp"

namespace brig::command {

Result<> report_collected(const Invocation& invocation, const image::Collected& collected, const std::vector<std::string>& names);

} // namespace brig::command
