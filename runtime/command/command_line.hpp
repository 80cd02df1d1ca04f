// The command line of a program of verbs: options before the verb, the verb's own, help, one report of what went wrong.
#pragma once

#include "command/verb.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace brig::command {

struct Program {
    std::string_view name;    // as people call it: "brig", "brig image"
    std::string_view summary; // after "NAME - "
    std::string_view example;
    std::span<const Verb* const> verbs;
    // Options that the name stands for by which the program is called (argv[0]); null: none.
    Result<> (*imply)(std::string_view called_as, Arguments& globals) = nullptr;
    // Before a verb runs: an exit status ends the program there.
    Result<std::optional<int>> (*prepare)() = nullptr;
};

// The exit status.
int run_program(const Program& program, int argc, char** argv, char** envp);

} // namespace brig::command
