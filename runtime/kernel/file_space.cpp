#include "kernel/file_space.hpp"

#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <fcntl.h>
#include <sys/vfs.h>

namespace brig::kernel {

Result<Space> space_of(FdRef fd)
{
    struct statfs status = {};
    if (::fstatfs(fd.get(), &status) < 0)
        return BRIG_CALL_FAILED("fstatfs {}", path_of(fd));
    auto block = static_cast<uint64_t>(status.f_bsize);
    return Space{status.f_blocks * block, status.f_bfree * block, status.f_files, status.f_ffree};
}

Result<bool> try_lock_byte(FdRef fd, off_t position)
{
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = position;
    lock.l_len = 1;
    if (::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0)
        return true;
    if (errno == EAGAIN || errno == EACCES)
        return false;
    return BRIG_CALL_FAILED("lock byte {} of {}", position, path_of(fd));
}

} // namespace brig::kernel
