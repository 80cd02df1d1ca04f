// HTTP requests and SOCKS, whole and in pieces; what is passed on has one Host and one end.
// sources: runtime/egress/http_head.cpp runtime/egress/socks.cpp runtime/egress/rules.cpp runtime/base/text.cpp runtime/base/error.cpp runtime/base/ip_address.cpp runtime/base/fmt_functions.cpp
#include "egress/http_head.hpp"
#include "egress/socks.hpp"

#include <cstdlib>

using namespace brig::egress;

static void check_passed_on(const HttpRequest& request)
{
    HttpHead again;
    if (request.form == HttpForm::authority)
        return;
    if (again.take(request.head_to_send) != HeadState::complete || again.size() != request.head_to_send.size())
        std::abort();
    if (again.request().host != request.host || again.request().form != HttpForm::origin || again.request().body != request.body
        || again.request().body_size != request.body_size || again.request().head_to_send != request.head_to_send)
        std::abort();
}

static size_t body_size(const HttpRequest& request, std::string_view bytes, size_t piece)
{
    HttpBodyReader body(request);
    size_t taken = 0;
    for (size_t at = 0; at < bytes.size(); at += piece) {
        size_t size = body.take(bytes.substr(at, piece));
        taken += size;
        if (size < bytes.substr(at, piece).size())
            break;
    }
    return taken;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size == 0)
        return 0;
    size_t piece = 1 + data[0] % 64;
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    HttpHead whole;
    HeadState state = whole.take(bytes);
    HttpHead parts;
    HeadState parts_state = HeadState::need_more;
    for (size_t at = 0; at < bytes.size() && parts_state == HeadState::need_more; at += piece)
        parts_state = parts.take(bytes.substr(at, piece));
    if (state != parts_state || whole.request().head_to_send != parts.request().head_to_send)
        std::abort();
    if (state == HeadState::complete) {
        check_passed_on(whole.request());
        std::string_view rest = bytes.substr(whole.size());
        if (body_size(whole.request(), rest, rest.size() + 1) != body_size(whole.request(), rest, piece))
            std::abort();
    }
    SocksRequest socks;
    std::string pending;
    std::string answer;
    HeadState socks_state = HeadState::need_more;
    for (size_t at = 0; at < bytes.size() && socks_state == HeadState::need_more; at += piece) {
        pending += bytes.substr(at, piece);
        socks_state = socks.take(pending, answer);
    }
    return 0;
}
