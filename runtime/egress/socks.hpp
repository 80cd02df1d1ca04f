// The client's side of SOCKS5 (RFC 1928): no authentication, CONNECT only. Pure.
#pragma once

#include "egress/head_state.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace brig::egress {

inline constexpr char socks_version = 5;

enum class SocksReply : uint8_t { granted = 0, not_allowed = 2, unreachable = 4, command_not_supported = 7 };

class SocksRequest {
public:
    // Takes what belongs to the conversation off the front of `bytes`. The answer is to be sent whatever the state is.
    HeadState take(std::string& bytes, std::string& answer);

    // A normal name, or an IP address (IpAddress::parse takes it).
    const std::string& host() const { return m_host; }
    uint16_t port() const { return m_port; }
    std::string_view reason() const { return m_reason; }

private:
    HeadState take_greeting(std::string& bytes, std::string& answer);
    HeadState take_request(std::string& bytes, std::string& answer);
    HeadState refuse(SocksReply reply, std::string_view reason, std::string& answer);

    bool m_greeted = false;
    std::string m_host;
    uint16_t m_port = 0;
    std::string_view m_reason;
};

std::string socks_answer(SocksReply reply);

} // namespace brig::egress
