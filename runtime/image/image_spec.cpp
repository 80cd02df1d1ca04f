#include "image/image_spec.hpp"

#include "base/text.hpp"
#include "image/image_user.hpp"
#include "kernel/process.hpp"
#include "spec/default_spec.hpp"

#include <algorithm>

namespace brig::image {

namespace {

// Colons separate layers and commas options; the backslash is what takes that meaning from them, also for crun.
std::string escaped(std::string_view path)
{
    std::string text;
    for (char letter : path) {
        if (letter == ':' || letter == ',' || letter == '\\')
            text += '\\';
        text += letter;
    }
    return text;
}

Result<> check_path(const std::string& path)
{
    if (path.empty() || path.front() != '/')
        return failure(ErrorKind::invalid, fmt::format("{} is not an absolute path", quoted(path)));
    return {};
}

// The last entry of a name counts, at the place of the first.
std::vector<std::string> merged_environment(const std::vector<std::string>& first, const std::vector<std::string>& second)
{
    std::vector<std::string> merged;
    for (const auto* list : {&first, &second}) {
        for (const auto& entry : *list) {
            std::string name = entry.substr(0, entry.find('=') + 1);
            auto same = std::ranges::find_if(merged, [&](const std::string& other) { return other.starts_with(name); });
            if (same != merged.end())
                *same = entry;
            else
                merged.push_back(entry);
        }
    }
    return merged;
}

Result<std::vector<std::string>> program_of(const Image& image, const ProcessRequest& request)
{
    std::vector<std::string> words = image.config.entrypoint;
    // An empty one takes the image's away, as with Docker.
    if (request.entrypoint)
        words = request.entrypoint->empty() ? std::vector<std::string>() : std::vector{*request.entrypoint};
    const std::vector<std::string> none;
    const auto& rest = !request.args.empty() ? request.args : request.entrypoint ? none : image.config.cmd;
    words.insert(words.end(), rest.begin(), rest.end());
    if (words.empty())
        return failure(Error(ErrorKind::invalid, "the image names no program").with_hint("give it as argument"));
    return words;
}

Json numbers(const std::vector<uint32_t>& values)
{
    Json list = Json::array();
    for (uint32_t value : values)
        list.append(Json::number(value));
    return list;
}

Json annotations_of(const Image& image)
{
    const Config& config = image.config;
    Json annotations = Json::object();
    auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty())
            annotations.set(name, Json::string(value));
    };
    // Labels first: what the image says about itself in its own members counts more.
    for (const auto& [name, value] : config.labels)
        add(name, value);
    add("org.opencontainers.image.os", config.platform.os);
    add("org.opencontainers.image.architecture", config.platform.architecture);
    add("org.opencontainers.image.variant", config.platform.variant);
    add("org.opencontainers.image.author", config.author);
    add("org.opencontainers.image.created", config.created);
    add("org.opencontainers.image.stopSignal", config.stop_signal);
    add("org.opencontainers.image.exposedPorts", join(config.exposed_ports, ","));
    add(digest_annotation, image.digest);
    return annotations;
}

Json volume(const std::string& destination)
{
    Json mount = Json::object();
    mount.set("destination", Json::string(destination))
        .set("type", Json::string("tmpfs"))
        .set("source", Json::string("tmpfs"))
        .set("options", Json::strings({"nosuid", "nodev", "tmpcopyup"}));
    return mount;
}

Result<Json> mounts_of(const Image& image, OverlayAttributes attributes, const SpecRequest& request, JsonView defaults)
{
    Json mounts = Json::array();
    if (request.overlay)
        mounts.append(TRY(overlay_root(image, attributes, request.upper)));
    for (size_t index = 0; index < defaults.size(); index++)
        mounts.append(Json::copy_of(defaults.at(index)));
    for (const auto& path : image.config.volumes) {
        std::string destination = clean_path("/" + path);
        if (destination == "/")
            return failure(ErrorKind::invalid, fmt::format("the image has a volume at {}", quoted(path)));
        mounts.append(volume(destination));
    }
    return mounts;
}

// An ordinary user's container gets the widest mapping that he has (plan/user_namespace) instead of his own id alone, so that
// files of other users of the image have owners.
void leave_user_namespace_to_plan(Json& section)
{
    Json namespaces = Json::array();
    JsonView all = section.view().member("namespaces");
    for (size_t index = 0; index < all.size(); index++)
        if (all.at(index).member("type").string() != "user")
            namespaces.append(Json::copy_of(all.at(index)));
    section.set("namespaces", std::move(namespaces)).set("uidMappings", Json()).set("gidMappings", Json());
}

} // namespace

Result<Json> overlay_root(const Image& image, OverlayAttributes attributes, const Upper& upper)
{
    auto directories = image.layer_directories();
    // The kernel wants a second one when there is no upper.
    if (directories.empty() || (directories.size() == 1 && upper.kind == Upper::Kind::none))
        directories.insert(directories.begin(), join_path(image.store, std::string(empty_bundle) + "/rootfs"));
    return overlay_root(directories, attributes, upper);
}

Result<Json> overlay_root(const std::vector<std::string>& directories, OverlayAttributes attributes, const Upper& upper)
{
    std::vector<std::string> lower;
    for (auto directory = directories.rbegin(); directory != directories.rend(); ++directory) {
        TRY(check_path(*directory));
        lower.push_back(escaped(*directory));
    }
    std::vector<std::string> options = {"lowerdir=" + join(lower, ":")};
    if (upper.kind == Upper::Kind::directory) {
        TRY(check_path(upper.upper_directory));
        TRY(check_path(upper.work_directory));
        options.push_back("upperdir=" + escaped(upper.upper_directory));
        options.push_back("workdir=" + escaped(upper.work_directory));
    }
    if (upper.kind == Upper::Kind::tmpfs)
        options.push_back("tmpfs-upper=" + upper.tmpfs_size);
    if (attributes == OverlayAttributes::user)
        options.emplace_back("userxattr");
    Json mount = Json::object();
    mount.set("destination", Json::string("/"))
        .set("type", Json::string("overlay"))
        .set("source", Json::string("overlay"))
        .set("options", Json::strings(options));
    return mount;
}

Result<> apply_to_process(Json& process, const Image& image, OverlayAttributes attributes, const ProcessRequest& request)
{
    const Config& config = image.config;
    auto args = TRY(program_of(image, request));
    UserIds ids = TRY(resolve_user(image, attributes, request.user.value_or(config.user)));
    std::vector<std::string> base = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    if (request.terminal)
        base.emplace_back("TERM=xterm");
    std::string cwd = request.cwd.value_or(config.working_dir);
    Json user = Json::object();
    user.set("uid", Json::number(ids.uid)).set("gid", Json::number(ids.gid));
    if (!ids.additional_gids.empty())
        user.set("additionalGids", numbers(ids.additional_gids));
    process.set("args", Json::strings(args))
        .set("env", Json::strings(merged_environment(merged_environment(base, config.env), request.env)))
        .set("cwd", Json::string(clean_path("/" + cwd)))
        .set("terminal", Json::boolean(request.terminal))
        .set("user", std::move(user));
    return {};
}

Result<Json> make_spec(const Image& image, OverlayAttributes attributes, const SpecRequest& request)
{
    Json spec = spec::default_spec(request.rootless, kernel::effective_uid(), kernel::effective_gid());
    Json process = Json::copy_of(spec.view().member("process"));
    TRY(apply_to_process(process, image, attributes, request.process));
    Json root = Json::object();
    root.set("path", Json::string("rootfs"));
    root.set("readonly", Json::boolean(request.read_only));
    Json mounts = TRY(mounts_of(image, attributes, request, spec.view().member("mounts")));
    if (request.rootless) {
        Json section = Json::copy_of(spec.view().member("linux"));
        leave_user_namespace_to_plan(section);
        spec.set("linux", std::move(section));
    }
    spec.set("process", std::move(process))
        .set("root", std::move(root))
        .set("mounts", std::move(mounts))
        .set("annotations", annotations_of(image));
    return spec;
}

std::string bundle_of_store(const Store& store)
{
    return join_path(store.root(), empty_bundle);
}

} // namespace brig::image
