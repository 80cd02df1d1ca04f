#include "egress/dns.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::egress;

static std::string bytes(std::initializer_list<int> values)
{
    std::string text;
    for (int value : values)
        text += static_cast<char>(value);
    return text;
}

static const std::string name_a_b = bytes({1, 'a', 1, 'B', 0});

static std::string query_bytes(const std::string& name, int type = 1, int questions = 1, int flags = 1)
{
    return bytes({0x12, 0x34, flags, 0, 0, questions, 0, 0, 0, 0, 0, 0}) + name + bytes({0, type, 0, 1});
}

// An answer to the query 0x1234 for a.b, type A.
static std::string response_bytes(int answers, const std::string& records, int code = 0)
{
    return bytes({0x12, 0x34, 0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0}) + name_a_b + bytes({0, 1, 0, 1}) + records;
}

static const std::string address_record = bytes({0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 93, 184, 216, 34});

Test(dns, queries)
{
    auto query = dns::parse_query(query_bytes(name_a_b));
    cr_assert(query.has_value());
    cr_expect(query->problem == dns::Code::no_error && query->id == 0x1234 && query->name == "a.b" && query->type == dns::type_a);
    cr_expect(query->recursion_desired && query->question == name_a_b + bytes({0, 1, 0, 1}));
    cr_expect(dns::parse_query(dns::make_query(7, "pypi.org", dns::type_aaaa))->name == "pypi.org");
}

Test(dns, names_that_look_like_others)
{
    cr_expect(dns::parse_query(query_bytes(bytes({3, 'a', '.', 'b', 0})))->name == "a\\046b");
    cr_expect(dns::parse_query(query_bytes(bytes({2, 'a', 0, 1, 'b', 0})))->name == "a\\000.b");
    cr_expect(dns::parse_query(query_bytes(bytes({0})))->name.empty());
}

Test(dns, broken_queries)
{
    cr_expect(!dns::parse_query(""));
    cr_expect(!dns::parse_query(query_bytes(name_a_b, 1, 1, 0x81)), "a response is no query");
    cr_expect(!dns::parse_query(query_bytes(name_a_b) + std::string(dns::largest_message, 'x')));
    cr_expect(dns::parse_query(query_bytes(name_a_b, 1, 2))->problem == dns::Code::format_error);
    cr_expect(dns::parse_query(query_bytes(name_a_b, 1, 1, 0x11))->problem == dns::Code::not_implemented);
    cr_expect(dns::parse_query(query_bytes(bytes({64, 'a', 0})))->problem == dns::Code::format_error);
    std::string whole = query_bytes(name_a_b);
    for (size_t size = 12; size < whole.size(); size++)
        cr_expect(dns::parse_query(whole.substr(0, size))->problem == dns::Code::format_error, "%zu", size);
    std::string too_long;
    for (int label = 0; label < 5; label++)
        too_long += bytes({63}) + std::string(63, 'a');
    cr_expect(dns::parse_query(query_bytes(too_long + bytes({0})))->problem == dns::Code::format_error);
}

Test(dns, compression_does_not_loop)
{
    for (const std::string& name :
         {bytes({0xc0, 12}), bytes({1, 'a', 0xc0, 12}), bytes({0xc0, 14, 0xc0, 12}), bytes({0xc0, 0xff}), bytes({0xc0})})
        cr_expect(dns::parse_query(query_bytes(name))->problem == dns::Code::format_error);
}

Test(dns, answers)
{
    auto query = *dns::parse_query(query_bytes(name_a_b));
    IpAddress address = *IpAddress::parse("93.184.216.34");
    std::string message = dns::make_answer(query, dns::Code::no_error, std::span(&address, 1), 60);
    auto response = dns::parse_response(message, 0x1234, "a.b", dns::type_a);
    cr_assert(response.has_value());
    cr_expect(response->addresses == std::vector{address} && response->seconds_to_live == 60);
    std::vector<IpAddress> many(40, *IpAddress::parse("2606:4700::1"));
    cr_expect(dns::make_answer(query, dns::Code::no_error, many, 60).size() <= 512);
    cr_expect(dns::parse_response(dns::make_answer(query, dns::Code::no_such_name, {}, 0), 0x1234, "a.b", dns::type_a)->code
              == dns::Code::no_such_name);
}

Test(dns, responses_of_others)
{
    std::string message = response_bytes(1, address_record);
    cr_assert(dns::parse_response(message, 0x1234, "a.b", dns::type_a)->addresses.size() == 1);
    cr_expect(!dns::parse_response(message, 0x1235, "a.b", dns::type_a));
    cr_expect(!dns::parse_response(message, 0x1234, "a.c", dns::type_a));
    cr_expect(!dns::parse_response(message, 0x1234, "a.b", dns::type_aaaa));
    cr_expect(!dns::parse_response(query_bytes(name_a_b), 0x1234, "a.b", dns::type_a));
    std::string of_another = bytes({1, 'x', 0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 6, 6, 6, 6});
    cr_expect(dns::parse_response(response_bytes(1, of_another), 0x1234, "a.b", dns::type_a)->addresses.empty());
}

Test(dns, aliases_in_any_order_and_without_end)
{
    std::string alias = bytes({0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 30, 0, 3, 1, 'r', 0});
    std::string target = bytes({1, 'r', 0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 1, 2, 3, 4});
    for (const std::string& records : {alias + target, target + alias}) {
        auto response = dns::parse_response(response_bytes(2, records), 0x1234, "a.b", dns::type_a);
        cr_expect(response->addresses.size() == 1 && response->seconds_to_live == 30);
    }
    std::string circle = bytes({0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 30, 0, 2, 0xc0, 12});
    cr_expect(dns::parse_response(response_bytes(1, circle), 0x1234, "a.b", dns::type_a)->addresses.empty());
}

Test(dns, cut_and_wrong_records)
{
    std::string whole = response_bytes(2, address_record + address_record);
    for (size_t size = 0; size <= whole.size(); size++) {
        auto response = dns::parse_response(whole.substr(0, size), 0x1234, "a.b", dns::type_a);
        cr_expect(!response || response->addresses.size() <= 2);
    }
    std::string wrong_size = bytes({0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 3, 1, 2, 3});
    cr_expect(dns::parse_response(response_bytes(1, wrong_size), 0x1234, "a.b", dns::type_a)->addresses.empty());
}
