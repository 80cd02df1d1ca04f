#include "image/tool/image_source.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "image/digest.hpp"
#include "image/tool/sha256.hpp"

#include <algorithm>

namespace brig::image {

namespace {

constexpr const char* index_file = "index.json";
constexpr const char* docker_file = "manifest.json";
constexpr int deepest_index = 4;

struct Descriptor {
    std::string media_type;
    std::string digest;
    uint64_t size = 0;
    Platform platform;
    std::string name; // from its annotations
};

bool is_index(const std::string& type)
{
    return type == index_type || type == "application/vnd.docker.distribution.manifest.list.v2+json";
}

bool is_manifest(const std::string& type)
{
    return type == manifest_type || type == "application/vnd.docker.distribution.manifest.v2+json";
}

Result<Descriptor> descriptor_from(JsonView json)
{
    Descriptor descriptor;
    descriptor.media_type = json.member("mediaType").string();
    descriptor.digest = json.member("digest").string();
    TRY(digest_hex(descriptor.digest));
    descriptor.size = TRY(json.member("size").unsigned_integer());
    JsonView platform = json.member("platform");
    if (platform.is_object())
        descriptor.platform = {platform.member("os").string(), platform.member("architecture").string(),
                               platform.member("variant").string()};
    JsonView annotations = json.member("annotations");
    if (annotations.is_object()) {
        descriptor.name = annotations.member("io.containerd.image.name").string();
        if (descriptor.name.empty())
            descriptor.name = annotations.member("org.opencontainers.image.ref.name").string();
    }
    return descriptor;
}

Result<std::vector<Descriptor>> descriptors_from(JsonView list, std::string_view member)
{
    std::vector<Descriptor> descriptors;
    if (!list.is_array())
        return failure(ErrorKind::invalid, fmt::format("{} is not a list", member));
    for (size_t index = 0; index < list.size(); index++)
        descriptors.push_back(TRY_DURING(fmt::format("{}[{}]", member, index), descriptor_from(list.at(index))));
    return descriptors;
}

std::string blob_name(std::string_view digest)
{
    return fmt::format("blobs/sha256/{}", digest.substr(digest.find(':') + 1));
}

Result<std::string> read_document(const FileSet& files, const Descriptor& descriptor)
{
    std::string text = TRY(files.read(blob_name(descriptor.digest), largest_document));
    if (text.size() != descriptor.size)
        return failure(ErrorKind::invalid, fmt::format("{} has {} bytes, but its descriptor says {}", descriptor.digest,
                                                       text.size(), descriptor.size));
    if (std::string found = digest_of_text(text); found != descriptor.digest)
        return failure(ErrorKind::invalid, fmt::format("{} has the digest {}", descriptor.digest, found));
    return text;
}

// ---- OCI -----------------------------------------------------------------------------------------------------------------

class Layout {
public:
    Layout(const FileSet& files, const SourceRequest& request) : m_files(files), m_request(request) {}

    Result<std::vector<SourceImage>> images()
    {
        Json index = TRY_DURING(index_file, Json::parse(TRY(m_files.read(index_file, largest_document))));
        auto all = TRY_DURING(index_file, descriptors_from(index.view().member("manifests"), "manifests"));
        std::vector<Descriptor> wanted;
        for (auto& descriptor : all)
            if (m_request.reference.empty() || descriptor.name == m_request.reference || descriptor.digest == m_request.reference)
                wanted.push_back(std::move(descriptor));
        if (wanted.empty())
            return failure(no_reference(all));
        std::vector<SourceImage> images;
        // Several of one name are one image for several platforms.
        while (!wanted.empty()) {
            std::string name = wanted.front().name;
            std::vector<Descriptor> same;
            std::erase_if(wanted, [&](Descriptor& descriptor) {
                bool is_same = descriptor.name == name;
                if (is_same)
                    same.push_back(descriptor);
                return is_same;
            });
            images.push_back(TRY(image_of(same, name)));
        }
        return images;
    }

private:
    Error no_reference(const std::vector<Descriptor>& all) const
    {
        std::vector<std::string> names;
        for (const auto& descriptor : all)
            names.push_back(descriptor.name.empty() ? descriptor.digest : descriptor.name);
        if (names.empty())
            return Error(ErrorKind::invalid, "index.json lists no image");
        return Error(ErrorKind::not_found, fmt::format("there is no image {}", quoted(m_request.reference)))
            .with_hint("there are: " + join(names, ", "));
    }

    Result<SourceImage> image_of(const std::vector<Descriptor>& descriptors, const std::string& name)
    {
        Descriptor manifest = TRY(choose(descriptors, 0));
        SourceImage image = TRY_DURING(fmt::format("manifest {}", manifest.digest), read_manifest(manifest));
        image.name = name;
        return image;
    }

    // The one for the wanted platform; one without platform is looked into.
    Result<Descriptor> choose(const std::vector<Descriptor>& descriptors, int depth)
    {
        if (depth > deepest_index)
            return failure(ErrorKind::invalid, "indexes are nested too deeply");
        std::vector<std::string> others;
        for (const auto& descriptor : descriptors) {
            bool says = !descriptor.platform.os.empty();
            if (says && !fits(descriptor.platform, m_request.platform)) {
                others.push_back(descriptor.platform.text());
                continue;
            }
            if (is_index(descriptor.media_type)) {
                Json json = TRY(Json::parse(TRY(read_document(m_files, descriptor))));
                return choose(TRY(descriptors_from(json.view().member("manifests"), "manifests")), depth + 1);
            }
            if (!is_manifest(descriptor.media_type) && !descriptor.media_type.empty())
                continue;
            if (descriptors.size() > 1)
                m_request.log.write(LogLevel::info,
                                    fmt::format("chose {} of {} manifests", m_request.platform.text(), descriptors.size()));
            return descriptor;
        }
        return failure(Error(ErrorKind::invalid, fmt::format("there is no image for {}", m_request.platform.text()))
                           .with_hint(others.empty() ? "no manifest is an image" : "there are: " + join(others, ", ")));
    }

    Result<SourceImage> read_manifest(const Descriptor& descriptor)
    {
        SourceImage image;
        image.manifest = TRY(read_document(m_files, descriptor));
        Json json = TRY(Json::parse(image.manifest));
        // A document that could be read as an index, too (CVE-2021-41190).
        if (!json.view().member("manifests").is_null() || !json.view().member("fsLayers").is_null())
            return failure(ErrorKind::invalid, "it is a manifest and something else at once");
        image.manifest_type = json.view().member("mediaType").string();
        if (image.manifest_type.empty())
            image.manifest_type = descriptor.media_type.empty() ? manifest_type : descriptor.media_type;
        if (!is_manifest(image.manifest_type) || (!descriptor.media_type.empty() && image.manifest_type != descriptor.media_type))
            return failure(ErrorKind::invalid, fmt::format("its media type is {}", quoted(image.manifest_type)));
        Descriptor config = TRY_DURING("config", descriptor_from(json.view().member("config")));
        image.config_type = config.media_type;
        image.config = TRY_DURING("config", read_document(m_files, config));
        for (const auto& layer : TRY(descriptors_from(json.view().member("layers"), "layers")))
            image.layers.push_back(TRY(read_layer(layer)));
        return image;
    }

    Result<SourceLayer> read_layer(const Descriptor& descriptor)
    {
        if (!contains(descriptor.media_type, ".tar") && !contains(descriptor.media_type, "rootfs.diff"))
            return failure(
                Error(ErrorKind::invalid, fmt::format("layer {} is of type {}", descriptor.digest, quoted(descriptor.media_type)))
                    .with_hint("it is an artifact and no image with files"));
        if (contains(descriptor.media_type, "encrypted"))
            return failure(ErrorKind::not_supported, fmt::format("layer {} is encrypted", descriptor.digest));
        FilePlace place = TRY(m_files.get(blob_name(descriptor.digest)));
        if (place.size != descriptor.size)
            return failure(ErrorKind::invalid, fmt::format("layer {} has {} bytes, but its descriptor says {}", descriptor.digest,
                                                           place.size, descriptor.size));
        return SourceLayer{std::move(place), descriptor.digest, descriptor.media_type};
    }

    const FileSet& m_files;
    const SourceRequest& m_request;
};

// ---- docker save ---------------------------------------------------------------------------------------------------------

// "HEX.json" and "blobs/sha256/HEX" say what their content has to be.
Result<> check_config_name(const std::string& file, const std::string& text)
{
    std::string hex(base_name(file));
    if (hex.ends_with(".json"))
        hex.erase(hex.size() - 5);
    if (hex.size() != 64 || !is_hex(hex))
        return {};
    if (std::string found = digest_of_text(text); found != digest_from_hex(hex))
        return failure(ErrorKind::invalid, fmt::format("{} has the digest {}", quoted(file), found));
    return {};
}

Result<SourceImage> image_of_archive(const FileSet& files, JsonView entry)
{
    SourceImage image;
    std::string config = entry.member("Config").string();
    image.config = TRY(files.read(config, largest_document));
    image.config_type = config_type;
    TRY(check_config_name(config, image.config));
    JsonView layers = entry.member("Layers");
    for (size_t index = 0; layers.is_array() && index < layers.size(); index++)
        image.layers.push_back({TRY(files.get(layers.at(index).string())), "", layer_type});
    return image;
}

Result<std::vector<SourceImage>> images_of_archive(const FileSet& files, const SourceRequest& request)
{
    Json json = TRY_DURING(docker_file, Json::parse(TRY(files.read(docker_file, largest_document))));
    if (!json.view().is_array())
        return failure(ErrorKind::invalid, "manifest.json is not a list");
    std::vector<SourceImage> images;
    std::vector<std::string> names;
    for (size_t index = 0; index < json.view().size(); index++) {
        JsonView entry = json.view().at(index);
        SourceImage image = TRY_DURING(fmt::format("manifest.json[{}]", index), image_of_archive(files, entry));
        JsonView tags = entry.member("RepoTags");
        bool wanted = request.reference.empty();
        for (size_t at = 0; tags.is_array() && at < tags.size(); at++) {
            names.push_back(tags.at(at).string());
            if (image.name.empty() || names.back() == request.reference)
                image.name = names.back();
            wanted = wanted || names.back() == request.reference;
        }
        if (wanted)
            images.push_back(std::move(image));
    }
    if (images.empty())
        return failure(Error(ErrorKind::not_found, fmt::format("there is no image {}", quoted(request.reference)))
                           .with_hint(names.empty() ? "the archive names none" : "there are: " + join(names, ", ")));
    return images;
}

// ---- names ---------------------------------------------------------------------------------------------------------------

// "archive/python.tar" and "3.11" as "python:3.11".
std::string complete_name(const std::string& name, const std::string& path)
{
    if (contains(name, "/") || contains(name, ":"))
        return name;
    std::string base(base_name(clean_path(path)));
    for (std::string_view ending : {".gz", ".zst", ".tgz", ".tar", ".oci"})
        if (base.size() > ending.size() && base.ends_with(ending))
            base.erase(base.size() - ending.size());
    return name.empty() || name == "latest" ? base : base + ":" + name;
}

} // namespace

namespace {

// A file that cannot be looked at is none that says so.
bool is_layout(const FileSet& files)
{
    auto marker = files.find("oci-layout");
    return marker && marker->has_value();
}

} // namespace

Result<bool> holds_images(const FileSet& files)
{
    return is_layout(files) || TRY(files.find(docker_file)).has_value();
}

Result<std::vector<SourceImage>> find_images(const FileSet& files, const SourceRequest& request)
{
    // Newer `docker save` archives are both; the layout has digests for everything.
    auto images = is_layout(files) ? TRY(Layout(files, request).images()) : TRY(images_of_archive(files, request));
    for (auto& image : images)
        image.name = complete_name(image.name, request.path);
    return images;
}

} // namespace brig::image
