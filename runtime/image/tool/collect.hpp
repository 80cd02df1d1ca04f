// Removal: of images that have no name, and of all that no image and nobody else needs.
//
// The writer must have been opened with StoreUse::remove: whatever lies in tmp/ is nobody's then.
#pragma once

#include "image/tool/layer_users.hpp"

#include <cstdint>

namespace brig::image {

struct Collected {
    std::vector<std::string> images; // digests
    size_t layers = 0;
    size_t blobs = 0;
    size_t leftovers = 0; // of killed imports, and links to bundles that are gone
    uint64_t bytes = 0;   // on disk
};

// Kind wrong_state: a container or a bundle stands on the image, and no name is left when so many of them go.
Result<> check_unused(const StoreWriter& writer, const LayerUsers& users, const Image& image, size_t names_to_go);

// `only_look`: nothing is changed.
Result<Collected> collect(const StoreWriter& writer, const std::string& state_root, bool only_look);

} // namespace brig::image
