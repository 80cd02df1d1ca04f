// The head of an HTTP/1 request (RFC 9112) and where its body ends, read as the bytes arrive. Pure.
//
// One request a connection: it is written anew with "Connection: close", and nothing behind its body is passed on. So nobody
// but this reader decides where a request ends, and a second Host has no place to hide (request smuggling). Whatever servers
// read in more than one way is refused: several or no Host, Content-Length with Transfer-Encoding, bare CR or LF, folded
// lines, chunk extensions, trailers.
#pragma once

#include "egress/head_state.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace brig::egress {

enum class HttpForm {
    origin,    // GET /path, or OPTIONS *
    absolute,  // GET http://name/path
    authority, // CONNECT name:port
};

enum class HttpBody { none, counted, chunked };

struct HttpRequest {
    HttpForm form = HttpForm::origin;
    // Where it wants to go: the Host header or the authority, which agree. A normal name; for CONNECT it can also be an
    // IP address (IpAddress::parse takes it).
    std::string host;
    uint16_t port = 0; // 0: not said
    HttpBody body = HttpBody::none;
    uint64_t body_size = 0;   // when counted
    std::string head_to_send; // with the empty line; empty for CONNECT
};

class HttpHead {
public:
    // The bytes that follow those of the calls before.
    HeadState take(std::string_view bytes);

    size_t size() const { return m_head.size(); } // once complete: what follows it is the body
    const HttpRequest& request() const { return m_request; }
    std::string_view reason() const { return m_reason; } // of a refusal: a word with underscores

private:
    struct Field {
        std::string_view name;
        std::string_view value;
    };

    HeadState refuse(std::string_view reason);
    HeadState read_head();
    bool read_request_line(std::string_view line);
    bool read_target(std::string_view method, std::string_view target);
    bool read_field(std::string_view line, Field& field);
    bool read_body_fields(const std::vector<Field>& fields);
    bool read_host(const std::vector<Field>& fields);
    void write_head(std::string_view method, const std::vector<Field>& fields);

    std::string m_head;
    HttpRequest m_request;
    std::string m_path; // what the request line to send has as its target
    bool m_old_version = false;
    std::string_view m_reason;
};

// Follows a body to its end.
class HttpBodyReader {
public:
    explicit HttpBodyReader(const HttpRequest& request);

    // How many of the bytes belong to the body; fewer than all: it has ended, or is broken.
    size_t take(std::string_view bytes);
    bool ended() const { return m_state == State::ended; }
    bool broken() const { return m_state == State::broken; }

private:
    enum class State { data, size_line, data_end, last_end, ended, broken };

    void take_line_byte(char byte);
    void end_of_line();

    State m_state = State::ended;
    bool m_chunked = false;
    uint64_t m_left = 0;
    std::string m_line;
};

} // namespace brig::egress
