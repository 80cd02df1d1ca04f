// Finds names with a NUL in the PAX headers of a tar stream that passes by: libarchive hands out what is before it, and another
// program would see another name.
//
// POSIX.1-2017, pax, "pax Header Block" and "ustar Interchange Format". Of contents only the sizes count.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace brig::image {

class PaxNames {
public:
    // The next bytes of the stream. Kind invalid for a name with a NUL, with the entry's name.
    Result<> take(std::string_view bytes);
    // As many bytes are not shown.
    void skip(uint64_t count) { m_pass_over -= count < m_pass_over ? count : m_pass_over; }

private:
    static constexpr size_t block = 512;
    enum class Expects { header, sparse_map, records };

    Result<> take_unit();
    Result<> take_header();
    Result<> take_records();
    void content_follows(uint64_t size);

    Expects m_expects = Expects::header;
    std::string m_unit;      // what has come of the header or the records
    size_t m_wanted = block; // bytes of the unit
    size_t m_records = 0;    // bytes of the records without their padding
    uint64_t m_pass_over = 0;
    uint64_t m_content = 0;      // of the entry whose sparse map is read
    uint64_t m_size_of_next = 0; // as its PAX records say
    bool m_has_size_of_next = false;
};

} // namespace brig::image
