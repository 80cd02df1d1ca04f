// Aligned columns for people.
#pragma once

#include <string>
#include <vector>

namespace brig::command {

// Columns are at least 12 wide with 3 blanks between, as in runc's tables; the last one is not padded.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

} // namespace brig::command
