// DNS messages (RFC 1035, RFC 6891), as far as the broker speaks them. Pure.
//
// Nothing that the sandbox wrote goes upstream but a name and whether IPv4 or IPv6 addresses are wanted, and nothing that
// a name server wrote comes back but addresses: messages are made anew in both directions.
// Every loop is bounded by the message: a compression pointer has to point backwards, at most 64 records are read.
#pragma once

#include "base/ip_address.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace brig::egress::dns {

inline constexpr uint16_t type_a = 1;
inline constexpr uint16_t type_aaaa = 28;
inline constexpr size_t largest_message = 4096; // that is read; what the broker writes fits into 512 bytes
inline constexpr size_t most_addresses = 8;     // in an answer

enum class Code : uint8_t {
    no_error = 0,
    format_error = 1,
    server_failure = 2,
    no_such_name = 3,
    not_implemented = 4,
    refused = 5
};

struct Query {
    uint16_t id = 0;
    uint8_t operation = 0; // 0: a standard query
    bool recursion_desired = false;
    bool checking_disabled = false;
    // Of the one question. A byte that is in no host name is written as \DDD, so that no two names have the same text.
    std::string name;
    uint16_t type = 0;
    uint16_t record_class = 1;
    std::string question; // as it came, for the answer; empty when it could not be read
    Code problem = Code::no_error;
};

// Absent: it is no query, or too short to be answered. Otherwise `problem` says what an answer has to say.
std::optional<Query> parse_query(std::string_view message);

std::string make_answer(const Query& query, Code code, std::span<const IpAddress> addresses, uint32_t seconds_to_live);

// `name` is a normal host name.
std::string make_query(uint16_t id, std::string_view name, uint16_t type);

struct Response {
    Code code = Code::server_failure;
    std::vector<IpAddress> addresses; // of the question's type, behind its CNAMEs; most_addresses at most
    uint32_t seconds_to_live = 0;     // the least one of the records that were used
};

// Absent: it does not answer this query (another id, another question, no response, broken).
std::optional<Response> parse_response(std::string_view message, uint16_t id, std::string_view name, uint16_t type);

} // namespace brig::egress::dns
