// The files of an image as one plain folder.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "image/store.hpp"

namespace brig::image {

// Into an empty folder, with its own owner, mode and times becoming the root's. Reads through an overlay that is mounted nowhere.
Result<> copy_image(const Image& image, OverlayAttributes attributes, FdRef to);

// Owner, mode and attributes of the image's root, for an upper directory.
Result<> copy_root_metadata(const Image& image, OverlayAttributes attributes, FdRef to);

} // namespace brig::image
