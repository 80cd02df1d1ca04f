#include "image/config.hpp"

#include "base/text.hpp"
#include "image/digest.hpp"

#include <algorithm>

namespace brig::image {

namespace {

Result<std::string> text_of(JsonView object, std::string_view name)
{
    JsonView member = object.member(name);
    if (member.is_null())
        return std::string();
    if (member.type() != JsonType::string)
        return failure(ErrorKind::invalid, fmt::format("{} is not a string but {}", name, json_type_name(member.type())));
    return member.string();
}

Result<std::vector<std::string>> texts_of(JsonView object, std::string_view name)
{
    std::vector<std::string> texts;
    JsonView list = object.member(name);
    if (list.is_null())
        return texts;
    if (!list.is_array())
        return failure(ErrorKind::invalid, fmt::format("{} is not a list but {}", name, json_type_name(list.type())));
    for (size_t index = 0; index < list.size(); index++) {
        if (list.at(index).type() != JsonType::string)
            return failure(ErrorKind::invalid, fmt::format("{}[{}] is not a string", name, index));
        texts.push_back(list.at(index).string());
    }
    return texts;
}

// Sets are objects with empty objects as values there.
Result<std::vector<std::string>> keys_of(JsonView object, std::string_view name)
{
    std::vector<std::string> keys;
    JsonView set = object.member(name);
    if (set.is_null())
        return keys;
    if (!set.is_object())
        return failure(ErrorKind::invalid, fmt::format("{} is not an object but {}", name, json_type_name(set.type())));
    set.for_each_member([&](std::string_view key, JsonView) { keys.emplace_back(key); });
    std::ranges::sort(keys);
    return keys;
}

Result<std::map<std::string, std::string>> map_of(JsonView object, std::string_view name)
{
    std::map<std::string, std::string> map;
    JsonView member = object.member(name);
    if (member.is_null())
        return map;
    if (!member.is_object())
        return failure(ErrorKind::invalid, fmt::format("{} is not an object but {}", name, json_type_name(member.type())));
    member.for_each_member([&](std::string_view key, JsonView value) { map.emplace(key, value.string()); });
    return map;
}

Result<> read_execution(JsonView json, Config& config)
{
    config.user = TRY(text_of(json, "User"));
    config.env = TRY(texts_of(json, "Env"));
    config.entrypoint = TRY(texts_of(json, "Entrypoint"));
    config.cmd = TRY(texts_of(json, "Cmd"));
    config.working_dir = TRY(text_of(json, "WorkingDir"));
    config.volumes = TRY(keys_of(json, "Volumes"));
    config.exposed_ports = TRY(keys_of(json, "ExposedPorts"));
    config.stop_signal = TRY(text_of(json, "StopSignal"));
    config.labels = TRY(map_of(json, "Labels"));
    for (const auto& entry : config.env)
        if (entry.find('=') == std::string::npos || entry.front() == '=')
            return failure(ErrorKind::invalid, fmt::format("Env: {} is not NAME=VALUE", quoted(entry)));
    return {};
}

Result<> read_layers(JsonView json, Config& config)
{
    JsonView root = json.member("rootfs");
    if (!root.is_object() || root.member("type").string() != "layers")
        return failure(ErrorKind::invalid, "rootfs.type is not \"layers\"");
    config.diff_ids = TRY(texts_of(root, "diff_ids"));
    for (const auto& diff_id : config.diff_ids)
        TRY(digest_hex(diff_id));
    return {};
}

} // namespace

std::string Platform::text() const
{
    return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

Platform host_platform()
{
#if defined(__x86_64__)
    return {"linux", "amd64", ""};
#elif defined(__aarch64__)
    return {"linux", "arm64", "v8"};
#elif defined(__riscv)
    return {"linux", "riscv64", ""};
#elif defined(__s390x__)
    return {"linux", "s390x", ""};
#elif defined(__powerpc64__)
    return {"linux", "ppc64le", ""};
#else
#error "name this architecture as Go does"
#endif
}

bool fits(const Platform& offered, const Platform& host)
{
    return offered.os == host.os && offered.architecture == host.architecture
           && (offered.variant.empty() || host.variant.empty() || offered.variant == host.variant);
}

Result<Config> parse_config(std::string_view text)
{
    Json json = TRY(Json::parse(text));
    if (!json.view().is_object())
        return failure(ErrorKind::invalid, "the configuration of the image is not an object");
    Config config;
    config.platform.os = TRY(text_of(json.view(), "os"));
    config.platform.architecture = TRY(text_of(json.view(), "architecture"));
    config.platform.variant = TRY(text_of(json.view(), "variant"));
    config.created = TRY(text_of(json.view(), "created"));
    config.author = TRY(text_of(json.view(), "author"));
    JsonView execution = json.view().member("config");
    if (execution.is_object())
        TRY_DURING("config", read_execution(execution, config));
    TRY(read_layers(json.view(), config));
    return config;
}

} // namespace brig::image
