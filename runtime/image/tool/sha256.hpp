// SHA-256 by nettle, which uses the processor's own instructions for it.
#pragma once

#include "image/tool/bytes.hpp"

#include <cstdint>
#include <nettle/sha2.h>

namespace brig::image {

class Sha256 {
public:
    Sha256() { sha256_init(&m_state); }
    void add(std::string_view bytes)
    {
        sha256_update(&m_state, bytes.size(), reinterpret_cast<const uint8_t*>(bytes.data()));
        m_count += bytes.size();
    }
    uint64_t count() const { return m_count; } // bytes
    std::string digest();                      // "sha256:..."; of all so far, and the end of it

private:
    struct sha256_ctx m_state;
    uint64_t m_count = 0;
};

std::string digest_of_text(std::string_view text);
// image specification, config.md "Layer ChainID"; `below` is empty for the lowest layer.
std::string chain_id(const std::string& below, const std::string& diff_id);

// Hashes what passes.
class HashingSource : public ByteSource {
public:
    explicit HashingSource(ByteSource& inner) : m_inner(inner) {}
    Result<std::string_view> next() override
    {
        std::string_view bytes = TRY(m_inner.next());
        m_hash.add(bytes);
        return bytes;
    }
    Sha256& hash() { return m_hash; }

private:
    ByteSource& m_inner;
    Sha256 m_hash;
};

} // namespace brig::image
