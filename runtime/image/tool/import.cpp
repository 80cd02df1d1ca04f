#include "image/tool/import.hpp"

#include "base/text.hpp"
#include "image/digest.hpp"
#include "image/tool/layer_import.hpp"
#include "image/tool/open_source.hpp"
#include "image/tool/sha256.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <thread>

namespace brig::image {

namespace {

// As many as overlayfs stacks.
constexpr size_t most_layers = 500;
constexpr size_t layers_at_once = 2;

Json descriptor(const std::string& media_type, const std::string& digest, uint64_t size)
{
    Json json = Json::object();
    json.set("mediaType", Json::string(media_type)).set("digest", Json::string(digest)).set("size", Json::unsigned_number(size));
    return json;
}

// Runs the jobs on a few threads; the first error ends all.
Result<> run_jobs(LayerContext context, std::vector<LayerJob*>& jobs)
{
    std::atomic<size_t> next = 0;
    std::mutex mutex;
    std::optional<Error> first_error;
    auto work = [&] {
        for (size_t index = next++; index < jobs.size() && !context.stopped; index = next++) {
            auto done = import_layer(context, *jobs[index]);
            if (done) {
                context.progress.layers++;
                continue;
            }
            std::lock_guard lock(mutex);
            if (!context.stopped.exchange(true))
                first_error = std::move(done).error().during(fmt::format(
                    "layer {}", jobs[index]->source.digest.empty() ? jobs[index]->diff_id : jobs[index]->source.digest));
        }
    };
    std::vector<std::thread> threads;
    for (size_t count = 1; count < std::min(layers_at_once, jobs.size()); count++)
        threads.emplace_back(work);
    work();
    for (auto& thread : threads)
        thread.join();
    if (first_error)
        return failure(*std::move(first_error));
    return {};
}

class ImageImport {
public:
    ImageImport(const StoreWriter& writer, const ImportRequest& request, ImportProgress& progress, SourceImage source)
        : m_writer(writer), m_request(request), m_progress(progress), m_source(std::move(source))
    {
    }

    Result<ImportedImage> run()
    {
        if (m_source.layers.size() > most_layers)
            return failure(ErrorKind::invalid,
                           fmt::format("the image has {} layers, more than can be stacked", m_source.layers.size()));
        if (!m_source.config.empty())
            TRY_DURING("configuration of the image", read_config());
        auto locks = TRY(m_writer.lock_layers(m_chains));
        Workspace workspace = TRY(m_writer.make_workspace());
        TRY(import_layers(workspace));
        TRY(complete_documents());
        TRY(settle(workspace));
        TRY(publish(workspace));
        return ImportedImage{m_source.name, std::move(m_image), m_new_layers};
    }

private:
    Result<> read_config()
    {
        m_image.config = TRY(parse_config(m_source.config));
        const Platform& platform = m_image.config.platform;
        if (!fits(platform, m_request.platform))
            return failure(Error(ErrorKind::invalid,
                                 fmt::format("the image is for {}, not for {}", platform.text(), m_request.platform.text()))
                               .with_hint("--platform imports one for another machine"));
        if (m_image.config.diff_ids.size() != m_source.layers.size())
            return failure(ErrorKind::invalid, fmt::format("it lists {} layers, but there are {}", m_image.config.diff_ids.size(),
                                                           m_source.layers.size()));
        std::string chain;
        for (const auto& diff_id : m_image.config.diff_ids)
            m_chains.push_back(chain = chain_id(chain, diff_id));
        return {};
    }

    Result<> plan_layer(size_t index, LayerJob& job, std::vector<LayerJob*>& wanted)
    {
        job.source = m_source.layers[index];
        if (index < m_image.config.diff_ids.size())
            job.diff_id = m_image.config.diff_ids[index];
        // The same chain in two layers would be the same place twice; chains grow, so that cannot be.
        bool has_layer = index < m_chains.size() && m_writer.has_layer(m_chains[index]);
        if (has_layer && job.source.digest.empty() && TRY(compression_of_place(job.source.place)) == Compression::none)
            job.source.digest = job.diff_id;
        bool has_blob = !job.source.digest.empty() && m_writer.has_blob(job.source.digest);
        if (has_layer && has_blob) {
            job.layer = {job.source.digest, job.source.media_type, job.source.place.size, job.diff_id, ""};
            m_progress.layers++;
            return {};
        }
        if (!has_layer)
            job.folder = fmt::format("layer{}", index);
        if (!has_blob)
            job.blob = fmt::format("blob{}", index);
        m_progress.all_bytes += job.source.place.size;
        wanted.push_back(&job);
        return {};
    }

    Result<> import_layers(const Workspace& workspace)
    {
        m_jobs.resize(m_source.layers.size());
        m_progress.all_layers += m_jobs.size();
        std::vector<LayerJob*> wanted;
        for (size_t index = 0; index < m_jobs.size(); index++)
            TRY(plan_layer(index, m_jobs[index], wanted));
        UnpackBudget budget;
        budget.limits = m_request.limits;
        std::atomic<bool> stopped = false;
        UnpackOptions options{m_writer.store().attributes(), m_request.allow_devices};
        TRY(run_jobs({workspace.directory(), options, budget, m_progress, stopped}, wanted));
        std::string chain;
        for (auto& job : m_jobs) {
            chain = chain_id(chain, job.layer.diff_id);
            job.layer.chain_id = chain;
            m_image.layers.push_back(job.layer);
            m_new_layers += job.folder.empty() ? 0 : 1;
        }
        return {};
    }

    // What the source did not have: a plain root file system gets a configuration, a `docker save` archive a manifest.
    Result<> complete_documents()
    {
        if (m_source.config.empty()) {
            Json diff_ids = Json::array();
            for (const auto& layer : m_image.layers)
                diff_ids.append(Json::string(layer.diff_id));
            Json root = Json::object();
            root.set("type", Json::string("layers")).set("diff_ids", std::move(diff_ids));
            Json config = Json::object();
            config.set("architecture", Json::string(m_request.platform.architecture))
                .set("os", Json::string(m_request.platform.os))
                .set("config", Json::object())
                .set("rootfs", std::move(root));
            m_source.config = config.to_text();
            m_source.config_type = config_type;
            m_image.config = TRY(parse_config(m_source.config));
        }
        m_image.config_digest = digest_of_text(m_source.config);
        m_image.config_size = m_source.config.size();
        if (m_source.manifest.empty())
            make_manifest();
        m_image.digest = digest_of_text(m_source.manifest);
        m_image.media_type = m_source.manifest_type;
        m_image.manifest_size = m_source.manifest.size();
        m_image.store = m_writer.store().root();
        return {};
    }

    void make_manifest()
    {
        Json layers = Json::array();
        for (const auto& layer : m_image.layers)
            layers.append(descriptor(layer.media_type, layer.digest, layer.size));
        Json manifest = Json::object();
        manifest.set("schemaVersion", Json::number(2))
            .set("mediaType", Json::string(manifest_type))
            .set("config", descriptor(m_source.config_type, m_image.config_digest, m_source.config.size()))
            .set("layers", std::move(layers));
        m_source.manifest = manifest.to_text();
        m_source.manifest_type = manifest_type;
    }

    // Lowest first: a layer can lie on one that has only just got its directories' owners.
    Result<> settle(const Workspace& workspace)
    {
        std::vector<std::string> below;
        for (size_t index = 0; index < m_jobs.size(); index++) {
            LayerJob& job = m_jobs[index];
            if (job.unpacker) {
                LayerStack stack = TRY(LayerStack::open(below, m_writer.store().attributes()));
                TRY_DURING(fmt::format("layer {}", job.layer.digest), job.unpacker->settle(stack));
                job.unpacker.reset();
            }
            std::string folder = job.folder.empty() ? layer_directory(job.layer.chain_id) : workspace.path(job.folder + "/diff");
            below.push_back(join_path(m_writer.store().root(), folder));
        }
        return {};
    }

    Result<> write_document(const Workspace& workspace, const std::string& name, const std::string& text)
    {
        Fd file = TRY(kernel::open_at(workspace.directory(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        return kernel::write_all(file, text);
    }

    Result<> publish(const Workspace& workspace)
    {
        bool is_new = !kernel::exists(m_writer.directory(), image_file(m_image.digest));
        if (is_new) {
            TRY(write_document(workspace, "manifest", m_source.manifest));
            TRY(write_document(workspace, "config", m_source.config));
        }
        // Once for all: what has its name is on disk.
        if (is_new || m_new_layers > 0)
            TRY(m_writer.sync());
        for (const auto& job : m_jobs) {
            if (!job.blob.empty())
                TRY(m_writer.publish_blob(workspace.path(job.blob), job.layer.digest));
            if (!job.folder.empty())
                TRY(m_writer.publish_layer(workspace.path(job.folder), job.layer.chain_id));
        }
        if (is_new) {
            TRY(m_writer.publish_blob(workspace.path("config"), m_image.config_digest));
            TRY(m_writer.publish_blob(workspace.path("manifest"), m_image.digest));
            TRY(m_writer.publish_image(m_image));
        }
        return m_writer.set_name(m_source.name, m_image.digest);
    }

    const StoreWriter& m_writer;
    const ImportRequest& m_request;
    ImportProgress& m_progress;
    SourceImage m_source;
    Image m_image;
    std::vector<std::string> m_chains; // known when there is a configuration
    std::vector<LayerJob> m_jobs;
    size_t m_new_layers = 0;
};

Result<std::vector<ImportedImage>> import_all(const StoreWriter& writer, const ImportRequest& request, ImportProgress& progress)
{
    if (!request.name.empty())
        TRY(check_name(request.name));
    Workspace workspace = TRY(writer.make_workspace());
    auto sources = TRY(open_source(request, workspace));
    if (!request.name.empty() && sources.size() > 1) {
        std::vector<std::string> names;
        for (const auto& source : sources)
            names.push_back(source.name);
        return failure(Error(ErrorKind::invalid,
                             fmt::format("--name {} is for one image, and there are {}", quoted(request.name), sources.size()))
                           .with_hint("choose one with --ref: " + join(names, ", ")));
    }
    std::vector<ImportedImage> imported;
    for (auto& source : sources) {
        if (!request.name.empty())
            source.name = request.name;
        TRY(check_name(source.name));
        std::string name = source.name;
        imported.push_back(
            TRY_DURING("import image " + quoted(name), ImageImport(writer, request, progress, std::move(source)).run()));
    }
    return imported;
}

} // namespace

Result<std::vector<ImportedImage>> import_images(const StoreWriter& writer, const ImportRequest& request,
                                                 ImportProgress& progress)
{
    auto imported = import_all(writer, request, progress);
    if (!imported)
        return failure(with_remedy_for_full_disk(std::move(imported).error()));
    return imported;
}

} // namespace brig::image
