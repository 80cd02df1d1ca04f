#include "image/tool/sha256.hpp"

#include "base/text.hpp"
#include "image/digest.hpp"

namespace brig::image {

std::string Sha256::digest()
{
    uint8_t bytes[SHA256_DIGEST_SIZE];
    sha256_digest(&m_state, sizeof bytes, bytes);
    std::string hex;
    for (uint8_t byte : bytes)
        hex += fmt::format("{:02x}", byte);
    return digest_from_hex(hex);
}

std::string digest_of_text(std::string_view text)
{
    Sha256 hash;
    hash.add(text);
    return hash.digest();
}

std::string chain_id(const std::string& below, const std::string& diff_id)
{
    return below.empty() ? diff_id : digest_of_text(below + " " + diff_id);
}

} // namespace brig::image
