// The program brig: its table of verbs.
#include "command/command_line.hpp"
#include "command/own_files.hpp"
#include "command/policy_choice.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array verbs = {
    &checkpoint_verb, &create_verb, &delete_verb, &doctor_verb,  &events_verb, &exec_verb,  &features_verb, &image_verb,
    &inspect_verb,    &kill_verb,   &list_verb,   &mounts_verb,  &pause_verb,  &plan_verb,  &policy_verb,   &ps_verb,
    &restore_verb,    &resume_verb, &run_verb,    &sandbox_verb, &spec_verb,   &start_verb, &state_verb,    &update_verb,
};

Result<> imply(std::string_view called_as, Arguments& globals)
{
    remember_program(called_as);
    return imply_policy(called_as, globals);
}

constexpr Program program = {
    .name = "brig",
    .summary = "run OCI containers",
    .example = "  brig spec -b /bundles/web\n  brig run -b /bundles/web web",
    .verbs = verbs,
    .imply = imply,
};

} // namespace

} // namespace brig::command

int main(int argc, char** argv, char** envp)
{
    return brig::command::run_program(brig::command::program, argc, argv, envp);
}
