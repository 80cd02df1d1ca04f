#include "image/tool/verify.hpp"

#include "base/text.hpp"
#include "image/digest.hpp"
#include "image/tool/compare_trees.hpp"
#include "image/tool/layer_import.hpp"
#include "image/tool/sha256.hpp"
#include "kernel/files.hpp"

#include <set>

namespace brig::image {

namespace {

class Verification {
public:
    Verification(const StoreWriter& writer, const VerifyRequest& request) : m_writer(writer), m_request(request) {}

    Result<std::vector<Problem>> run()
    {
        for (const auto& digest : TRY(images())) {
            auto image = m_writer.store().image(digest);
            if (!image) {
                m_problems.push_back({image_file(digest), image.error().message()});
                continue;
            }
            TRY(check_image(*image));
        }
        if (m_request.references.empty())
            TRY(check_rest());
        return std::move(m_problems);
    }

private:
    Result<std::vector<std::string>> images() const
    {
        if (m_request.references.empty())
            return m_writer.store().images();
        std::vector<std::string> digests;
        for (const auto& reference : m_request.references)
            digests.push_back(TRY(m_writer.store().find(reference)).digest);
        return digests;
    }

    Result<> check_image(const Image& image)
    {
        TRY(check_blob(image.digest, image.manifest_size));
        TRY(check_blob(image.config_digest, image.config_size));
        std::vector<std::string> below;
        std::string chain;
        for (const auto& layer : image.layers) {
            TRY(check_blob(layer.digest, layer.size));
            chain = chain_id(chain, layer.diff_id);
            if (chain != layer.chain_id)
                m_problems.push_back(
                    {image_file(image.digest), fmt::format("layer {} is not on the layers that it lists", layer.digest)});
            TRY(check_layer(layer, below));
            below.push_back(join_path(image.store, layer_directory(layer.chain_id)));
        }
        return {};
    }

    Result<> check_blob(const std::string& digest, std::optional<uint64_t> size)
    {
        if (!m_seen.insert(digest).second)
            return {};
        auto file = kernel::open_at(m_writer.directory(), blob_file(digest), O_RDONLY | O_NOFOLLOW);
        if (!file) {
            m_problems.push_back({blob_file(digest), file.error().message()});
            return {};
        }
        FileStream stream(*file);
        HashingSource hashing(stream);
        TRY(drain(hashing));
        if (size && hashing.hash().count() != *size)
            m_problems.push_back({blob_file(digest), fmt::format("has {} bytes instead of {}", hashing.hash().count(), *size)});
        if (std::string found = hashing.hash().digest(); found != digest)
            m_problems.push_back({blob_file(digest), fmt::format("has the digest {}", found)});
        return {};
    }

    Result<> check_layer(const Layer& layer, const std::vector<std::string>& below)
    {
        if (!m_seen.insert("layer " + layer.chain_id).second)
            return {};
        std::string directory = layer_directory(layer.chain_id);
        auto found = kernel::open_at(m_writer.directory(), directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!found) {
            m_problems.push_back({directory, found.error().message()});
            return {};
        }
        if (!m_request.trees)
            return {};
        auto difference = unpack_and_compare(layer, below, *found);
        if (!difference)
            m_problems.push_back({directory, difference.error().message()});
        else if (*difference)
            m_problems.push_back({directory, **difference});
        return {};
    }

    Result<std::optional<std::string>> unpack_and_compare(const Layer& layer, const std::vector<std::string>& below, FdRef found)
    {
        Workspace workspace = TRY(m_writer.make_workspace());
        auto blob =
            std::make_shared<Fd>(TRY(kernel::open_at(m_writer.directory(), blob_file(layer.digest), O_RDONLY | O_NOFOLLOW)));
        LayerJob job;
        job.source = {{blob, 0, static_cast<uint64_t>(TRY(kernel::status_of(*blob)).st_size)}, layer.digest, layer.media_type};
        job.diff_id = layer.diff_id;
        job.folder = "layer";
        // It was let in before.
        UnpackBudget budget;
        budget.limits = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
        ImportProgress progress;
        std::atomic<bool> stopped = false;
        UnpackOptions options{m_writer.store().attributes(), true};
        TRY(import_layer({workspace.directory(), options, budget, progress, stopped}, job));
        TRY(job.unpacker->settle(TRY(LayerStack::open(below, m_writer.store().attributes()))));
        return compare_trees(job.root, found);
    }

    // What no image needs is harmless, but it must not pass for what it is not when one does.
    Result<> check_rest()
    {
        Fd blobs = TRY(kernel::open_at(m_writer.directory(), "blobs/sha256", O_RDONLY | O_DIRECTORY));
        for (const auto& file : TRY(kernel::list_directory(blobs)))
            if (digest_hex(digest_from_hex(file)))
                TRY(check_blob(digest_from_hex(file), std::nullopt));
            else
                m_problems.push_back({"blobs/sha256/" + file, "is no digest"});
        for (const auto& name : TRY(m_writer.store().names()))
            if (!m_writer.store().image(name.digest))
                m_problems.push_back(
                    {name_file(name.name), fmt::format("is the name of {}, which is not there", one_line(name.digest))});
        return {};
    }

    const StoreWriter& m_writer;
    const VerifyRequest& m_request;
    std::set<std::string> m_seen;
    std::vector<Problem> m_problems;
};

} // namespace

Result<std::vector<Problem>> verify_store(const StoreWriter& writer, const VerifyRequest& request)
{
    return Verification(writer, request).run();
}

} // namespace brig::image
