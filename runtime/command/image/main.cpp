// The program brig-image, which `brig image` executes: its table of verbs.
#include "command/image/own_ids.hpp"
#include "command/image/verbs.hpp"

#include "command/command_line.hpp"

#include <array>
#include <clocale>

namespace brig::command {

namespace {

constexpr std::array verbs = {
    &image_build_verb, &image_bundle_verb, &image_export_verb, &image_import_verb, &image_inspect_verb, &image_list_verb,
    &image_prune_verb, &image_remove_verb, &image_tag_verb,    &image_unpack_verb, &image_verify_verb,
};

constexpr Program program = {
    .name = "brig image",
    .summary = "import images, list them, make bundles of them",
    .example = "  brig image import busybox.tar --name busybox\n  brig image list",
    .verbs = verbs,
    .prepare = go_on_with_own_ids,
};

} // namespace

} // namespace brig::command

int main(int argc, char** argv, char** envp)
{
    // libarchive takes names in PAX headers through the locale's character set; this one keeps every UTF-8 name as it is.
    std::setlocale(LC_CTYPE, "C.UTF-8");
    return brig::command::run_program(brig::command::program, argc, argv, envp);
}
