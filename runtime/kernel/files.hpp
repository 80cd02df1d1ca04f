// File system calls as values. Every new descriptor is O_CLOEXEC and owned; EINTR is retried here and nowhere else.
//
// Runs in: any process. Paths are relative to `directory` (FdRef(AT_FDCWD) for the working directory). Errors: kind
// system with errno, the call and its arguments. No call here follows links of a container's making by itself: paths
// inside a root file system go through path_in_root.hpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/types.h>
#include <vector>

namespace brig::kernel {

inline const FdRef working_directory{AT_FDCWD};

Result<Fd> open_at(FdRef directory, const std::string& path, int flags, mode_t mode = 0);
// resolve: RESOLVE_* of linux/openat2.h. EAGAIN (a rename raced with RESOLVE_IN_ROOT) is retried a bounded number of times.
Result<Fd> open_at2(FdRef directory, const std::string& path, uint64_t flags, uint64_t mode, uint64_t resolve);
Result<Fd> duplicate(FdRef fd);
Result<Fd> memory_file(const std::string& name, unsigned flags);
// Sealable, and executable where vm.memfd_noexec would make it not so.
Result<Fd> executable_memory_file(const std::string& name);
Result<int> file_seals(FdRef fd); // F_SEAL_*; other files than memory files give EINVAL
Result<> seal_file(FdRef fd, int seals);
Result<> copy_file(FdRef from, FdRef to); // whole content, from the start

// Reads to the end; more than `limit` bytes is an error of kind invalid.
Result<std::string> read_all(FdRef fd, size_t limit);
Result<std::string> read_file(FdRef directory, const std::string& path, size_t limit);
// One read(2); empty at the end of the file.
Result<std::string> read_some(FdRef fd, size_t size);
// One pread(2); 0 at the end of the file.
Result<size_t> read_at(FdRef fd, uint64_t offset, char* buffer, size_t size);
Result<> write_all(FdRef fd, std::string_view data);
Result<> write_all_at(FdRef fd, uint64_t offset, std::string_view data);
// For procfs, sysfs and cgroup files: open, ONE write(2), close. A short write is an error.
Result<> write_control_file(FdRef directory, const std::string& path, std::string_view data);
// A new file beside, fsync when durable, renamed over `name`: readers see the old or the new text, never half.
Result<> replace_file(FdRef directory, const std::string& name, std::string_view data, mode_t mode);

Result<> make_directory(FdRef directory, const std::string& path, mode_t mode);
// All missing parents; existing directories are fine. Follows links: for the host's own paths only.
Result<> make_directories(const std::string& path, mode_t mode);
Result<> make_node(FdRef directory, const std::string& path, mode_t mode, dev_t device);
Result<> make_link(const std::string& target, FdRef directory, const std::string& path);
Result<std::string> read_link(FdRef directory, const std::string& path);
Result<> remove_file(FdRef directory, const std::string& path);
Result<> remove_directory(FdRef directory, const std::string& path);
// Everything below and the directory itself; never leaves the file system tree through links. Missing is fine.
Result<> remove_tree(FdRef directory, const std::string& path);
Result<> rename(FdRef from_directory, const std::string& from, FdRef to_directory, const std::string& to, unsigned flags = 0);
// Names without "." and "..", unsorted.
Result<std::vector<std::string>> list_directory(FdRef directory);

Result<struct stat> status_of(FdRef fd);
Result<struct stat> status_at(FdRef directory, const std::string& path, int flags);
// f_type of statfs(2), e.g. PROC_SUPER_MAGIC.
Result<int64_t> file_system_type(FdRef fd);
bool exists(FdRef directory, const std::string& path);
bool may_execute(const std::string& path);             // for the effective ids
Result<> change_owner(FdRef fd, uid_t uid, gid_t gid); // works on O_PATH descriptors; -1 keeps
Result<> change_mode(FdRef fd, mode_t mode);           // not for O_PATH descriptors
bool can_seek(FdRef fd);                               // false for pipes, sockets and terminals
Result<> truncate(FdRef fd, off_t size);

// "/proc/self/fd/N", for the few calls that take only paths.
std::string descriptor_path(FdRef fd);
// What the descriptor points at, for messages only.
std::string path_of(FdRef fd);

Result<> sync_file(FdRef fd);        // its data and what is needed to find them
Result<> sync_file_system(FdRef fd); // all of the file system that it is on

Result<> lock_exclusive(FdRef fd); // flock, waits
Result<> lock_shared(FdRef fd);
Result<bool> try_lock_exclusive(FdRef fd);
Result<bool> try_lock_shared(FdRef fd);
Result<> set_close_on_exec(FdRef fd, bool on);

} // namespace brig::kernel
