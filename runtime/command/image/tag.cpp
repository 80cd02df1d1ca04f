#include "base/text.hpp"
#include "command/image/verbs.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {store_option, json_option};

Result<int> run(const Invocation& invocation)
{
    const std::string& name = invocation.operand(1);
    TRY(image::check_name(name));
    auto writer = TRY(open_store_writer(invocation, image::StoreUse::add));
    auto image = TRY(writer.store().find(invocation.operand(0)));
    TRY(writer.set_name(name, image.digest));
    if (invocation.arguments.flag("json")) {
        Json json = Json::object();
        json.set("name", Json::string(name)).set("digest", Json::string(image.digest));
        TRY(print_json(json));
    }
    return 0;
}

} // namespace

constinit const Verb image_tag_verb = {
    .name = "tag",
    .summary = "give an image a further name",
    .usage = "[options] IMAGE NAME",
    .description = "NAME moves to IMAGE when another image has it.",
    .example = "  brig image tag busybox tools:stable",
    .options = options,
    .least_operands = 2,
    .most_operands = 2,
    .run = run,
};

} // namespace brig::command
