// Private to checkpoint and restore: the folders of a checkpoint, what is written there beside CRIU's images, and the options
// that both directions share.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "container/checkpoint.hpp"
#include "container/criu_message.hpp"
#include "container/external_mounts.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace brig::container {

struct CheckpointFolders {
    Fd images;
    Fd work; // invalid: the same as images

    FdRef log_directory() const { return work.valid() ? work : images; }
};

// For a dump both are made (0700: memory holds secrets); for a restore the images must be there.
Result<CheckpointFolders> make_checkpoint_folders(const CriuSettings& settings);
Result<CheckpointFolders> open_checkpoint_folders(const CriuSettings& settings);

CriuOptions common_options(const CriuSettings& settings, const CheckpointFolders& folders, const std::string& log_name);

// Network and pid namespaces of others are left alone by CRIU; it joins those of other types itself.
bool stays_external(spec::NamespaceType type);
std::string key_of_namespace(spec::NamespaceType type); // "extRootNetNS", as runc calls it

// How CRIU calls what 0, 1 and 2 of the process are: "pipe:[1234]", "file[mount:inode]" for a file outside of the container's
// mounts, or the path inside.
Result<std::vector<std::string>> standard_stream_names(pid_t pid);

Result<> write_stream_names(FdRef images, const std::vector<std::string>& names);
Result<std::vector<std::string>> read_stream_names(FdRef images);
// The external mounts by name; those that config.json does not have, with their sources. Images of other runtimes have no
// such file: empty.
struct SavedMounts {
    std::vector<std::string> names;
    std::vector<ExternalMount> added;
    std::vector<MountFlags> flags; // of all mounts
};
Result<> write_saved_mounts(FdRef images, const SavedMounts& mounts);
Result<SavedMounts> read_saved_mounts(FdRef images);

// What each file of a finished checkpoint holds, in bytes: CRIU 4.2 reads a file of pages that is cut short forever.
Result<> write_image_sizes(FdRef images);
// Kind invalid, naming the file. Images of other runtimes have no list: fine.
Result<> check_image_sizes(FdRef images);

} // namespace brig::container
