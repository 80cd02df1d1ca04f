#include "base/sha256.hpp"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

namespace brig {

namespace {

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
constexpr std::array<uint32_t, 64> constants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

uint32_t word_at(const unsigned char* bytes)
{
    return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

} // namespace

void Sha256::take_block(const unsigned char* block)
{
    std::array<uint32_t, 64> schedule;
    for (size_t index = 0; index < 16; index++)
        schedule[index] = word_at(block + 4 * index);
    for (size_t index = 16; index < 64; index++) {
        uint32_t early = schedule[index - 15];
        uint32_t late = schedule[index - 2];
        schedule[index] = schedule[index - 16] + (std::rotr(early, 7) ^ std::rotr(early, 18) ^ early >> 3) + schedule[index - 7]
                          + (std::rotr(late, 17) ^ std::rotr(late, 19) ^ late >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = m_state;
    for (size_t index = 0; index < 64; index++) {
        uint32_t first = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + constants[index]
                         + schedule[index];
        uint32_t second = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + first;
        d = c;
        c = b;
        b = a;
        a = first + second;
    }
    const std::array<uint32_t, 8> added = {a, b, c, d, e, f, g, h};
    for (size_t index = 0; index < m_state.size(); index++)
        m_state[index] += added[index];
}

void Sha256::add(std::string_view bytes)
{
    m_bytes += bytes.size();
    while (!bytes.empty()) {
        const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
        if (m_rest_size == 0 && bytes.size() >= block_size) {
            take_block(data);
            bytes.remove_prefix(block_size);
            continue;
        }
        size_t part = std::min(bytes.size(), block_size - m_rest_size);
        std::copy_n(data, part, m_rest.begin() + static_cast<std::ptrdiff_t>(m_rest_size));
        m_rest_size += part;
        bytes.remove_prefix(part);
        if (m_rest_size == block_size) {
            take_block(m_rest.data());
            m_rest_size = 0;
        }
    }
}

std::string Sha256::finish()
{
    uint64_t bits = m_bytes * 8;
    constexpr size_t length_size = 8;
    std::string padding(1, '\x80');
    padding.append((2 * block_size - length_size - 1 - m_rest_size) % block_size, '\0');
    for (size_t index = length_size; index-- > 0;)
        padding += static_cast<char>(bits >> 8 * index & 0xff);
    add(padding);
    std::string text;
    for (uint32_t word : m_state)
        text += fmt::format("{:08x}", word);
    return text;
}

} // namespace brig
