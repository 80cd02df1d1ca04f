// gzip (by ISA-L, several times as fast as zlib) and zstd, as streams. Several members or frames in a row are one stream, as
// pigz, estargz and zstd:chunked write them.
//
// Errors: kind invalid for bytes that are none; not_supported for a compression that image layers do not have.
#pragma once

#include "image/tool/bytes.hpp"

#include <memory>

namespace brig::image {

enum class Compression { none, gzip, zstd, other };

std::string_view compression_name(Compression compression);

// By the first bytes, four of them are enough. `other` is xz or bzip2.
Compression compression_of(std::string_view beginning);

// `inner` must live longer.
Result<std::unique_ptr<ByteSource>> make_decoder(Compression compression, ByteSource& inner);

} // namespace brig::image
