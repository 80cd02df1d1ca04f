#include "image/digest.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace brig::image {

namespace {

constexpr std::string_view algorithm = "sha256:";
constexpr size_t hex_length = 64;

} // namespace

bool is_hex(std::string_view text)
{
    return std::ranges::all_of(text,
                               [](char letter) { return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f'); });
}

Result<std::string> digest_hex(std::string_view digest)
{
    if (digest.starts_with(algorithm) && digest.size() == algorithm.size() + hex_length
        && is_hex(digest.substr(algorithm.size())))
        return std::string(digest.substr(algorithm.size()));
    if (digest.starts_with("sha512:") || digest.starts_with("blake3:"))
        return failure(
            Error(ErrorKind::not_supported, fmt::format("digest {}: only sha256 is known", quoted(digest.substr(0, 80)))));
    return failure(Error(ErrorKind::invalid, fmt::format("{} is not a digest", quoted(digest.substr(0, 80))))
                       .with_hint("sha256: and 64 hexadecimal digits are"));
}

std::string digest_from_hex(std::string_view hex)
{
    return fmt::format("{}{}", algorithm, hex);
}

} // namespace brig::image
