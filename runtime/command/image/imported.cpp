#include "command/image/imported.hpp"

#include "base/text.hpp"
#include "command/image/progress.hpp"

namespace brig::command {

namespace {

Result<> report(const Invocation& invocation, const std::vector<image::ImportedImage>& imported)
{
    if (invocation.arguments.flag("json")) {
        Json list = Json::array();
        for (const auto& one : imported) {
            Json entry = Json::object();
            entry.set("name", Json::string(one.name))
                .set("digest", Json::string(one.image.digest))
                .set("size", Json::unsigned_number(one.image.blob_size()))
                .set("layers", Json::number(static_cast<int64_t>(one.image.layers.size())))
                .set("newLayers", Json::number(static_cast<int64_t>(one.new_layers)));
            list.append(std::move(entry));
        }
        return print_json(list);
    }
    std::string text;
    for (const auto& one : imported) {
        if (invocation.arguments.flag("quiet"))
            text += one.image.digest + "\n";
        else
            text += fmt::format("{}: {} ({} layers, {} of them new, {})\n", one.name, one.image.digest, one.image.layers.size(),
                                one.new_layers, size_text(one.image.blob_size()));
    }
    return print(text);
}

} // namespace

Result<> import_and_report(const Invocation& invocation, image::StoreWriter& writer, const image::ImportRequest& request)
{
    image::ImportProgress progress;
    ProgressBar bar(progress);
    auto imported = image::import_images(writer, request, progress);
    bar.finish();
    return report(invocation, TRY(std::move(imported)));
}

} // namespace brig::command
