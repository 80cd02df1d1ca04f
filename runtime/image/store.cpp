#include "image/store.hpp"

#include "base/text.hpp"
#include "image/digest.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <cerrno>

namespace brig::image {

namespace {

constexpr size_t largest_document = size_t{4} << 20; // of the specification, for manifests; records and configurations alike
constexpr int newest_format = 1;
constexpr size_t least_digits = 6;

bool is_plain(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9')
           || std::string_view("._-+:@").find(letter) != std::string_view::npos;
}

std::string decoded_name(std::string_view file)
{
    std::string name;
    for (size_t at = 0; at < file.size(); at++) {
        if (file[at] == '%' && at + 2 < file.size() && is_hex(file.substr(at + 1, 2))) {
            auto digit = [](char letter) { return letter <= '9' ? letter - '0' : letter - 'a' + 10; };
            name += static_cast<char>(digit(file[at + 1]) * 16 + digit(file[at + 2]));
            at += 2;
        } else {
            name += file[at];
        }
    }
    return name;
}

std::string hex_of(std::string_view digest)
{
    return std::string(digest.substr(digest.find(':') + 1));
}

Error no_such_image(const std::string& reference)
{
    return Error(ErrorKind::not_found, fmt::format("image {} does not exist", quoted(reference)))
        .with_hint("`brig image list` shows the images; `brig image import FILE --name NAME` makes one");
}

Error damaged(Error error, const std::string& store)
{
    return std::move(error)
        .with_kind(ErrorKind::invalid)
        .with_hint(fmt::format("the store {} is damaged; import the image anew", store));
}

} // namespace

// ---- names -----------------------------------------------------------------------------------------------------------

std::string name_file(std::string_view name)
{
    std::string file = "names/";
    for (size_t at = 0; at < name.size(); at++) {
        if (is_plain(name[at]) && !(at == 0 && name[at] == '.'))
            file += name[at];
        else
            file += fmt::format("%{:02x}", static_cast<unsigned char>(name[at]));
    }
    return file;
}

std::string image_file(std::string_view digest)
{
    return fmt::format("images/{}.json", hex_of(digest));
}

std::string blob_file(std::string_view digest)
{
    return fmt::format("blobs/sha256/{}", hex_of(digest));
}

std::string layer_directory(std::string_view chain_id)
{
    return fmt::format("layers/{}/diff", hex_of(chain_id));
}

Result<> check_name(std::string_view name)
{
    auto refuse = [&](std::string_view why) {
        return failure(Error(ErrorKind::invalid, fmt::format("{} is not a name of an image: {}", quoted(name.substr(0, 80)), why))
                           .with_hint("letters, digits and . _ - + : @ / can be in one, as in registry.example/python:3.11"));
    };
    constexpr size_t longest_file_name = 255;
    if (name.empty())
        return refuse("it is empty");
    if (name_file(name).size() - std::string_view("names/").size() > longest_file_name)
        return refuse("it is too long");
    if (name.front() == '/' || name.back() == '/' || name.front() == '-')
        return refuse(name.front() == '-' ? "it begins with -" : "it begins or ends with /");
    for (auto part : split(name, '/'))
        if (part.empty() || part == "." || part == "..")
            return refuse("a part of it is empty or only dots");
    for (char letter : name)
        if (!is_plain(letter) && letter != '/')
            return refuse(fmt::format("it contains {}", quoted(std::string(1, letter))));
    return {};
}

// ---- the image -------------------------------------------------------------------------------------------------------

std::vector<std::string> Image::layer_directories() const
{
    std::vector<std::string> directories;
    for (const auto& layer : layers)
        directories.push_back(join_path(store, layer_directory(layer.chain_id)));
    return directories;
}

uint64_t Image::blob_size() const
{
    uint64_t sum = manifest_size + config_size;
    for (const auto& layer : layers)
        sum += layer.size;
    return sum;
}

Json image_record(const Image& image)
{
    Json layers = Json::array();
    for (const auto& layer : image.layers) {
        Json entry = Json::object();
        entry.set("digest", Json::string(layer.digest))
            .set("mediaType", Json::string(layer.media_type))
            .set("size", Json::unsigned_number(layer.size))
            .set("diffId", Json::string(layer.diff_id))
            .set("chainId", Json::string(layer.chain_id));
        layers.append(std::move(entry));
    }
    Json record = Json::object();
    record.set("digest", Json::string(image.digest))
        .set("mediaType", Json::string(image.media_type))
        .set("size", Json::unsigned_number(image.manifest_size))
        .set("config", Json::string(image.config_digest))
        .set("configSize", Json::unsigned_number(image.config_size))
        .set("layers", std::move(layers));
    return record;
}

namespace {

Result<Layer> layer_from(JsonView json)
{
    Layer layer;
    layer.digest = json.member("digest").string();
    layer.media_type = json.member("mediaType").string();
    layer.size = TRY(json.member("size").unsigned_integer());
    layer.diff_id = json.member("diffId").string();
    layer.chain_id = json.member("chainId").string();
    // They become paths.
    for (const auto* digest : {&layer.digest, &layer.diff_id, &layer.chain_id})
        TRY(digest_hex(*digest));
    return layer;
}

Result<Image> image_from(std::string_view text)
{
    Json json = TRY(Json::parse(text));
    Image image;
    image.digest = json.view().member("digest").string();
    image.media_type = json.view().member("mediaType").string();
    image.config_digest = json.view().member("config").string();
    image.manifest_size = TRY(json.view().member("size").unsigned_integer());
    image.config_size = TRY(json.view().member("configSize").unsigned_integer());
    for (const auto* digest : {&image.digest, &image.config_digest})
        TRY(digest_hex(*digest));
    JsonView layers = json.view().member("layers");
    for (size_t index = 0; layers.is_array() && index < layers.size(); index++)
        image.layers.push_back(TRY(layer_from(layers.at(index))));
    return image;
}

} // namespace

// ---- the store -------------------------------------------------------------------------------------------------------

Result<Store> Store::open(const std::string& root)
{
    auto text = kernel::read_file(kernel::working_directory, join_path(root, format_file), largest_document);
    if (!text && text.error().code() == ENOENT)
        return Store(root, OverlayAttributes::trusted);
    if (!text)
        return failure(std::move(text)
                           .error()
                           .during("open the image store")
                           .with_hint("the store is its owner's alone; --store names another one"));
    Json format = TRY_DURING(format_file, Json::parse(*text));
    auto version = format.view().member("version").unsigned_integer();
    if (!version || *version > newest_format)
        return failure(
            Error(ErrorKind::not_supported, fmt::format("the store {} has a format that this brig does not know", root))
                .with_hint("a newer brig made it; --store names another one"));
    bool user = format.view().member("attributes").string() == "user";
    return Store(root, user ? OverlayAttributes::user : OverlayAttributes::trusted);
}

Result<std::vector<Name>> Store::names() const
{
    auto directory = kernel::open_at(kernel::working_directory, join_path(m_root, "names"), O_RDONLY | O_DIRECTORY);
    if (!directory && directory.error().code() == ENOENT)
        return std::vector<Name>{};
    Fd opened = TRY(std::move(directory));
    std::vector<Name> names;
    for (const auto& file : TRY(kernel::list_directory(opened))) {
        auto digest = kernel::read_file(opened, file, largest_document);
        // One that is being written, or was removed meanwhile.
        if (file.front() == '.' || !digest)
            continue;
        names.push_back({decoded_name(file), std::string(trim(*digest))});
    }
    std::ranges::sort(names, {}, &Name::name);
    return names;
}

Result<std::vector<std::string>> Store::images() const
{
    auto directory = kernel::open_at(kernel::working_directory, join_path(m_root, "images"), O_RDONLY | O_DIRECTORY);
    if (!directory && directory.error().code() == ENOENT)
        return std::vector<std::string>{};
    std::vector<std::string> digests;
    for (const auto& file : TRY(kernel::list_directory(TRY(std::move(directory)))))
        if (file.ends_with(".json") && file.front() != '.')
            digests.push_back(digest_from_hex(file.substr(0, file.find('.'))));
    std::ranges::sort(digests);
    return digests;
}

Result<Image> Store::image(const std::string& digest) const
{
    TRY(digest_hex(digest));
    auto text = kernel::read_file(kernel::working_directory, join_path(m_root, image_file(digest)), largest_document);
    if (!text && text.error().code() == ENOENT)
        return failure(no_such_image(digest));
    auto image = image_from(TRY(std::move(text)));
    if (!image)
        return failure(damaged(std::move(image).error().during(image_file(digest)), m_root));
    image->store = m_root;
    auto config = blob(image->config_digest);
    auto parsed = config ? parse_config(*config) : failure(config.error());
    if (!parsed)
        return failure(damaged(std::move(parsed).error().during("configuration of the image"), m_root));
    image->config = std::move(*parsed);
    return image;
}

Result<std::string> Store::blob(const std::string& digest) const
{
    TRY(digest_hex(digest));
    return kernel::read_file(kernel::working_directory, join_path(m_root, blob_file(digest)), largest_document);
}

Result<std::string> Store::digest_of(const std::string& reference) const
{
    if (check_name(reference)) {
        for (const auto& name : {reference, reference + ":latest"}) {
            auto text = kernel::read_file(kernel::working_directory, join_path(m_root, name_file(name)), largest_document);
            if (text)
                return std::string(trim(*text));
            if (text.error().code() != ENOENT && text.error().code() != ENAMETOOLONG)
                return failure(std::move(text).error());
        }
    }
    std::string_view digits = reference;
    if (digits.starts_with("sha256:"))
        digits.remove_prefix(7);
    if (digits.size() < least_digits || !is_hex(digits))
        return failure(no_such_image(reference));
    std::string found;
    for (const auto& digest : TRY(images())) {
        if (!std::string_view(digest).substr(7).starts_with(digits))
            continue;
        if (!found.empty())
            return failure(Error(ErrorKind::invalid, fmt::format("more than one image begins with {}", quoted(reference)))
                               .with_hint("give more digits"));
        found = digest;
    }
    return found.empty() ? Result<std::string>(failure(no_such_image(reference))) : found;
}

Result<Image> Store::find(const std::string& reference) const
{
    return image(TRY(digest_of(reference)));
}

} // namespace brig::image
