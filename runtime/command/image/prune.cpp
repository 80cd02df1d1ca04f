#include "base/text.hpp"
#include "command/globals.hpp"
#include "command/image/collected.hpp"
#include "command/image/verbs.hpp"

#include <array>

namespace brig::command {

Result<> report_collected(const Invocation& invocation, const image::Collected& collected, const std::vector<std::string>& names)
{
    if (invocation.arguments.flag("json")) {
        Json json = Json::object();
        json.set("names", Json::strings(names))
            .set("images", Json::strings(collected.images))
            .set("layers", Json::number(static_cast<int64_t>(collected.layers)))
            .set("blobs", Json::number(static_cast<int64_t>(collected.blobs)))
            .set("leftovers", Json::number(static_cast<int64_t>(collected.leftovers)))
            .set("bytes", Json::unsigned_number(collected.bytes));
        return print_json(json);
    }
    std::string text;
    for (const auto& digest : collected.images)
        text += digest + "\n";
    return print(text
                 + fmt::format("{} images, {} layers, {} blobs, {} leftovers: {}\n", collected.images.size(), collected.layers,
                               collected.blobs, collected.leftovers, size_text(collected.bytes)));
}

namespace {

constexpr std::array options = {
    Option{"dry-run", 0, OptionType::flag, "", "only say what would be removed"},
    store_option,
    json_option,
};

Result<int> run(const Invocation& invocation)
{
    auto writer = TRY(open_store_writer(invocation, image::StoreUse::remove));
    auto collected = TRY(image::collect(writer, TRY(state_root(invocation.globals)), invocation.arguments.flag("dry-run")));
    TRY(report_collected(invocation, collected, {}));
    return 0;
}

} // namespace

constinit const Verb image_prune_verb = {
    .name = "prune",
    .summary = "remove what no image needs",
    .usage = "[options]",
    .description = "Images without a name, layers and blobs of no image, and what imports that were killed left behind.\n"
                   "Waits for imports that run. What containers and bundles stand on stays.",
    .example = "  brig image prune --dry-run\n  brig image prune",
    .options = options,
    .run = run,
};

} // namespace brig::command
