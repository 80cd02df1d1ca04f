#include "command/policy_choice.hpp"

#include "base/text.hpp"
#include "command/globals.hpp"
#include "kernel/files.hpp"

#include <array>
#include <cstdlib>
#include <optional>

namespace brig::command {

namespace {

// argv[0], which lives as long as the process.
std::string_view called_program;

// As a shell finds a name without a slash.
std::string path_of_program()
{
    std::string program(called_program);
    if (contains(program, "/") || program.empty())
        return program;
    const char* path = std::getenv("PATH");
    for (auto folder : split(path ? path : "", ':'))
        if (std::string candidate = join_path(folder, program); folder.starts_with('/') && kernel::may_execute(candidate))
            return candidate;
    return {};
}

} // namespace

void remember_program(std::string_view program)
{
    called_program = program;
}

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
    auto program = kernel::open_at(kernel::working_directory, path_of_program(), O_PATH);
    if (!program)
        return folders;
    std::string file = kernel::path_of(*program);
    std::string above(parent_path(parent_path(file)));
    folders.push_back(join_path(above, "share/brig/policies"));
    folders.push_back(join_path(above, "policies"));
    return folders;
}

} // namespace brig::command
