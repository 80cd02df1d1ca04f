#include "command/policy_choice.hpp"

#include "base/text.hpp"
#include "command/globals.hpp"
#include "command/own_files.hpp"

#include <array>

namespace brig::command {

Result<> imply_policy(std::string_view program, Arguments& globals)
{
    constexpr std::string_view prefix = "brig-";
    std::string_view name = base_name(program);
    if (!name.starts_with(prefix) || name.size() == prefix.size())
        return {};
    std::string option = "--policy";
    std::string value(name.substr(prefix.size()));
    std::array<char* const, 2> words = {option.data(), value.data()};
    return parse_options(global_options(), OptionOrder::before_operands, words, globals);
}

std::vector<std::string> policy_folders()
{
    std::vector<std::string> folders = {"/etc/brig/policies"};
    std::string program = own_program_file();
    if (program.empty())
        return folders;
    std::string above(parent_path(parent_path(program)));
    folders.push_back(join_path(above, "share/brig/policies"));
    folders.push_back(join_path(above, "policies"));
    return folders;
}

} // namespace brig::command
