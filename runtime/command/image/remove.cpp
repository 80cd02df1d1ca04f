#include "base/text.hpp"
#include "command/globals.hpp"
#include "command/image/collected.hpp"
#include "command/image/verbs.hpp"

#include <algorithm>
#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {store_option, json_option};

// A name, or an image by its digest with all its names.
Result<std::vector<std::string>> names_to_remove(const image::Store& store, const std::string& reference,
                                                 const image::Image& image)
{
    auto names = TRY(store.names());
    for (const auto& wanted : {reference, reference + ":latest"})
        if (std::ranges::find(names, wanted, &image::Name::name) != names.end())
            return std::vector{wanted};
    std::vector<std::string> all;
    for (const auto& name : names)
        if (name.digest == image.digest)
            all.push_back(name.name);
    return all;
}

Result<int> run(const Invocation& invocation)
{
    std::string state = TRY(state_root(invocation.globals));
    auto writer = TRY(open_store_writer(invocation, image::StoreUse::remove));
    auto users = TRY(image::LayerUsers::find(writer, state));
    std::vector<std::string> removed;
    // All are looked at before the first one goes.
    for (const auto& reference : invocation.arguments.operands()) {
        auto image = TRY(writer.store().find(reference));
        auto names = TRY(names_to_remove(writer.store(), reference, image));
        TRY(image::check_unused(writer, users, image, names.size()));
        removed.insert(removed.end(), names.begin(), names.end());
    }
    for (const auto& name : removed)
        TRY(writer.remove_name(name));
    auto collected = TRY(image::collect(writer, state, false));
    TRY(report_collected(invocation, collected, removed));
    return 0;
}

} // namespace

constinit const Verb image_remove_verb = {
    .name = "remove",
    .summary = "remove images",
    .usage = "[options] IMAGE...",
    .description = "Takes the names away, or all names of an image that is given by its digest. An image without names goes,\n"
                   "with all of its layers that no other image has. While a container or a bundle stands on an image its\n"
                   "last name stays.",
    .example = "  brig image remove busybox",
    .options = options,
    .least_operands = 1,
    .most_operands = any_number,
    .run = run,
};

} // namespace brig::command
