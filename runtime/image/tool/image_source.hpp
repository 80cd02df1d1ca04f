// What an import begins with: an OCI layout or a `docker save` archive (as folder or tar, compressed or not), or a plain root file
// system. All become the same: a manifest, a configuration and layers, each with the place of its bytes.
//
// Every document is checked against the digest and the size by which it was named. Implements the OCI image specification 1.1:
// image-layout.md, image-index.md, manifest.md; Docker's media types; and docker-archive's manifest.json.
// Errors: kind invalid, naming the file; not_found for a --ref that is not there.
#pragma once

#include "base/log.hpp"
#include "image/config.hpp"
#include "image/tool/file_set.hpp"

#include <string>
#include <vector>

namespace brig::image {

inline constexpr const char* manifest_type = "application/vnd.oci.image.manifest.v1+json";
inline constexpr const char* index_type = "application/vnd.oci.image.index.v1+json";
inline constexpr const char* config_type = "application/vnd.oci.image.config.v1+json";
inline constexpr const char* layer_type = "application/vnd.oci.image.layer.v1.tar";
inline constexpr size_t largest_document = size_t{4} << 20; // as the specification advises

struct SourceLayer {
    FilePlace place;
    std::string digest; // empty: only its plain tar's digest is known, from the configuration
    std::string media_type;
};

struct SourceImage {
    std::string name;          // empty: the source knows none
    std::string manifest;      // text; empty: to be made
    std::string manifest_type; // media type
    std::string config;        // text; empty: to be made (a plain root file system)
    std::string config_type;
    std::vector<SourceLayer> layers; // lowest first
};

struct SourceRequest {
    std::string path;      // for names
    std::string reference; // --ref: which one of several; empty: all
    Platform platform;     // which one of an index
    Log log;               // says what was chosen
};

// False: it is neither a layout nor an archive of `docker save`.
Result<bool> holds_images(const FileSet& files);
Result<std::vector<SourceImage>> find_images(const FileSet& files, const SourceRequest& request);

} // namespace brig::image
