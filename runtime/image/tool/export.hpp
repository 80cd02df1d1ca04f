// An image of the store as an OCI layout: a folder, or a tar of one.
#pragma once

#include "image/tool/store_writer.hpp"

namespace brig::image {

// `path` is absolute: a folder that is made, a file that ends with ".tar", or "-" for stdout. Kind already_exists.
Result<> export_image(const StoreWriter& writer, const Image& image, const std::string& name, const std::string& path);

} // namespace brig::image
