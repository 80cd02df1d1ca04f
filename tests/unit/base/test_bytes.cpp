#include "base/bytes.hpp"

#include <criterion/criterion.h>
#include <string>

using namespace brig;

Test(bytes, what_is_written_is_read)
{
    ByteWriter writer;
    std::string bytes = writer.number(7).text("a\0b").texts({"", "x"}).number(UINT64_MAX).take();
    ByteReader reader(bytes);
    cr_assert_eq(reader.number(), 7);
    cr_assert_eq(reader.text(), std::string("a\0b"));
    cr_assert_eq(reader.texts().size(), 2);
    cr_assert_not(reader.complete());
    cr_assert_eq(reader.number(), UINT64_MAX);
    cr_assert(reader.complete());
}

Test(bytes, every_cut_is_noticed)
{
    ByteWriter writer;
    std::string bytes = writer.texts({"one", "two"}).text("three").take();
    for (size_t length = 0; length < bytes.size(); length++) {
        ByteReader reader(std::string_view(bytes).substr(0, length));
        (void)reader.texts();
        (void)reader.text();
        cr_assert_not(reader.complete(), "length %zu", length);
    }
}

Test(bytes, a_lying_count_costs_no_memory)
{
    ByteWriter writer;
    std::string bytes = writer.number(UINT64_MAX).take();
    ByteReader reader(bytes);
    cr_assert(reader.texts().empty());
    ByteReader again(bytes);
    cr_assert(again.text().empty());
    cr_assert_not(again.complete());
}
