// Whether the store is what it says: every blob hashed again, every image's parts there, every layer unpacked again beside and
// compared with what is there.
#pragma once

#include "image/tool/store_writer.hpp"

#include <string>
#include <vector>

namespace brig::image {

struct Problem {
    std::string where; // "layers/HEX", "blobs/sha256/HEX", "names/NAME"
    std::string what;
};

struct VerifyRequest {
    std::vector<std::string> references; // of images; empty: all of the store
    bool trees = true;                   // false: digests only
};

// Empty: all is well.
Result<std::vector<Problem>> verify_store(const StoreWriter& writer, const VerifyRequest& request);

} // namespace brig::image
