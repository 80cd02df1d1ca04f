#include "egress/tls_hello.hpp"

#include <criterion/criterion.h>

using namespace brig::egress;

static std::string number(size_t value, size_t size)
{
    std::string text;
    while (size-- > 0)
        text += static_cast<char>(value >> 8 * size);
    return text;
}

static std::string vector(const std::string& content, size_t length_size)
{
    return number(content.size(), length_size) + content;
}

static std::string extension(size_t type, const std::string& content)
{
    return number(type, 2) + vector(content, 2);
}

static std::string server_name(const std::string& name)
{
    return extension(0, vector(number(0, 1) + vector(name, 2), 2));
}

static std::string message(const std::string& extensions)
{
    std::string body =
        number(0x0303, 2) + std::string(32, 'r') + vector("", 1) + vector(number(0x1301, 2), 2) + vector(number(0, 1), 1);
    return number(1, 1) + vector(body + vector(extensions, 2), 3);
}

static std::string record(const std::string& content, size_t type = 22)
{
    return number(type, 1) + number(0x0301, 2) + vector(content, 2);
}

static HeadState whole(const std::string& bytes, std::string_view& reason, TlsHelloRules rules = {})
{
    TlsHello hello(rules);
    HeadState state = hello.take(bytes);
    reason = hello.reason();
    return state;
}

static void expect_refused(const std::string& bytes, const char* reason)
{
    std::string_view said;
    cr_expect(whole(bytes, said) == HeadState::refused, "%s", reason);
    cr_expect(said == reason, "%s instead of %s", std::string(said).c_str(), reason);
}

Test(tls_hello, name)
{
    TlsHello hello({});
    std::string bytes = record(message(extension(10, "xx") + server_name("PyPI.org.")));
    cr_expect(hello.take(bytes + "rest") == HeadState::complete);
    cr_expect(hello.server_name() == "pypi.org" && hello.size() == bytes.size() && !hello.offers_early_data());
}

Test(tls_hello, in_any_pieces)
{
    std::string content = message(server_name("pypi.org") + extension(42, ""));
    std::string records;
    for (char byte : content)
        records += record(std::string(1, byte));
    for (const std::string& bytes : {record(content), records}) {
        TlsHello hello({});
        for (size_t at = 0; at + 1 < bytes.size(); at++)
            cr_assert(hello.take(bytes.substr(at, 1)) == HeadState::need_more, "%zu", at);
        cr_expect(hello.take(bytes.substr(bytes.size() - 1)) == HeadState::complete);
        cr_expect(hello.server_name() == "pypi.org" && hello.size() == bytes.size() && hello.offers_early_data());
    }
}

Test(tls_hello, refused)
{
    expect_refused(record(message("")), "tls_without_server_name");
    expect_refused(record(message(extension(10, "xx"))), "tls_without_server_name");
    expect_refused(record(message(server_name("a.b") + server_name("a.b"))), "tls_several_server_names");
    expect_refused(record(message(extension(0, vector(number(0, 1) + vector("a.b", 2) + number(0, 1) + vector("c.d", 2), 2)))),
                   "tls_several_server_names");
    expect_refused(record(message(extension(0, vector(number(1, 1) + vector("a.b", 2), 2)))), "tls_broken_server_name");
    expect_refused(record(message(server_name("1.2.3.4"))), "tls_broken_server_name");
    expect_refused(record(message(server_name(std::string("a.b\0.c", 6)))), "tls_broken_server_name");
    expect_refused(record(message(server_name(""))), "tls_broken_server_name");
    expect_refused(record(message(server_name("a.b") + extension(0xfe0d, "x"))), "tls_encrypted_hello");
    expect_refused(record(message(server_name("a.b")) + "x"), "tls_message_behind_hello");
    expect_refused(record(number(2, 1) + number(0, 3)), "tls_not_a_hello");
    expect_refused(record("x", 23), "tls_not_a_hello");
    expect_refused(record(""), "tls_broken_record");
    expect_refused(number(22, 1) + number(0x0203, 2) + vector("x", 2), "tls_broken_record");
    expect_refused(record(number(1, 1) + number(0xffffff, 3)), "tls_hello_too_long");
    expect_refused("GET / HTTP/1.1\r\n", "tls_not_a_hello");
    expect_refused(record(message(number(0, 2) + number(100, 2))), "tls_broken_hello");
    std::string_view reason;
    cr_expect(whole(record(message(server_name("a.b") + extension(0xfe0d, "x"))), reason, {.allow_encrypted_hello = true})
              == HeadState::complete);
}

Test(tls_hello, every_cut_of_the_body_is_broken)
{
    std::string body = message(server_name("pypi.org")).substr(4);
    for (size_t size = 0; size < body.size(); size++) {
        std::string_view reason;
        cr_expect(whole(record(number(1, 1) + vector(body.substr(0, size), 3)), reason) == HeadState::refused, "%zu", size);
    }
}

static HeadState second(const std::string& first_extensions, const std::string& bytes, std::string_view& reason, size_t piece = 1)
{
    TlsHello hello({});
    cr_assert(hello.take(record(message(server_name("pypi.org") + first_extensions))) == HeadState::complete);
    TlsSecondHello rest({}, hello);
    HeadState state = HeadState::need_more;
    for (size_t at = 0; at < bytes.size() && state == HeadState::need_more; at += piece)
        state = rest.take(bytes.substr(at, piece));
    reason = rest.reason();
    return state;
}

Test(tls_second_hello, ends_with_what_cannot_precede_one)
{
    std::string_view reason;
    std::string change = record(number(1, 1), 20);
    for (size_t piece : {1UL, 3UL, 1000UL}) {
        cr_expect(second("", record("encrypted", 23), reason, piece) == HeadState::complete);
        cr_expect(second("", change + record("encrypted", 23), reason, piece) == HeadState::complete);
        cr_expect(second("", record(number(16, 1) + "key exchange"), reason, piece) == HeadState::complete);
        cr_expect(second("", change, reason, piece) == HeadState::need_more);
        cr_expect(second(extension(42, ""), record("early", 23) + change + record("early", 23), reason, piece)
                  == HeadState::need_more);
    }
}

Test(tls_second_hello, has_to_name_the_same)
{
    std::string_view reason;
    std::string change = record(number(1, 1), 20);
    for (size_t piece : {1UL, 3UL, 1000UL}) {
        cr_expect(second("", change + record(message(server_name("pypi.org"))), reason, piece) == HeadState::complete);
        for (const std::string& bytes :
             {change + record(message(server_name("evil.example"))), record(message(server_name("evil.example")))}) {
            cr_expect(second("", bytes, reason, piece) == HeadState::refused);
            cr_expect(reason == "tls_second_server_name");
        }
        cr_expect(second(extension(42, ""), record("early", 23) + record(message(server_name("evil.example"))), reason, piece)
                  == HeadState::refused);
        cr_expect(second("", change + record(message("")), reason, piece) == HeadState::refused);
    }
}
