#include <criterion/criterion.h>

#include "inspect/sockets_seen.hpp"

using namespace brig::inspect;

Test(sockets_seen, interfaces_but_lo)
{
    auto names = parse_interfaces("Inter-|   Receive                                                |  Transmit\n"
                                  " face |bytes    packets errs drop\n"
                                  "    lo:       0       0\n  eth0: 1226       9\n tap1:0 0\n");
    cr_expect(names == (std::vector<std::string>{"eth0", "tap1"}));
    cr_expect(parse_interfaces("").empty());
}

Test(sockets_seen, routes_by_other_devices_than_lo)
{
    const char* heading = "Iface\tDestination\tGateway \tFlags\n";
    cr_expect(!has_route(heading));
    cr_expect(!has_route(std::string(heading) + "lo\t0000007F\t00000000\t0001\n"));
    cr_expect(has_route(std::string(heading) + "eth0\t00000000\t010011AC\t0003\n"));
    cr_expect(!has_ipv6_route(""));
    cr_expect(!has_ipv6_route("00000000000000000000000000000001 80 0 00 0 00000000 00000002 00000000 80200001       lo\n"));
    cr_expect(has_ipv6_route("fe800000000000000000000000000000 40 0 00 0 00000100 00000001 00000000 00000001     eth0\n"));
}

Test(sockets_seen, internet_sockets_that_listen)
{
    auto tcp = parse_internet_sockets("  sl  local_address rem_address   st tx_queue rx_queue\n"
                                      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n"
                                      "   1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000\n"
                                      "   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0\n"
                                      "   3: zz:0050 00000000:0000 0A 00000000:00000000\n",
                                      "tcp");
    cr_assert(tcp.size() == 2);
    cr_expect_str_eq(tcp[0].address.c_str(), "127.0.0.1:8080");
    cr_expect_str_eq(tcp[1].address.c_str(), "[::1]:80");
    auto udp =
        parse_internet_sockets("  sl  local_address rem_address   st\n  9: 00000000:0035 00000000:0000 07 00000000:0\n", "udp");
    cr_assert(udp.size() == 1);
    cr_expect(udp[0].protocol == "udp" && udp[0].address == "0.0.0.0:53");
}

Test(sockets_seen, unix_sockets_that_accept)
{
    auto sockets = parse_unix_sockets("Num       RefCount Protocol Flags    Type St Inode Path\n"
                                      "0000000000000000: 00000002 00000000 00010000 0001 01 10 /run/a b.sock\n"
                                      "0000000000000000: 00000002 00000000 00010000 0001 01 11 @abstract\n"
                                      "0000000000000000: 00000003 00000000 00000000 0001 03 12 /run/connected\n"
                                      "0000000000000000: 00000002 00000000 00010000 0001 01 13\n");
    cr_assert(sockets.size() == 2);
    cr_expect_str_eq(sockets[0].address.c_str(), "/run/a b.sock");
    cr_expect_str_eq(sockets[1].address.c_str(), "@abstract");
}
