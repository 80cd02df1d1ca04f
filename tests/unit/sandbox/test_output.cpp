#include "sandbox/output.hpp"

#include <criterion/criterion.h>

using namespace brig::sandbox;

Test(capture, keeps_the_beginning)
{
    Capture capture(5, true);
    cr_assert_eq(capture.take("abc"), "abc");
    cr_assert_not(capture.truncated());
    cr_assert_eq(capture.take("def"), "de");
    cr_assert_eq(capture.take("g"), "");
    cr_assert(capture.truncated());
    cr_assert_eq(capture.kept(), "abcde");
    cr_assert_eq(capture.dropped(), 2);
}

Test(capture, exactly_the_limit_is_whole)
{
    Capture capture(3, false);
    cr_assert_eq(capture.take("abc"), "abc");
    cr_assert_not(capture.truncated());
    cr_assert(capture.kept().empty());
}

Test(capture, a_flood_is_far_beyond_the_limit)
{
    Capture capture(10, false);
    std::string piece(1 << 20, 'x');
    capture.take(piece);
    cr_assert_not(capture.is_flood());
    capture.take(piece);
    cr_assert(capture.is_flood());
}

// Against the plain way to say it: the last bytes of everything.
Test(ring_buffer, keeps_the_end)
{
    for (size_t capacity = 1; capacity < 9; capacity++)
        for (size_t step = 1; step < 12; step++) {
            RingBuffer ring(capacity);
            std::string all;
            for (size_t count = 0; count < 40; count += step) {
                std::string data;
                for (size_t index = 0; index < step; index++)
                    data += static_cast<char>('a' + (count + index) % 26);
                ring.append(data);
                all += data;
                std::string last = all.size() > capacity ? all.substr(all.size() - capacity) : all;
                cr_assert_eq(ring.text(), last);
                cr_assert_eq(ring.forgotten(), all.size() - last.size());
            }
        }
}
