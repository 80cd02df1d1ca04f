// From an archive to an image in the store.
//
// Layers are read, hashed, decompressed and unpacked at the same time, two at once; a layer that the store has is not looked at.
// Errors: kind invalid for an archive that is refused, naming layer and entry; nothing of it is in the store then.
#pragma once

#include "base/log.hpp"
#include "image/tool/image_source.hpp"
#include "image/tool/store_writer.hpp"
#include "image/tool/unpacker.hpp"

#include <atomic>
#include <string>
#include <vector>

namespace brig::image {

// Read by who shows it, while the import runs.
struct ImportProgress {
    std::atomic<uint64_t> bytes = 0; // of layers, as they are in the source
    std::atomic<uint64_t> all_bytes = 0;
    std::atomic<size_t> layers = 0; // finished
    std::atomic<size_t> all_layers = 0;
};

struct ImportRequest {
    std::string path; // absolute, or "-" for stdin
    std::string name; // empty: what the source says, or the file's name
    std::string reference;
    Platform platform;
    UnpackLimits limits;
    bool allow_devices = false;
    Log log;
};

struct ImportedImage {
    std::string name;
    Image image;
    size_t new_layers = 0; // those that had to be unpacked
};

Result<std::vector<ImportedImage>> import_images(const StoreWriter& writer, const ImportRequest& request,
                                                 ImportProgress& progress);

} // namespace brig::image
