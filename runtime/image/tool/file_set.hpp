// The files of an archive or a folder that holds images, by name: an OCI layout, or what `docker save` writes.
//
// Errors: kind system for the host's files; invalid for an archive that cannot be read.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace brig::image {

// Where a file's bytes are.
struct FilePlace {
    std::shared_ptr<const Fd> file;
    uint64_t offset = 0;
    uint64_t size = 0;
};

class FileSet {
public:
    FileSet() = default;
    FileSet(const FileSet&) = delete;
    FileSet& operator=(const FileSet&) = delete;
    virtual ~FileSet() = default;

    // nullopt: there is none of that name.
    virtual Result<std::optional<FilePlace>> find(const std::string& name) const = 0;

    // Kind not_found; invalid when it is larger than `limit`.
    Result<std::string> read(const std::string& name, size_t limit) const;
    Result<FilePlace> get(const std::string& name) const;
};

Result<std::string> read_place(const FilePlace& place, size_t limit);

// A folder of the host; links in it are not followed.
class FolderFiles : public FileSet {
public:
    explicit FolderFiles(Fd folder) : m_folder(std::move(folder)) {}
    Result<std::optional<FilePlace>> find(const std::string& name) const override;

private:
    Fd m_folder;
};

// A plain tar. Links in it, with which `docker save` says that a layer is there twice, lead to other entries.
class TarFiles : public FileSet {
public:
    static Result<std::unique_ptr<TarFiles>> open(std::shared_ptr<const Fd> file);
    Result<std::optional<FilePlace>> find(const std::string& name) const override;

private:
    explicit TarFiles(std::shared_ptr<const Fd> file) : m_file(std::move(file)) {}
    Result<> read_index();

    struct Range {
        uint64_t offset = 0;
        uint64_t size = 0;
    };
    std::shared_ptr<const Fd> m_file;
    std::map<std::string, Range> m_ranges;
    std::map<std::string, std::string> m_links; // cleaned, from the archive's root
};

} // namespace brig::image
