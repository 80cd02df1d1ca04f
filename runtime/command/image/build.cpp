#include "base/text.hpp"
#include "command/globals.hpp"
#include "command/image/imported.hpp"
#include "command/image/verbs.hpp"
#include "image/tool/import.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/trusted_program.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    Option{"quiet", 'q', OptionType::flag, "", "print the digest only"},
    store_option,
    json_option,
};

// images/ beside the build folder, or share/brig/images of the prefix that brig is installed in.
Result<std::string> find_recipes()
{
    std::string self = TRY(kernel::read_link(kernel::working_directory, "/proc/self/exe"));
    std::string beside = join_path(std::string(parent_path(parent_path(self))), "images");
    std::string installed = join_path(std::string(parent_path(parent_path(parent_path(self)))), "share/brig/images");
    for (const auto& folder : {beside, installed}) {
        auto script = kernel::open_trusted_program(join_path(folder, "build"));
        if (script)
            return folder;
        if (script.error().kind() != ErrorKind::not_found)
            return failure(std::move(script).error());
    }
    return failure(Error(ErrorKind::not_supported,
                         fmt::format("the recipes of images are neither in {} nor in {}", one_line(beside), one_line(installed)))
                       .with_hint("they belong to brig: `make install` puts them there"));
}

// Its words are for people, and stdout is for the result.
Result<> run_recipe(const std::string& recipes, const std::string& name, const std::string& folder)
{
    std::vector<std::string> words = {join_path(recipes, "build"), name, folder};
    auto status = TRY(kernel::run_beside([&] { return kernel::execute(words[0], words, kernel::own_environment()); }));
    if (status.signaled || status.value != 0)
        return failure(
            Error(ErrorKind::system, fmt::format("the recipe {} failed with status {}", quoted(name), status.as_exit_code()))
                .with_hint("its own words are above; recipes need root, apt and the distribution's packages"));
    return {};
}

Result<int> run(const Invocation& invocation)
{
    const std::string& name = invocation.operand(0);
    TRY(image::check_name(name));
    if (contains(name, "/"))
        return failure(ErrorKind::invalid, fmt::format("{} is not the name of a recipe", quoted(name)));
    std::string recipes = TRY(find_recipes());
    auto writer = TRY(open_store_writer(invocation, image::StoreUse::add));
    auto workspace = TRY(writer.make_workspace());
    std::string folder = join_path(writer.store().root(), workspace.path(""));
    TRY(run_recipe(recipes, name, folder));
    image::ImportRequest request;
    request.path = join_path(folder, name + "/oci");
    request.name = name;
    request.platform = image::host_platform();
    request.log = invocation.log;
    TRY(import_and_report(invocation, writer, request));
    return 0;
}

} // namespace

constinit const Verb image_build_verb = {
    .name = "build",
    .summary = "make an image from a recipe and the distribution's packages",
    .usage = "[options] RECIPE",
    .description = "Recipes come with brig: shell (Bash, coreutils, Git), python, python-pip, node, node-npm, busybox. Packages\n"
                   "come from the sources that this host's apt has; no package manager and no setuid program stay in the image.",
    .example = "  brig image build shell\n  brig run --image shell bash -c 'git --version'",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
