#include "image/tool/export.hpp"

#include "base/rollback.hpp"
#include "base/text.hpp"
#include "image/tool/image_source.hpp"
#include "image/tool/tar_writer.hpp"
#include "kernel/attributes.hpp"
#include "kernel/files.hpp"

#include <cerrno>

namespace brig::image {

namespace {

Result<> write_file(FdRef folder, const std::string& name, std::string_view text)
{
    return kernel::write_all(TRY(kernel::open_at(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644)), text);
}

std::string index_of(const Image& image, const std::string& name)
{
    Json annotations = Json::object();
    annotations.set("org.opencontainers.image.ref.name", Json::string(name)).set("io.containerd.image.name", Json::string(name));
    Json platform = Json::object();
    platform.set("architecture", Json::string(image.config.platform.architecture))
        .set("os", Json::string(image.config.platform.os));
    if (!image.config.platform.variant.empty())
        platform.set("variant", Json::string(image.config.platform.variant));
    Json manifest = Json::object();
    manifest.set("mediaType", Json::string(image.media_type))
        .set("digest", Json::string(image.digest))
        .set("size", Json::unsigned_number(image.manifest_size))
        .set("platform", std::move(platform))
        .set("annotations", std::move(annotations));
    Json manifests = Json::array();
    manifests.append(std::move(manifest));
    Json index = Json::object();
    index.set("schemaVersion", Json::number(2)).set("mediaType", Json::string(index_type)).set("manifests", std::move(manifests));
    return index.to_text();
}

// A link where that can be: the blobs never change.
Result<> put_blob(const StoreWriter& writer, FdRef folder, const std::string& digest, bool link)
{
    std::string file = blob_file(digest);
    if (link && kernel::make_hard_link(writer.directory(), file, folder, file))
        return {};
    Fd from = TRY(kernel::open_at(writer.directory(), file, O_RDONLY | O_NOFOLLOW));
    auto to = kernel::open_at(folder, file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    if (!to && to.error().code() == EEXIST)
        return {}; // two layers with the same content
    return kernel::copy_file(from, TRY(std::move(to)));
}

Result<> write_layout(const StoreWriter& writer, const Image& image, const std::string& name, FdRef folder, bool link)
{
    TRY(kernel::make_directory(folder, "blobs", 0755));
    TRY(kernel::make_directory(folder, "blobs/sha256", 0755));
    TRY(put_blob(writer, folder, image.digest, link));
    TRY(put_blob(writer, folder, image.config_digest, link));
    for (const auto& layer : image.layers)
        TRY(put_blob(writer, folder, layer.digest, link));
    TRY(write_file(folder, "oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
    return write_file(folder, "index.json", index_of(image, name));
}

Result<> export_tar(const StoreWriter& writer, const Image& image, const std::string& name, FdRef to)
{
    Workspace workspace = TRY(writer.make_workspace());
    TRY(write_layout(writer, image, name, workspace.directory(), true));
    return write_tar(workspace.directory(), to);
}

} // namespace

Result<> export_image(const StoreWriter& writer, const Image& image, const std::string& name, const std::string& path)
{
    if (path == "-")
        return export_tar(writer, image, name, FdRef(1));
    Rollback undo;
    if (path.ends_with(".tar")) {
        Fd file = TRY(kernel::open_at(kernel::working_directory, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
        undo.add([&] { (void)kernel::remove_file(kernel::working_directory, path); });
        TRY(export_tar(writer, image, name, file));
    } else {
        TRY(kernel::make_directory(kernel::working_directory, path, 0755));
        undo.add([&] { (void)kernel::remove_tree(kernel::working_directory, path); });
        Fd folder = TRY(kernel::open_at(kernel::working_directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        TRY(write_layout(writer, image, name, folder, false));
    }
    undo.keep();
    return {};
}

} // namespace brig::image
