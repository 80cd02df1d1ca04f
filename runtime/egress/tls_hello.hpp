// The server name of a TLS ClientHello (RFC 8446, RFC 6066), read as its bytes arrive, in whatever pieces. Pure.
//
// Refused: no server name or more than one, one that is no host name, Encrypted Client Hello (it hides another name) unless
// allowed, a second message in the hello's records, more than 64 KiB.
#pragma once

#include "egress/head_state.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brig::egress {

struct TlsHelloRules {
    bool allow_encrypted_hello = false;
};

class TlsHello {
public:
    explicit TlsHello(TlsHelloRules rules) : m_rules(rules) {}

    // The bytes that follow those of the calls before. Bytes behind the hello's last record are not looked at.
    HeadState take(std::string_view bytes);

    // How many bytes the hello and its record headers have, once it is complete.
    size_t size() const { return m_taken; }
    bool offers_early_data() const { return m_early_data; }
    const std::string& server_name() const { return m_name; } // normal
    std::string_view reason() const { return m_reason; }      // of a refusal: a word with underscores

private:
    HeadState refuse(std::string_view reason);
    HeadState take_record();
    HeadState read_hello(std::string_view body);
    HeadState read_extensions(std::string_view extensions);
    HeadState read_server_name(std::string_view extension);

    TlsHelloRules m_rules;
    size_t m_taken = 0;
    std::string m_header;    // of the record that is being read, up to its five bytes
    size_t m_left = 0;       // of the record's content
    std::string m_handshake; // content of the records so far
    std::string m_name;
    bool m_early_data = false;
    std::string_view m_reason;
};

// What a client sends behind its first hello. After a HelloRetryRequest it says hello again, and could say another name
// then. Looks at records up to the first that is neither that hello nor change_cipher_spec; behind a hello that offers early
// data (RFC 8446, 4.2.10) such a hello can follow any number of other records, so that all are looked at.
class TlsSecondHello {
public:
    TlsSecondHello(TlsHelloRules rules, const TlsHello& first);

    // complete: the rest need not be looked at.
    HeadState take(std::string_view bytes);
    std::string_view reason() const { return m_reason; }

private:
    HeadState take_hello(std::string_view bytes);
    HeadState begin_record(uint8_t first_byte);

    TlsHelloRules m_rules;
    std::string m_first_name;
    bool m_early_data;
    std::string m_header; // of the record that is being read
    size_t m_left = 0;    // of the content of a record that is passed over
    std::optional<TlsHello> m_hello;
    std::string_view m_reason;
};

} // namespace brig::egress
