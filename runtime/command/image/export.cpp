#include "image/tool/export.hpp"
#include "base/text.hpp"
#include "command/image/verbs.hpp"
#include "command/inherited.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    Option{"name", 'n', OptionType::text, "NAME", "name of the image in the layout (default: the one that it was asked for by)"},
    store_option,
    json_option,
};

Result<int> run(const Invocation& invocation)
{
    const std::string& reference = invocation.operand(0);
    std::string path = invocation.operand(1) == "-" ? "-" : TRY(absolute_path(invocation.operand(1)));
    auto writer = TRY(open_store_writer(invocation, image::StoreUse::add));
    auto image = TRY(writer.store().find(reference));
    TRY_DURING("export image " + quoted(reference),
               image::export_image(writer, image, invocation.arguments.text("name", reference), path));
    if (invocation.arguments.flag("json") && path != "-") {
        Json json = Json::object();
        json.set("path", Json::string(path)).set("digest", Json::string(image.digest));
        TRY(print_json(json));
    }
    return 0;
}

} // namespace

constinit const Verb image_export_verb = {
    .name = "export",
    .summary = "write an image as an OCI layout",
    .usage = "[options] IMAGE PATH",
    .description = "PATH is a folder that is made, a file that ends with .tar, or - for standard output. skopeo, podman and\n"
                   "brig itself read it: the image keeps its digest.",
    .example = "  brig image export busybox busybox.tar\n  skopeo copy oci-archive:busybox.tar docker-daemon:busybox:latest",
    .options = options,
    .least_operands = 2,
    .most_operands = 2,
    .run = run,
};

} // namespace brig::command
