#include "command/command_line.hpp"
#include "command/sandbox/options.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array<const Verb*, 14> parts = {
    &sandbox_run_verb,   &sandbox_create_verb, &sandbox_exec_verb,  &sandbox_put_verb,    &sandbox_get_verb,
    &sandbox_ls_verb,    &sandbox_rm_verb,     &sandbox_list_verb,  &sandbox_prune_verb,  &sandbox_logs_verb,
    &sandbox_stats_verb, &sandbox_attach_verb, &sandbox_pause_verb, &sandbox_resume_verb,
};

constexpr Program program = {
    .name = "brig sandbox",
    .summary = "run programs that nobody trusts",
    .example = "  brig sandbox run --image shell --timeout 5 -- sh -c 'echo hello'",
    .verbs = parts,
};

} // namespace

constinit const Verb sandbox_verb = {
    .name = "sandbox",
    .summary = "run programs that nobody trusts",
    .parts = &program,
};

} // namespace brig::command
