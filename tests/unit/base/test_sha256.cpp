#include "base/sha256.hpp"

#include <criterion/criterion.h>
#include <string>

using namespace brig;

namespace {

std::string digest(std::string_view bytes)
{
    Sha256 sha;
    sha.add(bytes);
    return sha.finish();
}

} // namespace

// The examples of FIPS 180-4 and NIST's long message.
Test(sha256, known_digests)
{
    cr_assert_eq(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    cr_assert_eq(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    cr_assert_eq(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    cr_assert_eq(digest(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Around the sizes at which the padding needs a further block.
Test(sha256, every_length_in_pieces)
{
    for (size_t length = 0; length < 300; length++) {
        std::string text(length, 'x');
        Sha256 pieces;
        for (size_t begin = 0; begin < length; begin += 7)
            pieces.add(std::string_view(text).substr(begin, 7));
        cr_assert_eq(pieces.finish(), digest(text), "length %zu", length);
    }
}
