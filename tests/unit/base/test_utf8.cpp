#include "base/utf8.hpp"

#include <criterion/criterion.h>

using namespace brig;

Test(utf8, text_and_other_bytes)
{
    for (std::string_view text : {"", "plain", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"})
        cr_assert(is_utf8(text));
    // A tail alone, a cut sequence, overlong forms, a surrogate, beyond U+10FFFF, bytes that no sequence has.
    for (std::string_view bytes :
         {"\x80", "\xc3", "\xe2\x82", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"})
        cr_assert_not(is_utf8(bytes));
    cr_assert(is_utf8(std::string_view("a\0b", 3)));
}

Test(utf8, a_cut_sequence_goes)
{
    cr_assert_eq(without_cut_sequence("ab\xc3"), "ab");
    cr_assert_eq(without_cut_sequence("ab\xf0\x9f\x98"), "ab");
    cr_assert_eq(without_cut_sequence("\xe2\x82\xac"), "\xe2\x82\xac");
    cr_assert_eq(without_cut_sequence("ab"), "ab");
    cr_assert_eq(without_cut_sequence(""), "");
    cr_assert_eq(without_cut_sequence("\x80\x80\x80\x80"), "\x80\x80\x80\x80");
}

// RFC 4648, 10.
Test(base64, vectors)
{
    cr_assert_eq(base64(""), "");
    cr_assert_eq(base64("f"), "Zg==");
    cr_assert_eq(base64("fo"), "Zm8=");
    cr_assert_eq(base64("foo"), "Zm9v");
    cr_assert_eq(base64("foob"), "Zm9vYg==");
    cr_assert_eq(base64("fooba"), "Zm9vYmE=");
    cr_assert_eq(base64("foobar"), "Zm9vYmFy");
    cr_assert_eq(base64("\xff\xfe"), "//4=");
}
