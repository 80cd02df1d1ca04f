// The Plan for readers: as JSON for programs and golden tests, as indented text for people.
//
// Layer: pure. Names are those of config.json where it has one, kernel flags are spelt as the kernel spells them. What is
// empty or not decided is left out. The order of lists is the order of execution.
#pragma once

#include "base/json.hpp"
#include "plan/plan.hpp"

#include <string>

namespace brig::plan {

Json plan_document(const Plan& plan);
std::string plan_text(const Plan& plan);

} // namespace brig::plan
