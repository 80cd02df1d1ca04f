#include "command/table.hpp"

#include <algorithm>

namespace brig::command {

namespace {

constexpr size_t least_width = 12;
constexpr size_t gap = 3;

} // namespace

std::string format_table(const std::vector<std::vector<std::string>>& rows)
{
    std::vector<size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()), least_width);
        for (size_t column = 0; column < row.size(); ++column)
            widths[column] = std::max(widths[column], row[column].size() + gap);
    }
    std::string text;
    for (const auto& row : rows) {
        for (size_t column = 0; column + 1 < row.size(); ++column)
            text += row[column] + std::string(widths[column] - row[column].size(), ' ');
        text += (row.empty() ? "" : row.back()) + "\n";
    }
    return text;
}

} // namespace brig::command
