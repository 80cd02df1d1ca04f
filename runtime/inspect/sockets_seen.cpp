#include "inspect/sockets_seen.hpp"

#include "base/ip_address.hpp"
#include "base/text.hpp"

#include <charconv>
#include <cstring>
#include <optional>

namespace brig::inspect {

namespace {

constexpr int hexadecimal = 16;

template<typename Number> std::optional<Number> parse_hexadecimal(std::string_view text)
{
    Number number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, hexadecimal);
    if (error != std::errc() || end != text.data() + text.size())
        return {};
    return number;
}

// "0100007F:1F90": words of four bytes as the machine keeps them, the port as a number.
std::optional<IpEndpoint> parse_endpoint(std::string_view text)
{
    constexpr size_t digits_of_word = 8;
    auto colon = text.find(':');
    if (colon != digits_of_word && colon != 4 * digits_of_word)
        return {};
    IpEndpoint endpoint;
    endpoint.address.v6 = colon != digits_of_word;
    for (size_t at = 0; at < colon; at += digits_of_word) {
        auto word = parse_hexadecimal<uint32_t>(text.substr(at, digits_of_word));
        if (!word)
            return {};
        std::memcpy(&endpoint.address.bytes[at / 2], &*word, sizeof(*word));
    }
    auto port = parse_hexadecimal<uint16_t>(text.substr(colon + 1));
    if (!port)
        return {};
    endpoint.port = *port;
    return endpoint;
}

} // namespace

std::vector<std::string> parse_interfaces(std::string_view text)
{
    std::vector<std::string> names;
    for (auto line : split(text, '\n')) {
        auto colon = line.find(':');
        if (colon == std::string_view::npos)
            continue; // the heading
        auto name = trim(line.substr(0, colon));
        if (name != "lo")
            names.emplace_back(name);
    }
    return names;
}

bool has_route(std::string_view text)
{
    auto lines = split(text, '\n');
    for (size_t row = 1; row < lines.size(); row++)
        if (!lines[row].empty() && !lines[row].starts_with("lo\t"))
            return true;
    return false;
}

bool has_ipv6_route(std::string_view text)
{
    for (auto line : split(text, '\n'))
        if (!trim(line).empty() && !trim(line).ends_with(" lo"))
            return true;
    return false;
}

std::vector<ListeningSocket> parse_internet_sockets(std::string_view text, const std::string& protocol)
{
    // "sl local_address rem_address st ...": TCP_LISTEN, or a udp socket that is not connected (TCP_CLOSE).
    const std::string_view open_state = protocol == "tcp" ? "0A" : "07";
    std::vector<ListeningSocket> sockets;
    for (auto line : split(text, '\n')) {
        auto words = words_of(line);
        if (words.size() < 4 || words[3] != open_state)
            continue;
        if (auto endpoint = parse_endpoint(words[1]))
            sockets.push_back({protocol, endpoint->to_text()});
    }
    return sockets;
}

std::vector<ListeningSocket> parse_unix_sockets(std::string_view text)
{
    // "Num RefCount Protocol Flags Type St Inode Path", where a path may have blanks.
    constexpr size_t flags = 3;
    constexpr size_t path = 7;
    constexpr uint32_t accepts_connections = 0x10000;
    std::vector<ListeningSocket> sockets;
    for (auto line : split(text, '\n')) {
        std::vector<std::string_view> words;
        std::string_view rest = line;
        for (size_t number = 0; number < path && !rest.empty(); number++) {
            rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
            size_t end = std::min(rest.find(' '), rest.size());
            words.push_back(rest.substr(0, end));
            rest.remove_prefix(end);
        }
        if (words.size() < path || rest.size() < 2)
            continue;
        auto bits = parse_hexadecimal<uint32_t>(words[flags]);
        if (bits && (*bits & accepts_connections) != 0)
            sockets.push_back({"unix", std::string(rest.substr(1))});
    }
    return sockets;
}

} // namespace brig::inspect
