#include "image/tool/tar_writer.hpp"

#include "base/text.hpp"
#include "kernel/attributes.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <map>
#include <memory>

namespace brig::image {

namespace {

constexpr int deepest = 512;

struct ArchiveDeleter {
    void operator()(struct archive* archive) const { archive_write_free(archive); }
};
struct EntryDeleter {
    void operator()(struct archive_entry* entry) const { archive_entry_free(entry); }
};

class TarWriter {
public:
    explicit TarWriter(FdRef to) : m_to(to), m_archive(archive_write_new()), m_entry(archive_entry_new()) {}

    Result<> run(FdRef folder)
    {
        archive_write_set_format_pax_restricted(m_archive.get());
        archive_write_set_bytes_per_block(m_archive.get(), size_t{256} << 10);
        archive_write_set_bytes_in_last_block(m_archive.get(), 1);
        TRY(check(archive_write_open_fd(m_archive.get(), m_to.get())));
        TRY(add(folder, ".", TRY(kernel::status_of(folder)), folder));
        TRY(add_folder(folder, ".", 0));
        return check(archive_write_close(m_archive.get()));
    }

private:
    Result<> check(int code)
    {
        if (code == ARCHIVE_OK || code == ARCHIVE_WARN)
            return {};
        const char* words = archive_error_string(m_archive.get());
        return failure(
            Error::system_call(archive_errno(m_archive.get()), fmt::format("write a tar: {}", words ? words : "failed")));
    }

    Result<> add_folder(FdRef folder, const std::string& path, int depth)
    {
        if (depth > deepest)
            return failure(ErrorKind::invalid, fmt::format("{} is more than {} levels deep", quoted(path), deepest));
        auto names = TRY(kernel::list_directory(folder));
        std::ranges::sort(names);
        for (const auto& name : names) {
            struct stat status = TRY(kernel::status_at(folder, name, AT_SYMLINK_NOFOLLOW));
            if (S_ISSOCK(status.st_mode))
                continue;
            std::string inner_path = path + "/" + name;
            Fd opened = TRY(kernel::open_at(folder, name, O_PATH | O_NOFOLLOW));
            TRY(add(opened, inner_path, status, folder));
            if (S_ISDIR(status.st_mode))
                TRY(add_folder(TRY(kernel::open_at(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)), inner_path, depth + 1));
        }
        return {};
    }

    Result<> add(FdRef file, const std::string& path, const struct stat& status, FdRef parent)
    {
        struct archive_entry* entry = m_entry.get();
        archive_entry_clear(entry);
        archive_entry_set_pathname(entry, path.c_str());
        archive_entry_set_mode(entry, status.st_mode);
        archive_entry_set_uid(entry, status.st_uid);
        archive_entry_set_gid(entry, status.st_gid);
        archive_entry_set_mtime(entry, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
        if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
            archive_entry_set_rdev(entry, status.st_rdev);
        if (S_ISLNK(status.st_mode))
            archive_entry_set_symlink(entry, TRY(kernel::read_link(file, "")).c_str());
        bool has_content = S_ISREG(status.st_mode);
        if (!S_ISDIR(status.st_mode) && status.st_nlink > 1) {
            auto [first, is_new] = m_links.try_emplace({status.st_dev, status.st_ino}, path);
            if (!is_new) {
                archive_entry_set_hardlink(entry, first->second.c_str());
                has_content = false;
            }
        }
        archive_entry_set_size(entry, has_content ? status.st_size : 0);
        for (const auto& name : TRY(kernel::attribute_names(file)))
            if (name != "security.selinux" && !name.starts_with("trusted.overlay."))
                if (auto value = TRY(kernel::attribute(file, name)))
                    archive_entry_xattr_add_entry(entry, name.c_str(), value->data(), value->size());
        TRY_DURING(quoted(path), check(archive_write_header(m_archive.get(), entry)));
        if (has_content)
            TRY_DURING(quoted(path), add_content(parent, std::string(base_name(path)), status));
        return check(archive_write_finish_entry(m_archive.get()));
    }

    Result<> add_content(FdRef parent, const std::string& name, const struct stat& status)
    {
        Fd file = TRY(kernel::open_at(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        uint64_t offset = 0;
        auto left = static_cast<uint64_t>(status.st_size);
        while (left > 0) {
            size_t count = TRY(kernel::read_at(file, offset, m_buffer.data(), std::min<uint64_t>(left, m_buffer.size())));
            if (count == 0)
                return failure(ErrorKind::system, "it became shorter while it was read");
            if (archive_write_data(m_archive.get(), m_buffer.data(), count) < 0)
                TRY(check(ARCHIVE_FATAL));
            offset += count;
            left -= count;
        }
        return {};
    }

    FdRef m_to;
    std::unique_ptr<struct archive, ArchiveDeleter> m_archive;
    std::unique_ptr<struct archive_entry, EntryDeleter> m_entry;
    std::map<std::pair<dev_t, ino_t>, std::string> m_links;
    std::string m_buffer = std::string(size_t{256} << 10, '\0');
};

} // namespace

Result<> write_tar(FdRef folder, FdRef to)
{
    return TarWriter(to).run(folder);
}

} // namespace brig::image
