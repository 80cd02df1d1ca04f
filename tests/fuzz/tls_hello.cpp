// What a client sends first, whole and in pieces: both must say the same.
// sources: runtime/egress/tls_hello.cpp runtime/egress/rules.cpp runtime/base/text.cpp runtime/base/error.cpp runtime/base/ip_address.cpp runtime/base/fmt_functions.cpp
#include "egress/tls_hello.hpp"

#include <cstdlib>

using namespace brig::egress;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size == 0)
        return 0;
    size_t piece = 1 + data[0] % 64;
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    TlsHello whole({});
    HeadState state = whole.take(bytes);
    TlsHello parts({});
    HeadState parts_state = HeadState::need_more;
    for (size_t at = 0; at < bytes.size() && parts_state == HeadState::need_more; at += piece)
        parts_state = parts.take(bytes.substr(at, piece));
    if (state != parts_state || whole.server_name() != parts.server_name() || whole.reason() != parts.reason())
        std::abort();
    if (state != HeadState::complete)
        return 0;
    if (whole.server_name().empty() || whole.size() > bytes.size())
        std::abort();
    TlsSecondHello second({}, whole);
    HeadState second_state = second.take(bytes.substr(whole.size()));
    TlsSecondHello second_parts({}, whole);
    parts_state = HeadState::need_more;
    for (size_t at = whole.size(); at < bytes.size() && parts_state == HeadState::need_more; at += piece)
        parts_state = second_parts.take(bytes.substr(at, piece));
    if (second_state != parts_state)
        std::abort();
    return 0;
}
