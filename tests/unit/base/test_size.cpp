#include "base/size.hpp"

#include <criterion/criterion.h>

using namespace brig;

Test(size, is_read_as_docker_reads_it)
{
    struct Row {
        const char* text;
        int64_t bytes;
    };
    for (const auto& row :
         {Row{"0", 0}, Row{"1048576", 1048576}, Row{"-1", -1}, Row{"512k", 512 << 10}, Row{"64M", 64 << 20},
          Row{"64mb", 64 << 20}, Row{"64MiB", 64 << 20}, Row{"1.5g", 3LL << 29}, Row{"2 G", 2LL << 30}, Row{"1t", 1LL << 40},
          Row{"1P", 1LL << 50}, Row{"12b", 12}, Row{"1.9", 1}, Row{"9223372036854775807", INT64_MAX}}) {
        auto bytes = parse_size(row.text);
        cr_assert(bytes.has_value(), "%s", row.text);
        cr_expect(*bytes == row.bytes, "%s gives %lld", row.text, static_cast<long long>(*bytes));
    }
}

Test(size, what_is_none_is_refused)
{
    for (const char* text :
         {"", "m", "lots", "-2", "1x", "1kk", "1.2.3", "1e3", "0x10", "1 m m", "9223372036854775808", "99999p", "1ii", "nan"}) {
        auto bytes = parse_size(text);
        cr_expect(!bytes && bytes.error().kind() == ErrorKind::invalid, "%s", text);
    }
}
