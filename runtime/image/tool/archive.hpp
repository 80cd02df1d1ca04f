// Entries of a tar stream, as libarchive reads them: ustar, PAX, GNU long names and sparse files. Nothing is decided here about
// where an entry goes; names are bytes, whatever they are in, but for a NUL, which is refused.
//
// Errors: kind invalid, with libarchive's words; what the stream says comes through unchanged.
#pragma once

#include "image/tool/bytes.hpp"
#include "image/tool/pax_names.hpp"

#include <ctime>
#include <functional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

struct archive;
struct archive_entry;

namespace brig::image {

struct ArchiveEntry {
    std::string path;
    mode_t mode = 0;       // type and permissions
    std::string link;      // target of a symbolic link
    std::string hard_link; // the other name; the entry is nothing else then
    uint64_t uid = 0;
    uint64_t gid = 0;
    uint64_t size = 0; // apparent
    dev_t device = 0;
    struct timespec modified = {};
    std::vector<std::pair<std::string, std::string>> attributes; // extended; POSIX ACLs as the kernel keeps them
};

class ArchiveReader {
public:
    // `source` must live longer. The end of the archive is not the end of the source: drain it to see the rest.
    static Result<std::unique_ptr<ArchiveReader>> open(ByteSource& source);
    ArchiveReader(const ArchiveReader&) = delete;
    ArchiveReader& operator=(const ArchiveReader&) = delete;
    ~ArchiveReader();

    // False at the end of the archive.
    Result<bool> next(ArchiveEntry& entry);
    // Content of the last entry: pieces with their places in the file; what is between them are holes.
    using Write = std::function<Result<>(uint64_t offset, std::string_view bytes)>;
    Result<> read_content(const Write& write);
    // Bytes of the source before the content of the last entry.
    uint64_t content_offset() const;

private:
    explicit ArchiveReader(ByteSource& source) : m_source(source) {}
    Error error(std::string_view what);
    static ssize_t on_read(struct archive* archive, void* self, const void** buffer);

    static int64_t on_skip(struct archive* archive, void* self, int64_t wanted);

    ByteSource& m_source;
    PaxNames m_names;
    struct archive* m_archive = nullptr;
    struct archive_entry* m_entry = nullptr;
    std::optional<Error> m_source_error;
};

} // namespace brig::image
