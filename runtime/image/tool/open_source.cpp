#include "image/tool/open_source.hpp"

#include "base/text.hpp"
#include "image/tool/decoder.hpp"
#include "image/tool/layer_import.hpp"
#include "image/tool/tar_writer.hpp"
#include "kernel/files.hpp"

#include <cerrno>

namespace brig::image {

namespace {

Result<std::shared_ptr<Fd>> temporary_file(const Workspace& workspace)
{
    return std::make_shared<Fd>(TRY(kernel::open_at(workspace.directory(), ".", O_TMPFILE | O_RDWR, 0600)));
}

Result<> copy_limited(ByteSource& source, FdRef file, const UnpackLimits& limits)
{
    uint64_t count = 0;
    while (true) {
        std::string_view bytes = TRY(source.next());
        if (bytes.empty())
            return {};
        count += bytes.size();
        if (count > limits.bytes)
            return failure(Error(ErrorKind::invalid, fmt::format("it has more than {} bytes", limits.bytes))
                               .with_hint("--max-bytes allows more"));
        TRY(kernel::write_all(file, bytes));
    }
}

Result<FilePlace> whole(std::shared_ptr<const Fd> file)
{
    auto size = static_cast<uint64_t>(TRY(kernel::status_of(*file)).st_size);
    return FilePlace{std::move(file), 0, size};
}

// Its headers only, from beginning to end unless it is clear before.
Result<bool> stream_holds_images(ByteSource& source)
{
    auto archive = TRY(ArchiveReader::open(source));
    ArchiveEntry entry;
    while (TRY(archive->next(entry))) {
        std::string name = clean_path("/" + entry.path);
        if (name == "/oci-layout" || name == "/manifest.json")
            return true;
    }
    return false;
}

SourceRequest source_request(const ImportRequest& request)
{
    return {request.path, request.reference, request.platform, request.log};
}

std::string name_of_file(const ImportRequest& request)
{
    std::string name(base_name(clean_path(request.path)));
    for (std::string_view ending : {".gz", ".zst", ".tgz", ".tar"})
        if (name.size() > ending.size() && name.ends_with(ending))
            name.erase(name.size() - ending.size());
    return name;
}

Result<std::vector<SourceImage>> plain_root(const ImportRequest& request, FilePlace place)
{
    if (!request.reference.empty())
        return failure(Error(ErrorKind::not_found, fmt::format("there is no image {}", quoted(request.reference)))
                           .with_hint("it is a root file system, not an archive of images"));
    SourceImage image;
    image.name = name_of_file(request);
    image.layers.push_back({std::move(place), "", layer_type});
    std::vector<SourceImage> images;
    images.push_back(std::move(image));
    return images;
}

Result<std::vector<SourceImage>> open_folder(const ImportRequest& request, const Workspace& workspace, Fd folder)
{
    FolderFiles files(TRY(kernel::duplicate(folder)));
    if (TRY(holds_images(files)))
        return find_images(files, source_request(request));
    auto file = TRY(temporary_file(workspace));
    TRY_DURING("read the root file system", write_tar(folder, *file));
    return plain_root(request, TRY(whole(std::move(file))));
}

Result<std::vector<SourceImage>> open_archive(const ImportRequest& request, const Workspace& workspace, std::shared_ptr<Fd> file)
{
    FilePlace place = TRY(whole(file));
    if (place.size == 0)
        return failure(ErrorKind::invalid, "it is empty");
    Compression compression = TRY(compression_of_place(place));
    if (compression != Compression::none) {
        FileRange range(*file, 0, place.size);
        auto decoder = TRY(make_decoder(compression, range));
        bool holds = TRY(stream_holds_images(*decoder));
        decoder.reset(); // with what it waits for: a wide window is one at a time
        if (!holds)
            return plain_root(request, std::move(place));
        // Images are found by places in the plain archive.
        FileRange again(*file, 0, place.size);
        auto second = TRY(make_decoder(compression, again));
        auto plain = TRY(temporary_file(workspace));
        TRY(copy_limited(*second, *plain, request.limits));
        file = std::move(plain);
    }
    auto files = TRY(TarFiles::open(file));
    if (TRY(holds_images(*files)))
        return find_images(*files, source_request(request));
    return plain_root(request, TRY(whole(std::move(file))));
}

} // namespace

Result<std::vector<SourceImage>> open_source(const ImportRequest& request, const Workspace& workspace)
{
    if (request.path == "-") {
        auto file = TRY(temporary_file(workspace));
        FileStream standard_input(FdRef(0));
        TRY_DURING("read standard input", copy_limited(standard_input, *file, request.limits));
        return TRY_DURING("standard input", open_archive(request, workspace, std::move(file)));
    }
    auto step = [&] { return one_line(request.path); };
    Fd opened = TRY(kernel::open_at(kernel::working_directory, request.path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    struct stat status = TRY(kernel::status_of(opened));
    if (S_ISDIR(status.st_mode))
        return TRY_DURING(step(), open_folder(request, workspace, std::move(opened)));
    if (S_ISREG(status.st_mode))
        return TRY_DURING(step(), open_archive(request, workspace, std::make_shared<Fd>(std::move(opened))));
    return failure(
        Error(ErrorKind::invalid, fmt::format("{} is neither a file nor a folder", step())).with_hint("- is standard input"));
}

} // namespace brig::image
