#include "kernel/file_system_ids.hpp"

#include "base/text.hpp"

#include <cerrno>
#include <sys/fsuid.h>
#include <utility>

namespace brig::kernel {

FileSystemIds::FileSystemIds(FileSystemIds&& other) noexcept
    : m_uid(other.m_uid), m_gid(other.m_gid), m_active(std::exchange(other.m_active, false))
{
}

FileSystemIds::~FileSystemIds()
{
    if (!m_active)
        return;
    (void)::setfsuid(m_uid);
    (void)::setfsgid(m_gid);
}

Result<FileSystemIds> FileSystemIds::become(uid_t uid, gid_t gid)
{
    constexpr auto ask = static_cast<uid_t>(-1); // changes nothing; the calls tell the present id and no error
    auto former_gid = static_cast<gid_t>(::setfsgid(gid));
    auto former_uid = static_cast<uid_t>(::setfsuid(uid));
    FileSystemIds ids(former_uid, former_gid);
    if (static_cast<uid_t>(::setfsuid(ask)) != uid || static_cast<gid_t>(::setfsgid(ask)) != gid)
        return failure(Error::system_call(EPERM, fmt::format("setfsuid {} and setfsgid {}", uid, gid)));
    return ids;
}

} // namespace brig::kernel
