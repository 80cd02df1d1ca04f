// Digests as the OCI image specification writes them ("Descriptor": Digests): "sha256:" and 64 hexadecimal digits.
//
// Layer: image. Pure. Other algorithms are refused: nothing that distributes images uses them.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace brig::image {

// The hexadecimal part. Kind invalid; not_supported for another algorithm.
Result<std::string> digest_hex(std::string_view digest);

std::string digest_from_hex(std::string_view hex);

bool is_hex(std::string_view text);

} // namespace brig::image
