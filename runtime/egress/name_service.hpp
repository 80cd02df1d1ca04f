// The sandbox's name server: answers for names that the rules allow, and for no other.
//
//   a name that no rule allows      NXDOMAIN; nothing leaves the host
//   an allowed name, A or AAAA      what the host's name server says, without addresses that are never dialled
//   another type of an allowed name an empty answer: no HTTPS record (keys for Encrypted Client Hello), no TXT
//   what is no such question        FORMERR, NOTIMP or REFUSED
//
// Runs in: the broker.
#pragma once

#include "egress/allowance.hpp"
#include "egress/dns.hpp"
#include "egress/event_loop.hpp"
#include "egress/services.hpp"
#include "kernel/internet.hpp"

#include <functional>
#include <memory>
#include <unordered_map>

namespace brig::egress {

class NameService {
public:
    explicit NameService(Services& services);
    ~NameService();
    NameService(const NameService&) = delete;
    NameService& operator=(const NameService&) = delete;

    // Takes what waits at a listener.
    void serve_datagrams(FdRef listener);
    void accept_streams(FdRef listener);
    void check_time();
    bool idle() const { return m_streams.empty(); }

private:
    class Stream;
    using Reply = std::function<void(std::string answer)>;

    void answer(std::string_view message, std::string_view via, const Reply& reply);
    void look_up(const dns::Query& query, std::string_view via, const Reply& reply);
    void report(const dns::Query& query, std::string_view via, Outcome outcome, std::string_view reason, std::string rule = {},
                std::string address = {});
    bool may_answer_now();

    Services& m_services;
    Allowance m_queries;
    int64_t m_dropped_reported_at = 0;
    std::unordered_map<uint64_t, std::unique_ptr<Stream>> m_streams;
    uint64_t m_next_stream = 1;
};

} // namespace brig::egress
