#include "egress/http_head.hpp"

#include "base/ip_address.hpp"
#include "base/text.hpp"
#include "egress/rules.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace brig::egress {

namespace {

constexpr size_t largest_head = 64 << 10;
constexpr size_t most_fields = 256;
constexpr std::string_view end_of_head = "\r\n\r\n";

// Of the connection between the client and whom it takes for the server or proxy, which ends here.
constexpr std::array<std::string_view, 8> fields_that_stay_here = {
    "connection", "proxy-connection", "keep-alive", "proxy-authorization", "upgrade", "http2-settings", "te", "host"};

bool is_letter_or_digit(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
}

bool is_token(std::string_view text)
{
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char letter) {
        return is_letter_or_digit(letter) || others.find(letter) != std::string_view::npos;
    });
}

bool is_visible(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char letter) { return letter > ' ' && letter < 0x7f; });
}

bool has_control_character(std::string_view text)
{
    return std::any_of(text.begin(), text.end(), [](char letter) {
        return (static_cast<unsigned char>(letter) < ' ' && letter != '\t') || letter == 0x7f;
    });
}

bool same_word(std::string_view one, std::string_view other)
{
    auto lower = [](char letter) { return letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter; };
    return std::equal(one.begin(), one.end(), other.begin(), other.end(), [&](char a, char b) { return lower(a) == lower(b); });
}

struct Authority {
    std::string host;
    uint16_t port = 0;
};

bool read_authority(std::string_view text, bool may_be_address, Authority& authority)
{
    std::string_view host = text;
    std::string_view port;
    auto colon = text.rfind(':');
    if (colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        auto number = parse_unsigned(port);
        if (!number || *number == 0 || *number > UINT16_MAX)
            return false;
        authority.port = static_cast<uint16_t>(*number);
    }
    if (may_be_address) {
        bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
        auto address = IpAddress::parse(bracketed ? host.substr(1, host.size() - 2) : host);
        if (address && address->v6 == bracketed) {
            authority.host = address->to_text();
            return true;
        }
    }
    auto name = normal_name(host);
    if (!name)
        return false;
    authority.host = std::move(*name);
    return true;
}

} // namespace

HeadState HttpHead::refuse(std::string_view reason)
{
    m_reason = reason;
    return HeadState::refused;
}

HeadState HttpHead::take(std::string_view bytes)
{
    size_t seen = m_head.size();
    m_head += bytes;
    size_t end = m_head.find(end_of_head, seen < end_of_head.size() ? 0 : seen - end_of_head.size() + 1);
    if (end == std::string::npos)
        return m_head.size() > largest_head ? refuse("http_head_too_long") : HeadState::need_more;
    if (end > largest_head)
        return refuse("http_head_too_long");
    m_head.resize(end + end_of_head.size());
    return read_head();
}

HeadState HttpHead::read_head()
{
    std::vector<Field> fields;
    std::string_view rest = std::string_view(m_head).substr(0, m_head.size() - 2);
    std::string_view request_line;
    while (!rest.empty()) {
        auto end = rest.find("\r\n");
        std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end + 2);
        if (has_control_character(line)) // a bare CR or LF is one
            return refuse("http_control_character");
        if (request_line.empty()) {
            if (!read_request_line(line))
                return refuse("http_broken_request_line");
            request_line = line;
            continue;
        }
        Field field;
        if (!read_field(line, field) || fields.size() == most_fields)
            return refuse("http_broken_field");
        fields.push_back(field);
    }
    if (!read_host(fields))
        return HeadState::refused;
    if (!read_body_fields(fields))
        return refuse("http_ambiguous_body");
    if (m_request.form != HttpForm::authority)
        write_head(request_line.substr(0, request_line.find(' ')), fields);
    return HeadState::complete;
}

bool HttpHead::read_request_line(std::string_view line)
{
    auto parts = split(line, ' ');
    if (parts.size() != 3 || !is_token(parts[0]) || parts[0].size() > 32 || !is_visible(parts[1]))
        return false;
    m_old_version = parts[2] == "HTTP/1.0";
    return (m_old_version || parts[2] == "HTTP/1.1") && read_target(parts[0], parts[1]);
}

bool HttpHead::read_target(std::string_view method, std::string_view target)
{
    constexpr std::string_view scheme = "http://";
    Authority authority;
    if (method == "CONNECT") {
        m_request.form = HttpForm::authority;
        if (!read_authority(target, true, authority) || authority.port == 0)
            return false;
    } else if (target.starts_with('/') || (target == "*" && method == "OPTIONS")) {
        m_path = std::string(target);
        return true;
    } else {
        if (target.size() < scheme.size() || !same_word(target.substr(0, scheme.size()), scheme))
            return false;
        m_request.form = HttpForm::absolute;
        target.remove_prefix(scheme.size());
        auto slash = target.find_first_of("/?#");
        if (!read_authority(target.substr(0, slash), false, authority))
            return false;
        m_path = slash == std::string_view::npos ? "/" : std::string(target.substr(slash));
        if (m_path.front() != '/')
            m_path = fmt::format("/{}", m_path);
    }
    m_request.host = std::move(authority.host);
    m_request.port = authority.port;
    return true;
}

bool HttpHead::read_field(std::string_view line, Field& field)
{
    auto colon = line.find(':');
    if (colon == std::string_view::npos)
        return false;
    field.name = line.substr(0, colon);
    field.value = trim(line.substr(colon + 1));
    return is_token(field.name);
}

bool HttpHead::read_host(const std::vector<Field>& fields)
{
    const Field* host = nullptr;
    for (const Field& field : fields) {
        if (!same_word(field.name, "host"))
            continue;
        if (host != nullptr) {
            m_reason = "http_several_hosts";
            return false;
        }
        host = &field;
    }
    bool named_by_target = m_request.form != HttpForm::origin;
    if (host == nullptr) {
        // HTTP/1.0 has no Host header; only a target that names the host can do without.
        m_reason = "http_without_host";
        return named_by_target && (m_old_version || m_request.form == HttpForm::authority);
    }
    Authority authority;
    if (!read_authority(host->value, m_request.form == HttpForm::authority, authority)) {
        m_reason = "http_broken_host";
        return false;
    }
    if (named_by_target && authority.host != m_request.host) {
        m_reason = "http_two_hosts";
        return false;
    }
    if (!named_by_target) {
        m_request.host = std::move(authority.host);
        m_request.port = authority.port;
    }
    return true;
}

bool HttpHead::read_body_fields(const std::vector<Field>& fields)
{
    bool counted = false;
    bool chunked = false;
    for (const Field& field : fields) {
        if (same_word(field.name, "content-length")) {
            auto size = parse_unsigned(field.value);
            if (counted || !size)
                return false;
            counted = true;
            m_request.body_size = *size;
        }
        if (same_word(field.name, "transfer-encoding")) {
            if (chunked || m_old_version || !same_word(field.value, "chunked"))
                return false;
            chunked = true;
        }
        // "Content_Length" is the same field for some servers.
        if (same_word(field.name, "content_length") || same_word(field.name, "transfer_encoding"))
            return false;
    }
    if (counted && chunked)
        return false;
    m_request.body = chunked ? HttpBody::chunked : counted ? HttpBody::counted : HttpBody::none;
    return m_request.form != HttpForm::authority || m_request.body == HttpBody::none || m_request.body_size == 0;
}

void HttpHead::write_head(std::string_view method, const std::vector<Field>& fields)
{
    std::string host = m_request.port == 0 ? m_request.host : fmt::format("{}:{}", m_request.host, m_request.port);
    std::string& head = m_request.head_to_send;
    head = fmt::format("{} {} {}\r\nHost: {}\r\n", method, m_path, m_old_version ? "HTTP/1.0" : "HTTP/1.1", host);
    for (const Field& field : fields) {
        bool stays = std::any_of(fields_that_stay_here.begin(), fields_that_stay_here.end(),
                                 [&](std::string_view name) { return same_word(field.name, name); });
        if (!stays)
            head += fmt::format("{}: {}\r\n", field.name, field.value);
    }
    head += "Connection: close\r\n\r\n";
}

HttpBodyReader::HttpBodyReader(const HttpRequest& request)
    : m_chunked(request.body == HttpBody::chunked), m_left(request.body == HttpBody::counted ? request.body_size : 0)
{
    if (m_chunked)
        m_state = State::size_line;
    else if (m_left > 0)
        m_state = State::data;
}

size_t HttpBodyReader::take(std::string_view bytes)
{
    size_t taken = 0;
    while (taken < bytes.size() && m_state != State::ended && m_state != State::broken) {
        if (m_state != State::data) {
            take_line_byte(bytes[taken++]);
            continue;
        }
        auto part = std::min<uint64_t>(m_left, bytes.size() - taken);
        taken += part;
        m_left -= part;
        if (m_left == 0)
            m_state = m_chunked ? State::data_end : State::ended;
    }
    return taken;
}

void HttpBodyReader::take_line_byte(char byte)
{
    constexpr size_t longest_line = 17; // fifteen digits and the end of the line
    m_line += byte;
    bool has_return = m_line.size() > 1 && m_line[m_line.size() - 2] == '\r';
    if (byte == '\n' && has_return) {
        m_line.resize(m_line.size() - 2);
        end_of_line();
        m_line.clear();
    } else if (byte == '\n' || has_return || m_line.size() > longest_line) {
        m_state = State::broken;
    }
}

void HttpBodyReader::end_of_line()
{
    if (m_state != State::size_line) {
        if (!m_line.empty())
            m_state = State::broken;
        else
            m_state = m_state == State::data_end ? State::size_line : State::ended;
        return;
    }
    auto [end, code] = std::from_chars(m_line.data(), m_line.data() + m_line.size(), m_left, 16);
    if (m_line.empty() || code != std::errc() || end != m_line.data() + m_line.size())
        m_state = State::broken;
    else
        m_state = m_left == 0 ? State::last_end : State::data;
}

} // namespace brig::egress
