#include "base/text.hpp"
#include "command/image/verbs.hpp"

#include <algorithm>
#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    Option{"raw", 0, OptionType::text, "WHAT", "print the image's own document instead: manifest or config"},
    store_option,
    json_option,
};

Json execution_of(const image::Config& config)
{
    Json labels = Json::object();
    for (const auto& [name, value] : config.labels)
        labels.set(name, Json::string(value));
    Json execution = Json::object();
    execution.set("user", Json::string(config.user))
        .set("entrypoint", Json::strings(config.entrypoint))
        .set("cmd", Json::strings(config.cmd))
        .set("env", Json::strings(config.env))
        .set("workingDir", Json::string(config.working_dir))
        .set("volumes", Json::strings(config.volumes))
        .set("exposedPorts", Json::strings(config.exposed_ports))
        .set("stopSignal", Json::string(config.stop_signal))
        .set("labels", std::move(labels));
    return execution;
}

Json document_of(const image::Image& image, const std::vector<std::string>& names)
{
    Json document = image::image_record(image);
    document.set("names", Json::strings(names))
        .set("totalSize", Json::unsigned_number(image.blob_size()))
        .set("platform", Json::string(image.config.platform.text()))
        .set("created", Json::string(image.config.created))
        .set("author", Json::string(image.config.author))
        .set("process", execution_of(image.config))
        .set("layerDirectories", Json::strings(image.layer_directories()));
    return document;
}

std::string text_of(const image::Image& image, const std::vector<std::string>& names)
{
    const image::Config& config = image.config;
    std::string text;
    auto line = [&](std::string_view name, const std::string& value) {
        if (!value.empty())
            text += fmt::format("{:<15}{}\n", std::string(name) + ":", one_line(value));
    };
    line("names", join(names, ", "));
    line("digest", image.digest);
    line("configuration", image.config_digest);
    line("platform", config.platform.text());
    line("created", config.created);
    line("author", config.author);
    line("size", size_text(image.blob_size()));
    line("user", config.user);
    line("entry point", join(config.entrypoint, " "));
    line("command", join(config.cmd, " "));
    line("directory", config.working_dir);
    for (const auto& entry : config.env)
        line("environment", entry);
    for (const auto& volume : config.volumes)
        line("volume", volume);
    line("ports", join(config.exposed_ports, ", "));
    line("stop signal", config.stop_signal);
    for (const auto& [name, value] : config.labels)
        line("label", name + "=" + value);
    for (const auto& layer : image.layers)
        line("layer", fmt::format("{}  {}", layer.digest, size_text(layer.size)));
    return text;
}

Result<int> run(const Invocation& invocation)
{
    auto store = TRY(open_store(invocation));
    auto image = TRY(store.find(invocation.operand(0)));
    if (auto raw = invocation.arguments.text_if_given("raw")) {
        if (*raw != "manifest" && *raw != "config")
            return failure(
                Error(ErrorKind::invalid, fmt::format("--raw {} is unknown", quoted(*raw))).with_hint("manifest or config"));
        TRY(print(TRY(store.blob(*raw == "manifest" ? image.digest : image.config_digest))));
        return 0;
    }
    std::vector<std::string> names;
    for (const auto& name : TRY(store.names()))
        if (name.digest == image.digest)
            names.push_back(name.name);
    if (invocation.arguments.flag("json"))
        TRY(print_json(document_of(image, names)));
    else
        TRY(print(text_of(image, names)));
    return 0;
}

} // namespace

constinit const Verb image_inspect_verb = {
    .name = "inspect",
    .summary = "show what an image is made of",
    .usage = "[options] IMAGE",
    .description = "Names, digests, sizes, layers, and what the image's configuration says about the process.",
    .example = "  brig image inspect busybox\n  brig image inspect --json busybox | jq .process.entrypoint",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
