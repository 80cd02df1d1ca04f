#include "base/text.hpp"
#include "command/image/verbs.hpp"
#include "command/table.hpp"

#include <algorithm>
#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    Option{"all", 'a', OptionType::flag, "", "also images that have no name any more"},
    Option{"quiet", 'q', OptionType::flag, "", "only the names"},
    store_option,
    json_option,
};

Result<std::vector<image::Name>> images_to_list(const image::Store& store, bool all)
{
    auto names = TRY(store.names());
    if (!all)
        return names;
    for (const auto& digest : TRY(store.images()))
        if (std::ranges::find(names, digest, &image::Name::digest) == names.end())
            names.push_back({"", digest});
    return names;
}

Json row_of(const image::Name& name, const image::Image& image)
{
    Json row = Json::object();
    row.set("name", Json::string(name.name))
        .set("digest", Json::string(image.digest))
        .set("size", Json::unsigned_number(image.blob_size()))
        .set("layers", Json::number(static_cast<int64_t>(image.layers.size())))
        .set("platform", Json::string(image.config.platform.text()))
        .set("created", Json::string(image.config.created));
    return row;
}

Result<int> run(const Invocation& invocation)
{
    const Arguments& arguments = invocation.arguments;
    auto store = TRY(open_store(invocation));
    Json list = Json::array();
    std::vector<std::vector<std::string>> rows = {{"NAME", "DIGEST", "SIZE", "LAYERS", "CREATED"}};
    std::string quiet;
    for (const auto& name : TRY(images_to_list(store, arguments.flag("all")))) {
        auto image = store.image(name.digest);
        if (!image) {
            // Removed just now, or damaged: the others are still there to see.
            invocation.log.warning(fmt::format("{}: {}", quoted(name.name), image.error().message()));
            continue;
        }
        list.append(row_of(name, *image));
        quiet += (name.name.empty() ? name.digest : name.name) + "\n";
        rows.push_back({name.name.empty() ? "-" : name.name, short_digest(image->digest), size_text(image->blob_size()),
                        std::to_string(image->layers.size()), image->config.created.empty() ? "-" : image->config.created});
    }
    if (arguments.flag("json"))
        TRY(print_json(list));
    else
        TRY(print(arguments.flag("quiet") ? quiet : format_table(rows)));
    return 0;
}

} // namespace

constinit const Verb image_list_verb = {
    .name = "list",
    .summary = "show the images of the store",
    .usage = "[options]",
    .description = "One line for each name. SIZE is that of the compressed layers.",
    .example = "  brig image list\n  brig image list --json | jq -r '.[].name'",
    .options = options,
    .run = run,
};

} // namespace brig::command
