#include "image/tool/store_writer.hpp"

#include "base/text.hpp"
#include "image/digest.hpp"
#include "image/tool/sha256.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/fs.h>

namespace brig::image {

namespace {

// The files of images are nobody's business on the host: among them are programs with set-user-id bits (CVE-2021-41091).
constexpr mode_t store_mode = 0700;
constexpr mode_t file_mode = 0600;

Error explain(Error error, const std::string& root)
{
    if (error.code() == EACCES || error.code() == EROFS || error.code() == EPERM)
        return std::move(error).with_hint("name a folder of your own with --store");
    return with_remedy_for_full_disk(std::move(error).during(fmt::format("image store {}", root)));
}

Result<> make_folders(FdRef directory)
{
    for (const char* name :
         {"blobs", "blobs/sha256", "layers", "images", "names", "bundles", "locks", "tmp", "bundle", "bundle/rootfs"}) {
        auto made = kernel::make_directory(directory, name, store_mode);
        if (!made && made.error().code() != EEXIST)
            return made;
    }
    return {};
}

Result<> write_format(FdRef directory, OverlayAttributes attributes)
{
    if (kernel::exists(directory, format_file))
        return {};
    Json format = Json::object();
    format.set("version", Json::number(1))
        .set("attributes", Json::string(attributes == OverlayAttributes::trusted ? "trusted" : "user"));
    return kernel::replace_file(directory, format_file, format.to_text() + "\n", file_mode);
}

} // namespace

Error with_remedy_for_full_disk(Error error)
{
    if (error.hint().empty() && (error.code() == ENOSPC || error.code() == EDQUOT))
        return std::move(error).with_hint("the store's file system is full: brig image prune, or another --store");
    return error;
}

// ---- the workspace -----------------------------------------------------------------------------------------------------------

Workspace::Workspace(Workspace&& other) noexcept
    : m_store(other.m_store), m_name(std::exchange(other.m_name, {})), m_directory(std::move(other.m_directory))
{
}

Workspace::~Workspace()
{
    if (!m_name.empty())
        (void)kernel::remove_tree(m_store, m_name);
}

std::string Workspace::path(const std::string& name) const
{
    return join_path(m_name, name);
}

// ---- opening -----------------------------------------------------------------------------------------------------------------

namespace {

// Mount options and the kernel's table of mounts give these a meaning, and who uses a layer is read from there.
Result<> check_root(const std::string& root)
{
    for (char letter : root)
        if (static_cast<unsigned char>(letter) <= ' ' || std::string_view(":,\\\"").find(letter) != std::string_view::npos)
            return failure(Error(ErrorKind::invalid, fmt::format("an image store cannot be at {}", quoted(root)))
                               .with_hint("its path cannot have blanks, colons, commas, quotes and backslashes"));
    constexpr size_t longest = 150; // with a layer's name it is one parameter of fsconfig(2)
    if (root.size() > longest)
        return failure(ErrorKind::invalid,
                       fmt::format("an image store cannot be at a path of {} bytes, 150 is the most", root.size()));
    return {};
}

} // namespace

Result<StoreWriter> StoreWriter::open(const std::string& root, StoreUse use, OverlayAttributes attributes,
                                      const std::function<void()>& on_wait)
{
    TRY(check_root(root));
    auto opened = [&]() -> Result<StoreWriter> {
        TRY(kernel::make_directories(std::string(parent_path(root)), 0755));
        auto made = kernel::make_directory(kernel::working_directory, root, store_mode);
        if (!made && made.error().code() != EEXIST)
            return failure(std::move(made).error());
        Fd directory = TRY(kernel::open_at(kernel::working_directory, root, O_RDONLY | O_DIRECTORY));
        Fd lock = TRY(kernel::open_at(directory, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, file_mode));
        bool alone = use == StoreUse::remove;
        if (!TRY(alone ? kernel::try_lock_exclusive(lock) : kernel::try_lock_shared(lock))) {
            on_wait();
            TRY(alone ? kernel::lock_exclusive(lock) : kernel::lock_shared(lock));
        }
        TRY(make_folders(directory));
        TRY(write_format(directory, attributes));
        return StoreWriter(TRY(Store::open(root)), std::move(directory), std::move(lock));
    }();
    if (!opened)
        return failure(explain(std::move(opened).error(), root));
    return opened;
}

Result<Workspace> StoreWriter::make_workspace() const
{
    constexpr int attempts = 1000;
    for (int attempt = 0; attempt < attempts; attempt++) {
        std::string name = fmt::format("tmp/{}.{}", kernel::process_id(), attempt);
        auto made = kernel::make_directory(m_directory, name, store_mode);
        if (made)
            return Workspace(m_directory, name, TRY(kernel::open_at(m_directory, name, O_RDONLY | O_DIRECTORY)));
        if (made.error().code() != EEXIST)
            return failure(explain(std::move(made).error(), m_store.root()));
    }
    return failure(
        Error(ErrorKind::system, "tmp in the image store is full of what killed imports left").with_hint("brig image prune"));
}

Result<std::vector<Fd>> StoreWriter::lock_layers(std::vector<std::string> chain_ids) const
{
    // One order for all: two imports cannot wait for each other.
    std::ranges::sort(chain_ids);
    chain_ids.erase(std::unique(chain_ids.begin(), chain_ids.end()), chain_ids.end());
    std::vector<Fd> locks;
    for (const auto& chain : chain_ids) {
        locks.push_back(
            TRY(kernel::open_at(m_directory, "locks/" + TRY(digest_hex(chain)), O_RDWR | O_CREAT | O_NOFOLLOW, file_mode)));
        TRY(kernel::lock_exclusive(locks.back()));
    }
    return locks;
}

bool StoreWriter::has_layer(const std::string& chain_id) const
{
    return kernel::exists(m_directory, layer_directory(chain_id));
}

bool StoreWriter::has_blob(const std::string& digest) const
{
    return kernel::exists(m_directory, blob_file(digest));
}

// ---- publishing --------------------------------------------------------------------------------------------------------------

namespace {

Result<> publish(FdRef store, const std::string& from, const std::string& to)
{
    auto renamed = kernel::rename(store, from, store, to, RENAME_NOREPLACE);
    // Somebody else was as quick, and has the same.
    if (!renamed && (renamed.error().code() == EEXIST || renamed.error().code() == ENOTEMPTY))
        return {};
    return renamed;
}

Result<> sync_folder(FdRef store, const std::string& name)
{
    return kernel::sync_file(TRY(kernel::open_at(store, name, O_RDONLY | O_DIRECTORY)));
}

} // namespace

Result<> StoreWriter::publish_blob(const std::string& from, const std::string& digest) const
{
    return publish(m_directory, from, blob_file(digest));
}

Result<> StoreWriter::publish_layer(const std::string& from, const std::string& chain_id) const
{
    return publish(m_directory, from, std::string(parent_path(layer_directory(chain_id))));
}

Result<> StoreWriter::publish_image(const Image& image) const
{
    TRY(sync_folder(m_directory, "blobs/sha256"));
    TRY(sync_folder(m_directory, "layers"));
    TRY(kernel::replace_file(m_directory, image_file(image.digest), image_record(image).to_text() + "\n", file_mode));
    return sync_folder(m_directory, "images");
}

Result<> StoreWriter::set_name(const std::string& name, const std::string& digest) const
{
    TRY(check_name(name));
    return kernel::replace_file(m_directory, name_file(name), digest + "\n", file_mode);
}

Result<> StoreWriter::remove_name(const std::string& name) const
{
    return kernel::remove_file(m_directory, name_file(name));
}

Result<> StoreWriter::remember_bundle(const std::string& config) const
{
    std::string file = "bundles/" + TRY(digest_hex(digest_of_text(config)));
    TRY(kernel::remove_file(m_directory, file));
    return kernel::make_link(config, m_directory, file);
}

Result<> StoreWriter::sync() const
{
    return kernel::sync_file_system(m_directory);
}

} // namespace brig::image
