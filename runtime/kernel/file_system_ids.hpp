// Whose files a process makes: the file system's view of its user (setfsuid(2)).
//
// Runs in: the supervisor, for moments. A file system of a user namespace takes no files from users that the namespace does not
// know, root included.
#pragma once

#include "base/result.hpp"

#include <sys/types.h>

namespace brig::kernel {

// While it lives, files are made by these ids and with no more rights than theirs. Kind system when the caller may not.
class FileSystemIds {
public:
    static Result<FileSystemIds> become(uid_t uid, gid_t gid);
    FileSystemIds(FileSystemIds&& other) noexcept;
    FileSystemIds& operator=(FileSystemIds&&) = delete;
    ~FileSystemIds();

private:
    FileSystemIds(uid_t uid, gid_t gid) : m_uid(uid), m_gid(gid) {}

    uid_t m_uid; // the former ones
    gid_t m_gid;
    bool m_active = true;
};

} // namespace brig::kernel
