#include "egress/allowance.hpp"
#include "egress/broker.hpp"
#include "egress/name_memory.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::egress;
using Names = std::vector<std::string>;

static IpAddress address(uint8_t last)
{
    return {false, {93, 184, 216, last}};
}

Test(name_memory, names_of_an_address)
{
    NameMemory memory(10);
    memory.remember("a.b", address(1), 1000);
    memory.remember("c.d", address(1), 2000);
    memory.remember("e.f", address(2), 2000);
    cr_expect((memory.names_of(address(1), 0) == Names{"a.b", "c.d"}));
    cr_expect((memory.names_of(address(1), 1000) == Names{"c.d"}));
    cr_expect(memory.names_of(address(3), 0).empty());
    memory.remember("a.b", address(1), 500);
    cr_expect(memory.names_of(address(1), 900).size() == 2, "a shorter time does not take the longer one back");
}

Test(name_memory, bounded)
{
    NameMemory memory(10);
    for (uint8_t number = 0; number < 200; number++) {
        memory.remember("a.b", address(number), 1000 + number);
        cr_assert(memory.size() <= 10);
    }
    cr_expect(memory.names_of(address(199), 0).size() == 1 && memory.names_of(address(0), 0).empty());
}

Test(allowance, fills_up)
{
    Allowance allowance(10, 5);
    cr_expect(allowance.left(0) == 5);
    for (int count = 0; count < 5; count++)
        cr_expect(allowance.take_one(0));
    cr_expect(!allowance.take_one(0) && !allowance.take_one(99) && allowance.take_one(100) && !allowance.take_one(150));
    cr_expect(allowance.left(1'000'000'000) == 5);
    cr_expect(Allowance(0, 1).left(0) == UINT64_MAX);
}

Test(resolvers, of_resolv_conf)
{
    auto found = resolvers_in(
        "# nameserver 9.9.9.9\nsearch a.b\nnameserver\t1.1.1.1\nnameserver 2606:4700::1 \nnameserver fe80::1%eth0\n");
    cr_assert(found.size() == 2);
    cr_expect(found[0].to_text() == "1.1.1.1:53" && found[1].to_text() == "[2606:4700::1]:53");
    cr_expect(resolvers_in("")[0].to_text() == "127.0.0.1:53");
}
