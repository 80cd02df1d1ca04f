// Finds out what a file, a folder or a stream is, and makes it readable at any place where that is needed.
#pragma once

#include "image/tool/import.hpp"

namespace brig::image {

// Temporary files are made in the workspace, which must live as long as the result.
Result<std::vector<SourceImage>> open_source(const ImportRequest& request, const Workspace& workspace);

} // namespace brig::image
