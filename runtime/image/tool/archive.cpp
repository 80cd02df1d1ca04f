#include "image/tool/archive.hpp"

#include "base/text.hpp"
#include "image/tool/posix_acl.hpp"

#include <archive.h>
#include <archive_entry.h>

namespace brig::image {

namespace {

std::string text_or_empty(const char* text)
{
    return text ? text : "";
}

void take_attributes(struct archive_entry* from, ArchiveEntry& entry)
{
    const char* name = nullptr;
    const void* value = nullptr;
    size_t size = 0;
    archive_entry_xattr_reset(from);
    while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK)
        entry.attributes.emplace_back(name, std::string(static_cast<const char*>(value), size));
    add_posix_acls(from, entry);
}

} // namespace

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::open(ByteSource& source)
{
    std::unique_ptr<ArchiveReader> reader(new ArchiveReader(source));
    reader->m_archive = archive_read_new();
    if (!reader->m_archive)
        return failure(ErrorKind::internal, "no memory for an archive reader");
    archive_read_support_format_tar(reader->m_archive);
    archive_read_support_format_empty(reader->m_archive);
    if (archive_read_open2(reader->m_archive, reader.get(), nullptr, on_read, on_skip, nullptr) != ARCHIVE_OK)
        return failure(reader->error("not a tar archive"));
    return reader;
}

ArchiveReader::~ArchiveReader()
{
    if (m_archive)
        archive_read_free(m_archive);
}

ssize_t ArchiveReader::on_read(struct archive* archive, void* self, const void** buffer)
{
    auto* reader = static_cast<ArchiveReader*>(self);
    auto bytes = reader->m_source.next();
    auto fine = bytes ? reader->m_names.take(*bytes) : Result<>(failure(bytes.error()));
    if (!fine) {
        reader->m_source_error = std::move(fine).error();
        archive_set_error(archive, EIO, "the source failed");
        return ARCHIVE_FATAL;
    }
    *buffer = bytes->data();
    return static_cast<ssize_t>(bytes->size());
}

int64_t ArchiveReader::on_skip(struct archive*, void* self, int64_t wanted)
{
    auto* reader = static_cast<ArchiveReader*>(self);
    int64_t skipped = reader->m_source.skip(wanted);
    reader->m_names.skip(static_cast<uint64_t>(skipped));
    return skipped;
}

Error ArchiveReader::error(std::string_view what)
{
    if (m_source_error)
        return std::move(*std::exchange(m_source_error, std::nullopt));
    return Error(ErrorKind::invalid, fmt::format("{}: {}", what, one_line(text_or_empty(archive_error_string(m_archive)))));
}

Result<bool> ArchiveReader::next(ArchiveEntry& entry)
{
    int code = archive_read_next_header(m_archive, &m_entry);
    if (code == ARCHIVE_EOF)
        return false;
    // A warning is a name that is not UTF-8 where PAX wants it, or a header that was passed over: the first is harmless, and for
    // the second the archive is not what its maker meant.
    if (code != ARCHIVE_OK && !(code == ARCHIVE_WARN && archive_entry_pathname(m_entry)))
        return failure(error("not a tar archive, or a damaged one"));
    entry = {};
    entry.path = text_or_empty(archive_entry_pathname(m_entry));
    entry.mode = archive_entry_mode(m_entry);
    entry.hard_link = text_or_empty(archive_entry_hardlink(m_entry));
    if (entry.hard_link.empty())
        entry.link = text_or_empty(archive_entry_symlink(m_entry));
    entry.uid = static_cast<uint64_t>(archive_entry_uid(m_entry));
    entry.gid = static_cast<uint64_t>(archive_entry_gid(m_entry));
    entry.size = static_cast<uint64_t>(archive_entry_size(m_entry));
    entry.device = archive_entry_rdev(m_entry);
    entry.modified = {archive_entry_mtime(m_entry), archive_entry_mtime_nsec(m_entry)};
    take_attributes(m_entry, entry);
    return true;
}

Result<> ArchiveReader::read_content(const Write& write)
{
    while (true) {
        const void* data = nullptr;
        size_t size = 0;
        la_int64_t offset = 0;
        int code = archive_read_data_block(m_archive, &data, &size, &offset);
        if (code == ARCHIVE_EOF)
            return {};
        if (code != ARCHIVE_OK)
            return failure(error("the tar archive is damaged"));
        if (size > 0)
            TRY(write(static_cast<uint64_t>(offset), {static_cast<const char*>(data), size}));
    }
}

uint64_t ArchiveReader::content_offset() const
{
    return static_cast<uint64_t>(archive_filter_bytes(m_archive, 0));
}

} // namespace brig::image
