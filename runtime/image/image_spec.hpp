// From an image to a config.json: the overlay that is the container's root, the process, or the whole document.
//
// Layer: image. Nothing is mounted here. The overlay is the first mount of config.json with the destination "/" (the form that
// crun takes, too): it is made in the container's own mount namespace and ends with it, so that nothing is left on the host
// whatever happens to brig (docs/root-file-system.md, "A root of its own").
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "image/store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace brig::image {

// Where a container's changes go.
struct Upper {
    enum class Kind {
        none,      // nowhere: every change is refused
        tmpfs,     // into memory that is the container's; gone when it ends
        directory, // upper_directory and work_directory, which must be empty folders of one file system
    };
    Kind kind = Kind::tmpfs;
    std::string tmpfs_size = "1g"; // as tmpfs's size=
    std::string upper_directory;   // absolute
    std::string work_directory;
};

// {"destination": "/", "type": "overlay", ...}. Kind invalid: a path that cannot stand in an overlay's options.
Result<Json> overlay_root(const Image& image, OverlayAttributes attributes, const Upper& upper);
// The same over folders that are no image's, lowest first.
Result<Json> overlay_root(const std::vector<std::string>& directories, OverlayAttributes attributes, const Upper& upper);

struct ProcessRequest {
    std::vector<std::string> args;         // instead of Cmd; Entrypoint stays in front
    std::optional<std::string> entrypoint; // instead of Entrypoint; Cmd does not count then
    std::vector<std::string> env;          // after the image's; the last one of a name counts
    std::optional<std::string> user;       // instead of User
    std::optional<std::string> cwd;        // instead of WorkingDir
    bool terminal = false;
};

// Changes args, env, user, cwd and terminal of a process object of config.json. Kind invalid: no program, an unknown user.
Result<> apply_to_process(Json& process, const Image& image, OverlayAttributes attributes, const ProcessRequest& request);

// Of a container: the digest of its image's manifest.
inline constexpr const char* digest_annotation = "brig.image.digest";

struct SpecRequest {
    ProcessRequest process;
    Upper upper;
    bool overlay = true;    // false: the bundle has the files in "rootfs", no overlay is mounted
    bool read_only = false; // the root; mount points are still made in the upper
    bool rootless = false;  // for an ordinary user
};

// spec::default_spec with the image's process, root, volumes (a tmpfs each) and annotations (org.opencontainers.image.*, as
// the specification's conversion.md wants them).
Result<Json> make_spec(const Image& image, OverlayAttributes attributes, const SpecRequest& request);

// Absolute: the bundle for a config.json of make_spec that has no bundle of its own.
std::string bundle_of_store(const Store& store);

} // namespace brig::image
