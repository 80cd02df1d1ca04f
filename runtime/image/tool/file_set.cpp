#include "image/tool/file_set.hpp"

#include "base/text.hpp"
#include "image/tool/archive.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/openat2.h>

namespace brig::image {

// ---- any -----------------------------------------------------------------------------------------------------------------

Result<FilePlace> FileSet::get(const std::string& name) const
{
    auto place = TRY(find(name));
    if (!place)
        return failure(ErrorKind::not_found, fmt::format("{} is missing", quoted(name)));
    return *std::move(place);
}

Result<std::string> FileSet::read(const std::string& name, size_t limit) const
{
    return TRY_DURING(quoted(name), read_place(TRY(get(name)), limit));
}

Result<std::string> read_place(const FilePlace& place, size_t limit)
{
    if (place.size > limit)
        return failure(ErrorKind::invalid,
                       fmt::format("it has {} bytes, which is more than the {} that it can have", place.size, limit));
    FileRange range(*place.file, place.offset, place.size);
    std::string text;
    while (true) {
        std::string_view bytes = TRY(range.next());
        if (bytes.empty())
            return text;
        text += bytes;
    }
}

// ---- a folder ------------------------------------------------------------------------------------------------------------

Result<std::optional<FilePlace>> FolderFiles::find(const std::string& name) const
{
    auto opened = kernel::open_at2(m_folder, name, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0,
                                   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    if (!opened && (opened.error().code() == ENOENT || opened.error().code() == ENOTDIR))
        return std::optional<FilePlace>();
    auto file = std::make_shared<Fd>(TRY(std::move(opened)));
    struct stat status = TRY(kernel::status_of(*file));
    if (!S_ISREG(status.st_mode))
        return failure(ErrorKind::invalid, fmt::format("{} is no regular file", quoted(name)));
    return FilePlace{std::move(file), 0, static_cast<uint64_t>(status.st_size)};
}

// ---- an archive ----------------------------------------------------------------------------------------------------------

namespace {

// An archive of images has a few entries a layer.
constexpr size_t most_entries = 100'000;

// Lets the reader skip what it does not look at.
class SeekableFile : public ByteSource {
public:
    SeekableFile(FdRef file, uint64_t size) : m_file(file), m_size(size) {}
    Result<std::string_view> next() override
    {
        size_t wanted = static_cast<size_t>(std::min<uint64_t>(m_size - m_offset, m_buffer.size()));
        size_t count = wanted == 0 ? 0 : TRY(kernel::read_at(m_file, m_offset, m_buffer.data(), wanted));
        m_offset += count;
        return std::string_view(m_buffer.data(), count);
    }
    int64_t skip(int64_t wanted) override
    {
        auto count = std::min<uint64_t>(static_cast<uint64_t>(wanted), m_size - m_offset);
        m_offset += count;
        return static_cast<int64_t>(count);
    }

private:
    FdRef m_file;
    uint64_t m_size;
    uint64_t m_offset = 0;
    std::string m_buffer = std::string(size_t{16} << 10, '\0');
};

// "./a/../b" as "b"; names that leave the archive are names of nothing.
std::string entry_name(std::string_view path)
{
    return clean_path("/" + std::string(path)).substr(1);
}

} // namespace

Result<std::unique_ptr<TarFiles>> TarFiles::open(std::shared_ptr<const Fd> file)
{
    std::unique_ptr<TarFiles> files(new TarFiles(std::move(file)));
    TRY(files->read_index());
    return files;
}

Result<> TarFiles::read_index()
{
    auto size = static_cast<uint64_t>(TRY(kernel::status_of(*m_file)).st_size);
    SeekableFile source(*m_file, size);
    auto archive = TRY(ArchiveReader::open(source));
    ArchiveEntry entry;
    for (size_t count = 0; TRY(archive->next(entry)); count++) {
        if (count >= most_entries)
            return {}; // a root file system; whoever looks for an image's files sees soon that there are none
        std::string name = entry_name(entry.path);
        if (!entry.hard_link.empty()) {
            m_links[name] = entry_name(entry.hard_link);
        } else if (S_ISLNK(entry.mode)) {
            m_links[name] = entry_name(std::string(parent_path("/" + name)) + "/" + entry.link);
        } else if (S_ISREG(entry.mode)) {
            Range range{archive->content_offset(), entry.size};
            if (range.offset > size || range.size > size - range.offset)
                return failure(ErrorKind::invalid, fmt::format("the archive ends within {}", quoted(name)));
            m_ranges[name] = range;
        }
    }
    return {};
}

Result<std::optional<FilePlace>> TarFiles::find(const std::string& name) const
{
    constexpr int most_links = 40;
    std::string at = entry_name(name);
    for (int count = 0; count < most_links; count++) {
        if (auto range = m_ranges.find(at); range != m_ranges.end())
            return FilePlace{m_file, range->second.offset, range->second.size};
        auto link = m_links.find(at);
        if (link == m_links.end())
            return std::optional<FilePlace>();
        at = link->second;
    }
    return failure(ErrorKind::invalid, fmt::format("{} is a loop of links", quoted(name)));
}

} // namespace brig::image
