#include "image/tool/layer_import.hpp"

#include "base/text.hpp"
#include "image/tool/decoder.hpp"
#include "image/tool/sha256.hpp"
#include "kernel/files.hpp"

namespace brig::image {

namespace {

// What comes out of the source's file; who looks at the progress sees it.
class CountedSource : public ByteSource {
public:
    CountedSource(ByteSource& inner, ImportProgress& progress) : m_inner(inner), m_progress(progress) {}
    Result<std::string_view> next() override
    {
        std::string_view bytes = TRY(m_inner.next());
        m_count += bytes.size();
        m_progress.bytes += bytes.size();
        return bytes;
    }
    uint64_t count() const { return m_count; }

private:
    ByteSource& m_inner;
    ImportProgress& m_progress;
    std::atomic<uint64_t> m_count = 0;
};

class LimitedSource : public ByteSource {
public:
    LimitedSource(ByteSource& inner, const CountedSource& compressed, const LayerContext& context)
        : m_inner(inner), m_compressed(compressed), m_context(context)
    {
    }
    Result<std::string_view> next() override
    {
        if (m_context.stopped)
            return failure(ErrorKind::internal, "another layer failed");
        std::string_view bytes = TRY(m_inner.next());
        m_count += bytes.size();
        UnpackBudget& budget = m_context.budget;
        if (budget.bytes.fetch_add(bytes.size()) + bytes.size() > budget.limits.bytes)
            return failure(Error(ErrorKind::invalid, fmt::format("the image has more than {} bytes", budget.limits.bytes))
                               .with_hint("--max-bytes allows more"));
        constexpr uint64_t counted_from = uint64_t{64} << 20;
        if (m_count > counted_from && m_count / budget.limits.ratio > m_compressed.count())
            return failure(
                Error(ErrorKind::invalid, fmt::format("it decompresses to more than {} times its size", budget.limits.ratio))
                    .with_hint("--max-ratio allows more"));
        return bytes;
    }

private:
    ByteSource& m_inner;
    const CountedSource& m_compressed;
    const LayerContext& m_context;
    uint64_t m_count = 0;
};

Result<> check_digest(std::string_view what, const std::string& wanted, const std::string& found)
{
    if (wanted.empty() || wanted == found)
        return {};
    return failure(Error(ErrorKind::invalid, fmt::format("its {} is {}, but should be {}", what, found, wanted))
                       .with_hint("the archive is damaged or was changed; get it again"));
}

Result<> unpack_to(const LayerContext& context, LayerJob& job, ByteSource& plain)
{
    TRY(kernel::make_directory(context.workspace, job.folder, 0700));
    TRY(kernel::make_directory(context.workspace, job.folder + "/diff", 0755));
    job.root = TRY(kernel::open_at(context.workspace, job.folder + "/diff", O_RDONLY | O_DIRECTORY));
    // The image's own root entry changes it; one without has the commonest.
    TRY(kernel::change_mode(job.root, 0755));
    auto archive = TRY(ArchiveReader::open(plain));
    job.unpacker = std::make_unique<Unpacker>(job.root, context.options, context.budget);
    TRY(job.unpacker->unpack(*archive));
    // Behind the archive's end is padding, which belongs to the digest.
    return drain(plain);
}

} // namespace

Result<Compression> compression_of_place(const FilePlace& place)
{
    char beginning[8];
    size_t count = 0;
    if (place.size > 0)
        count = TRY(kernel::read_at(*place.file, place.offset, beginning, std::min<uint64_t>(sizeof beginning, place.size)));
    return compression_of({beginning, count});
}

namespace {

std::string media_type_of(const std::string& given, Compression compression)
{
    if (contains(given, "+") || contains(given, "docker"))
        return given;
    switch (compression) {
    case Compression::gzip: return std::string(layer_type) + "+gzip";
    case Compression::zstd: return std::string(layer_type) + "+zstd";
    case Compression::none:
    case Compression::other: break;
    }
    return layer_type;
}

} // namespace

Result<> import_layer(const LayerContext& context, LayerJob& job)
{
    Compression compression = TRY(compression_of_place(job.source.place));
    FileRange range(*job.source.place.file, job.source.place.offset, job.source.place.size);
    CountedSource counted(range, context.progress);
    HashingSource raw(counted);
    Fd blob;
    if (!job.blob.empty())
        blob = TRY(kernel::open_at(context.workspace, job.blob, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    Tee copied(raw, blob);
    ByteSource& source = blob.valid() ? static_cast<ByteSource&>(copied) : raw;

    std::string diff_id = job.diff_id;
    if (job.folder.empty()) {
        TRY(drain(source));
    } else if (compression == Compression::none) {
        LimitedSource limited(source, counted, context);
        ThreadedSource ahead(limited);
        TRY(unpack_to(context, job, ahead));
    } else {
        ThreadedSource read_ahead(source);
        auto decoder = TRY(make_decoder(compression, read_ahead));
        HashingSource plain(*decoder);
        LimitedSource limited(plain, counted, context);
        ThreadedSource decoded_ahead(limited);
        TRY(unpack_to(context, job, decoded_ahead));
        // What follows the compressed stream belongs to the blob.
        TRY(drain(read_ahead));
        diff_id = plain.hash().digest();
    }
    std::string digest = raw.hash().digest();
    if (compression == Compression::none)
        diff_id = digest;
    TRY(check_digest("digest", job.source.digest, digest));
    TRY(check_digest("digest of the plain tar", job.diff_id, diff_id));
    job.layer.digest = digest;
    job.layer.diff_id = diff_id;
    job.layer.size = job.source.place.size;
    job.layer.media_type = media_type_of(job.source.media_type, compression);
    return {};
}

} // namespace brig::image
