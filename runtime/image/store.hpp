// The store of images, for whoever only reads it: found by name or digest, with what a container needs of it.
//
//   blobs/sha256/HEX   manifests, configurations and layers, as they came
//   layers/HEX/diff    by chain id: the files of one layer, with overlayfs's own whiteouts and opaque directories
//   images/HEX.json    by the manifest's digest: what the image is made of; written last, so what it names is there
//   names/NAME         the digest of the image; NAME has %XX for "/", "%" and a leading dot
//   bundles/HEX        links to the config.json of bundles that stand on layers (`brig image bundle`)
//   bundle/rootfs      an empty folder: the bundle of `brig run --image`
//   tmp/, lock         of writers (image/tool/)
//
// Runs in: any process that may read the store (0700, its owner's). Readers take no lock: every file is complete when its name
// appears, and an image that is removed meanwhile is an error of kind not_found at the mount.
// Errors: kind not_found for an image that does not exist, with a hint; invalid for a damaged store.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "image/config.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace brig::image {

struct Layer {
    std::string digest;     // of the blob, "sha256:..."
    std::string media_type; // as the manifest says
    uint64_t size = 0;      // of the blob, bytes
    std::string diff_id;    // digest of the plain tar
    std::string chain_id;   // of this layer on those below it
};

struct Image {
    std::string digest; // of the manifest
    std::string media_type;
    std::string config_digest;
    uint64_t manifest_size = 0;
    uint64_t config_size = 0;
    Config config;
    std::vector<Layer> layers; // lowest first
    std::string store;         // absolute

    // Absolute paths, lowest first.
    std::vector<std::string> layer_directories() const;
    uint64_t blob_size() const; // bytes, of manifest, configuration and layers
};

struct Name {
    std::string name;
    std::string digest; // of the manifest
};

// Ordinary users' stores mark opaque directories with user.overlay.*, because trusted.* is not theirs to set.
enum class OverlayAttributes { trusted, user };

class Store {
public:
    // `root` is absolute. A store that does not exist is empty. Kind not_supported: made by a newer brig.
    static Result<Store> open(const std::string& root);

    const std::string& root() const { return m_root; }
    OverlayAttributes attributes() const { return m_attributes; }

    // By name ("shell", "docker.io/library/python:3.11"; ":latest" may be left out), by digest or by the first six or more digits of
    // one.
    Result<Image> find(const std::string& reference) const;
    // Sorted by name.
    Result<std::vector<Name>> names() const;
    // Digests of all images, also of those without a name.
    Result<std::vector<std::string>> images() const;
    Result<Image> image(const std::string& digest) const;
    // Text of a blob: a manifest or a configuration.
    Result<std::string> blob(const std::string& digest) const;

private:
    Store(std::string root, OverlayAttributes attributes) : m_root(std::move(root)), m_attributes(attributes) {}
    Result<std::string> digest_of(const std::string& reference) const;

    std::string m_root;
    OverlayAttributes m_attributes;
};

inline constexpr const char* default_store = "/var/lib/brig";

// Names of files and folders below the store.
std::string name_file(std::string_view name);           // "names/..."
std::string image_file(std::string_view digest);        // "images/....json"
std::string blob_file(std::string_view digest);         // "blobs/sha256/..."
std::string layer_directory(std::string_view chain_id); // "layers/.../diff"
inline constexpr const char* empty_bundle = "bundle";   // has an empty rootfs
inline constexpr const char* format_file = "format.json";

// Kind invalid: empty, longer than 255 bytes as a file name, or with bytes that names of images cannot have.
Result<> check_name(std::string_view name);

// The document of images/HEX.json.
Json image_record(const Image& image);

} // namespace brig::image
