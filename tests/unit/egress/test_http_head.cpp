#include "egress/http_head.hpp"
#include "egress/socks.hpp"

#include "base/text.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::egress;

static HttpRequest read(const std::string& text)
{
    HttpHead head;
    cr_assert(head.take(text) == HeadState::complete, "%s", std::string(head.reason()).c_str());
    return head.request();
}

static std::string refusal(const std::string& text)
{
    HttpHead head;
    cr_expect(head.take(text) == HeadState::refused, "%s", text.c_str());
    return std::string(head.reason());
}

Test(http_head, origin_form)
{
    HttpRequest request = read("GET /a?b HTTP/1.1\r\nHost: PyPI.org:8080\r\nAccept: */*\r\nConnection: keep-alive, Upgrade\r\n"
                               "Upgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n");
    cr_expect(request.form == HttpForm::origin && request.host == "pypi.org" && request.port == 8080);
    cr_expect(request.head_to_send == "GET /a?b HTTP/1.1\r\nHost: pypi.org:8080\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

Test(http_head, absolute_form)
{
    HttpRequest request = read("GET HTTP://pypi.org?x HTTP/1.1\r\nHost: pypi.org\r\nProxy-Authorization: secret\r\n\r\n");
    cr_expect(request.form == HttpForm::absolute && request.host == "pypi.org" && request.port == 0);
    cr_expect(request.head_to_send == "GET /?x HTTP/1.1\r\nHost: pypi.org\r\nConnection: close\r\n\r\n");
    cr_expect(read("GET http://a.b HTTP/1.0\r\n\r\n").host == "a.b");
}

Test(http_head, connect)
{
    HttpRequest request = read("CONNECT pypi.org:443 HTTP/1.1\r\n\r\n");
    cr_expect(request.form == HttpForm::authority && request.host == "pypi.org" && request.port == 443);
    cr_expect(read("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n").host == "::1");
    cr_expect(read("CONNECT 1.2.3.4:443 HTTP/1.0\r\n\r\n").host == "1.2.3.4");
    cr_expect(refusal("CONNECT pypi.org HTTP/1.1\r\n\r\n") == "http_broken_request_line");
}

Test(http_head, in_pieces)
{
    std::string text = "GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n";
    HttpHead head;
    for (size_t at = 0; at + 1 < text.size(); at++)
        cr_assert(head.take(text.substr(at, 1)) == HeadState::need_more);
    cr_expect(head.take("\nbody") == HeadState::complete && head.size() == text.size());
}

Test(http_head, refused)
{
    auto with = [](const std::string& fields) { return "GET / HTTP/1.1\r\n" + fields + "\r\n"; };
    cr_expect(refusal(with("")) == "http_without_host");
    cr_expect(refusal("GET / HTTP/1.0\r\n\r\n") == "http_without_host");
    cr_expect(refusal(with("Host: a.b\r\nhost: a.b\r\n")) == "http_several_hosts");
    cr_expect(refusal("GET http://a.b/ HTTP/1.1\r\nHost: c.d\r\n\r\n") == "http_two_hosts");
    cr_expect(refusal(with("Host: user@a.b\r\n")) == "http_broken_host");
    cr_expect(refusal(with("Host: a.b, c.d\r\n")) == "http_broken_host");
    cr_expect(refusal(with("Host: 1.2.3.4\r\n")) == "http_broken_host");
    cr_expect(refusal(with("Host: a.b\r\n x: folded\r\n")) == "http_broken_field");
    cr_expect(refusal(with("Host : a.b\r\n")) == "http_broken_field");
    cr_expect(refusal(with("Host: a.b\r\nX: 1\nHost: c.d\r\n")) == "http_control_character");
    cr_expect(refusal(with("Host: a.b\r\nX: 1\rHost: c.d\r\n")) == "http_control_character");
    cr_expect(refusal(with(std::string("Host: a\0.b\r\n", 12))) == "http_control_character");
    for (const char* line : {"GET /", "GET / HTTP/2.0", "GET  / HTTP/1.1", "GET / x HTTP/1.1", "", "G\"T / HTTP/1.1",
                             "GET https://a.b/ HTTP/1.1", "GET a.b HTTP/1.1", "PRI * HTTP/1.1"})
        cr_expect(refusal(std::string(line) + "\r\nHost: a.b\r\n\r\n") == "http_broken_request_line", "%s", line);
    for (const char* fields : {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                               "Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1, 1\r\n", "Content-Length: +1\r\n",
                               "Content-Length: 99999999999999999999\r\n", "Transfer-Encoding: gzip, chunked\r\n",
                               "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer_Encoding: chunked\r\n"})
        cr_expect(refusal(with(std::string("Host: a.b\r\n") + fields)) == "http_ambiguous_body", "%s", fields);
    HttpHead endless;
    cr_expect(endless.take("GET /" + std::string(70000, 'a')) == HeadState::refused && endless.reason() == "http_head_too_long");
}

static size_t body_of(const std::string& fields, const std::string& bytes, bool& ended, bool& broken, size_t piece)
{
    HttpBodyReader body(read("POST / HTTP/1.1\r\nHost: a.b\r\n" + fields + "\r\n"));
    size_t taken = 0;
    for (size_t at = 0; at < bytes.size(); at += piece) {
        std::string part = bytes.substr(at, piece);
        size_t size = body.take(part);
        taken += size;
        if (size < part.size())
            break;
    }
    ended = body.ended();
    broken = body.broken();
    return taken;
}

Test(http_body, ends_where_it_says)
{
    bool ended = false;
    bool broken = false;
    for (size_t piece : {1UL, 2UL, 1000UL}) {
        cr_expect(body_of("Content-Length: 3\r\n", "abcGET", ended, broken, piece) == 3 && ended);
        cr_expect(body_of("", "GET", ended, broken, piece) == 0 && ended);
        std::string chunks = "2\r\nab\r\nA\r\n0123456789\r\n0\r\n\r\n";
        cr_expect(body_of("Transfer-Encoding: chunked\r\n", chunks + "GET", ended, broken, piece) == chunks.size() && ended);
        cr_expect(body_of("Transfer-Encoding: chunked\r\n", "2\r\na", ended, broken, piece) == 4 && !ended && !broken);
        for (const char* bad : {"x\r\n", "2;a=b\r\nab\r\n", "2\nab\r\n", "2\r\nabc\r\n", "-1\r\n", "0\r\nX: y\r\n\r\n", "\r\n",
                                "2 \r\nab", "0x2\r\nab", "11111111111111111111\r\n"}) {
            body_of("Transfer-Encoding: chunked\r\n", bad, ended, broken, piece);
            cr_expect(broken && !ended, "%s", bad);
        }
    }
}

Test(socks, names_and_addresses)
{
    std::string name("\x05\x01\x00\x03\x03"
                     "a.b\x01\xbb"
                     "rest",
                     15);
    for (const auto& [request, host] : {std::pair(name, "a.b"), std::pair(std::string("\x05\x01\x00\x01\x01\x02\x03\x04\x01\xbb"
                                                                                      "rest",
                                                                                      14),
                                                                          "1.2.3.4")}) {
        SocksRequest socks;
        std::string answer;
        std::string bytes("\x05\x02\x01\x00", 4);
        cr_expect(socks.take(bytes, answer) == HeadState::need_more && answer == std::string("\x05\x00", 2));
        HeadState state = HeadState::need_more;
        for (size_t at = 0; state == HeadState::need_more && at < request.size(); at++) {
            bytes += request[at];
            state = socks.take(bytes, answer);
        }
        cr_expect(state == HeadState::complete && socks.host() == host && socks.port() == 443 && bytes.empty());
    }
}

Test(socks, refused)
{
    for (const std::string& request :
         {std::string("\x05\x01\x02", 3), std::string("\x05\x01\x00\x05\x02\x00\x01\x01\x02\x03\x04\x00\x50", 13),
          std::string("\x05\x01\x00\x05\x01\x00\x09\x01\x02\x03\x04\x00\x50", 13),
          std::string("\x05\x01\x00\x05\x01\x00\x03\x00\x00\x50", 10),
          std::string("\x05\x01\x00\x05\x01\x00\x03\x01-\x00\x50", 11)}) {
        SocksRequest socks;
        std::string bytes = request;
        std::string answer;
        cr_expect(socks.take(bytes, answer) == HeadState::refused && !answer.empty()
                  && answer.back() == (request.size() == 3 ? '\xff' : '\0'));
    }
}
