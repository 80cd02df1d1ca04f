// What verbs share that put images into the store.
#pragma once

#include "command/image/verbs.hpp"
#include "image/tool/import.hpp"

namespace brig::command {

// With a progress bar on a terminal; the images go to stdout, as --json or --quiet want them.
Result<> import_and_report(const Invocation& invocation, image::StoreWriter& writer, const image::ImportRequest& request);

} // namespace brig::command
