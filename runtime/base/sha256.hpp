// SHA-256 (FIPS 180-4), for the digests of artifacts.
//
// Layer: base, pure. docs/decisions.md says why it is here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace brig {

class Sha256 {
public:
    void add(std::string_view bytes);
    // 64 hexadecimal digits of all that was added; nothing may be added afterwards.
    std::string finish();

private:
    static constexpr size_t block_size = 64;
    void take_block(const unsigned char* block);

    std::array<uint32_t, 8> m_state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<unsigned char, block_size> m_rest = {};
    size_t m_rest_size = 0;
    uint64_t m_bytes = 0;
};

} // namespace brig
