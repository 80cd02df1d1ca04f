#include "image/tool/collect.hpp"

#include "base/text.hpp"
#include "image/digest.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <set>

namespace brig::image {

namespace {

// What is on disk there, in bytes; what cannot be looked at counts nothing.
uint64_t disk_usage(FdRef directory, const std::string& path)
{
    auto status = kernel::status_at(directory, path, AT_SYMLINK_NOFOLLOW);
    if (!status)
        return 0;
    constexpr uint64_t block = 512;
    uint64_t sum = static_cast<uint64_t>(status->st_blocks) * block;
    if (!S_ISDIR(status->st_mode))
        return sum / std::max<uint64_t>(status->st_nlink, 1);
    auto opened = kernel::open_at(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    auto names = opened ? kernel::list_directory(*opened) : failure(opened.error());
    if (names)
        for (const auto& name : *names)
            sum += disk_usage(*opened, name);
    return sum;
}

class Collection {
public:
    Collection(const StoreWriter& writer, const std::string& state_root, bool only_look)
        : m_writer(writer), m_state_root(state_root), m_only_look(only_look)
    {
    }

    Result<Collected> run()
    {
        auto users = TRY(LayerUsers::find(m_writer, m_state_root));
        TRY(mark(users));
        // Images first: whoever looks finds an image with all its parts, or none.
        for (const auto& digest : m_collected.images)
            TRY(remove(image_file(digest)));
        for (const auto& file : TRY(list("blobs/sha256")))
            if (!m_blobs.contains(file))
                TRY(remove_blob("blobs/sha256/" + file));
        TRY(sweep_layers(users));
        TRY(sweep_leftovers(users));
        return std::move(m_collected);
    }

private:
    // What has to stay.
    Result<> mark(const LayerUsers& users)
    {
        std::set<std::string> named;
        for (const auto& name : TRY(m_writer.store().names()))
            named.insert(name.digest);
        for (const auto& digest : TRY(m_writer.store().images())) {
            auto image = m_writer.store().image(digest);
            bool used = image && !image->layers.empty() && users.user_of(image->layers.back().chain_id).has_value();
            if (!named.contains(digest) && !used) {
                m_collected.images.push_back(digest);
                continue;
            }
            // Nothing is removed on the word of a damaged record.
            Image kept = TRY(std::move(image));
            m_blobs.insert(TRY(digest_hex(kept.digest)));
            m_blobs.insert(TRY(digest_hex(kept.config_digest)));
            for (const auto& layer : kept.layers) {
                m_blobs.insert(TRY(digest_hex(layer.digest)));
                m_layers.insert(TRY(digest_hex(layer.chain_id)));
            }
        }
        return {};
    }

    Result<std::vector<std::string>> list(const char* folder) const
    {
        return kernel::list_directory(TRY(kernel::open_at(m_writer.directory(), folder, O_RDONLY | O_DIRECTORY)));
    }

    Result<> remove(const std::string& path)
    {
        m_collected.bytes += disk_usage(m_writer.directory(), path);
        return m_only_look ? Result<>{} : kernel::remove_tree(m_writer.directory(), path);
    }

    Result<> remove_blob(const std::string& path)
    {
        m_collected.blobs++;
        return remove(path);
    }

    // Out of the way first, then looked at again: who began to use a layer meanwhile shows by now, and nobody can any more.
    Result<> sweep_layers(const LayerUsers& users)
    {
        std::vector<std::string> moved;
        for (const auto& hex : TRY(list("layers"))) {
            if (m_layers.contains(hex) || users.user_of(hex))
                continue;
            if (m_only_look) {
                m_collected.layers++;
                TRY(remove("layers/" + hex));
                continue;
            }
            TRY(kernel::rename(m_writer.directory(), "layers/" + hex, m_writer.directory(), "tmp/removed." + hex));
            moved.push_back(hex);
        }
        if (moved.empty())
            return {};
        auto users_now = TRY(LayerUsers::find(m_writer, m_state_root));
        for (const auto& hex : moved) {
            if (users_now.user_of(hex)) {
                TRY(kernel::rename(m_writer.directory(), "tmp/removed." + hex, m_writer.directory(), "layers/" + hex));
                continue;
            }
            m_collected.layers++;
            TRY(remove("tmp/removed." + hex));
        }
        return {};
    }

    Result<> sweep_leftovers(const LayerUsers& users)
    {
        for (const auto& name : TRY(list("tmp"))) {
            m_collected.leftovers++;
            TRY(remove("tmp/" + name));
        }
        for (const auto& link : users.stale_bundles()) {
            m_collected.leftovers++;
            TRY(remove(link));
        }
        for (const char* folder : {"names", "images"})
            for (const auto& name : TRY(list(folder)))
                if (name.front() == '.')
                    TRY(remove(fmt::format("{}/{}", folder, name)));
        for (const auto& name : TRY(list("locks")))
            TRY(remove("locks/" + name));
        return {};
    }

    const StoreWriter& m_writer;
    const std::string& m_state_root;
    bool m_only_look;
    std::set<std::string> m_blobs;
    std::set<std::string> m_layers;
    Collected m_collected;
};

} // namespace

Result<> check_unused(const StoreWriter& writer, const LayerUsers& users, const Image& image, size_t names_to_go)
{
    auto names = TRY(writer.store().names());
    auto count = static_cast<size_t>(std::ranges::count(names, image.digest, &Name::digest));
    if (count > names_to_go || image.layers.empty())
        return {};
    auto user = users.user_of(image.layers.back().chain_id);
    if (!user)
        return {};
    return failure(Error(ErrorKind::wrong_state, fmt::format("image {} is in use by {}", image.digest, *user))
                       .with_hint("delete that first, or give the image another name with `brig image tag`"));
}

Result<Collected> collect(const StoreWriter& writer, const std::string& state_root, bool only_look)
{
    return Collection(writer, state_root, only_look).run();
}

} // namespace brig::image
