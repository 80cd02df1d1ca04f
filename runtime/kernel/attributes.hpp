// Extended attributes, times and links of files: what an unpacked layer has besides content, mode and owner.
//
// Runs in: any process. Descriptors may be O_PATH ones and refer to links: they go through /proc/self/fd. Errors: kind system.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brig::kernel {

// Unsorted; empty where the file system has none.
Result<std::vector<std::string>> attribute_names(FdRef file);
// nullopt: it has no such attribute, or the file system has none at all.
Result<std::optional<std::string>> attribute(FdRef file, const std::string& name);
Result<> set_attribute(FdRef file, const std::string& name, std::string_view value);

// Modification time of an entry, a link itself; the access time becomes the same.
Result<> set_times_at(FdRef directory, const std::string& name, const struct timespec& modified);
Result<> set_times(FdRef file, const struct timespec& modified); // not for O_PATH

// linkat: another name for the same file; a link as `from` is itself what gets the name.
Result<> make_hard_link(FdRef from_directory, const std::string& from, FdRef to_directory, const std::string& to);

Result<> change_mode_at(FdRef directory, const std::string& name, mode_t mode); // follows links: not for entries that are one
Result<> change_owner_at(FdRef directory, const std::string& name, uid_t uid, gid_t gid); // of a link itself

} // namespace brig::kernel
