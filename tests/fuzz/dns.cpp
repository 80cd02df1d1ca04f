// DNS messages of a sandbox and of a name server.
// sources: runtime/egress/dns.cpp runtime/base/text.cpp runtime/base/error.cpp runtime/base/ip_address.cpp runtime/base/fmt_functions.cpp
#include "egress/dns.hpp"

#include <cstdlib>

using namespace brig;
using namespace brig::egress;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view message(reinterpret_cast<const char*>(data), size);
    if (auto query = dns::parse_query(message)) {
        std::vector<IpAddress> addresses(12, IpAddress::loopback(query->type == dns::type_aaaa));
        std::string answer = dns::make_answer(*query, query->problem, addresses, 60);
        if (answer.size() > 512)
            std::abort();
        // What we say about a question, we read ourselves.
        if (query->problem == dns::Code::no_error && !dns::parse_response(answer, query->id, query->name, query->type))
            std::abort();
    }
    for (uint16_t type : {dns::type_a, dns::type_aaaa})
        if (auto response = dns::parse_response(message, 0x1234, "a.b", type))
            for (const IpAddress& address : response->addresses)
                if (address.v6 != (type == dns::type_aaaa) || response->addresses.size() > dns::most_addresses)
                    std::abort();
    return 0;
}
