#include "egress/socks.hpp"

#include "base/ip_address.hpp"
#include "egress/rules.hpp"

#include <cstring>

namespace brig::egress {

namespace {

constexpr uint8_t no_authentication = 0;
constexpr uint8_t command_connect = 1;
constexpr uint8_t kind_ipv4 = 1;
constexpr uint8_t kind_name = 3;
constexpr uint8_t kind_ipv6 = 4;

uint8_t byte_at(std::string_view bytes, size_t position)
{
    return static_cast<uint8_t>(bytes[position]);
}

} // namespace

std::string socks_answer(SocksReply reply)
{
    // Version, reply, reserved, and the bound address, which nobody needs: 0.0.0.0:0.
    std::string answer(10, '\0');
    answer[0] = socks_version;
    answer[1] = static_cast<char>(reply);
    answer[3] = static_cast<char>(kind_ipv4);
    return answer;
}

HeadState SocksRequest::refuse(SocksReply reply, std::string_view reason, std::string& answer)
{
    m_reason = reason;
    answer += socks_answer(reply);
    return HeadState::refused;
}

HeadState SocksRequest::take(std::string& bytes, std::string& answer)
{
    if (!m_greeted) {
        HeadState state = take_greeting(bytes, answer);
        if (state != HeadState::complete)
            return state;
        m_greeted = true;
    }
    return take_request(bytes, answer);
}

HeadState SocksRequest::take_greeting(std::string& bytes, std::string& answer)
{
    if (bytes.size() < 2 || bytes.size() < 2U + byte_at(bytes, 1))
        return HeadState::need_more;
    std::string methods = bytes.substr(2, byte_at(bytes, 1));
    bytes.erase(0, 2 + methods.size());
    bool acceptable = methods.find(static_cast<char>(no_authentication)) != std::string::npos;
    answer += socks_version;
    answer += static_cast<char>(acceptable ? no_authentication : 0xff);
    if (!acceptable)
        m_reason = "socks_wants_authentication";
    return acceptable ? HeadState::complete : HeadState::refused;
}

HeadState SocksRequest::take_request(std::string& bytes, std::string& answer)
{
    constexpr size_t fixed = 4; // version, command, reserved, kind of address
    if (bytes.size() < fixed + 1)
        return HeadState::need_more;
    if (bytes[0] != socks_version || byte_at(bytes, 1) != command_connect)
        return refuse(SocksReply::command_not_supported, "socks_only_connect", answer);
    uint8_t kind = byte_at(bytes, 3);
    if (kind != kind_ipv4 && kind != kind_name && kind != kind_ipv6)
        return refuse(SocksReply::not_allowed, "socks_broken_request", answer);
    size_t at = kind == kind_name ? fixed + 1 : fixed;
    size_t length = kind == kind_name ? byte_at(bytes, fixed) : kind == kind_ipv4 ? 4 : 16;
    if (bytes.size() < at + length + 2)
        return HeadState::need_more;
    std::string host = bytes.substr(at, length);
    m_port = static_cast<uint16_t>(byte_at(bytes, at + length) << 8 | byte_at(bytes, at + length + 1));
    bytes.erase(0, at + length + 2);
    if (kind != kind_name) {
        IpAddress address = IpAddress::any(kind == kind_ipv6);
        std::memcpy(address.bytes.data(), host.data(), host.size());
        m_host = address.to_text();
        return HeadState::complete;
    }
    // Some clients send an address as a name.
    auto address = IpAddress::parse(host);
    auto name = address ? Result<std::string>(address->to_text()) : normal_name(host);
    if (!name || m_port == 0)
        return refuse(SocksReply::not_allowed, "socks_broken_request", answer);
    m_host = std::move(*name);
    return HeadState::complete;
}

} // namespace brig::egress
