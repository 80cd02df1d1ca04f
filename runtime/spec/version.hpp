// Which runtime specifications brig implements; any 1.x configuration is accepted (read_spec.hpp).
#pragma once

#include <string_view>

namespace brig::spec {

inline constexpr std::string_view spec_version = "1.3.0"; // what state, spec and features report
inline constexpr std::string_view spec_version_minimum = "1.0.0";

} // namespace brig::spec
