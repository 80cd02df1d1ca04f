#include "egress/address_class.hpp"
#include "egress/rules.hpp"

#include "base/text.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::egress;

static Rules rules(RuleTexts texts)
{
    auto parsed = Rules::parse(texts);
    cr_assert(parsed.has_value(), "%s", parsed ? "" : parsed.error().message().c_str());
    return std::move(*parsed);
}

Test(rules, exact_names_and_default_ports)
{
    Rules some = rules({.allow = {"PyPI.org."}});
    cr_expect(some.decide("pypi.org", 443).allowed() && some.decide("pypi.org", 80).allowed());
    cr_expect(some.decide("pypi.org", 8080).match == Match::port_not_listed);
    for (const char* name : {"www.pypi.org", "xpypi.org", "pypi.org.evil.example", "org"})
        cr_expect(some.decide(name, 443).match == Match::not_listed, "%s", name);
    cr_expect((some.ports() == std::vector<uint16_t>{80, 443}));
}

Test(rules, suffixes)
{
    Rules some = rules({.allow = {"*.pythonhosted.org:443"}});
    cr_expect(some.decide("files.pythonhosted.org", 443).allowed() && some.decide("a.b.pythonhosted.org", 443).allowed());
    cr_expect(!some.decide("pythonhosted.org", 443).allowed());
    cr_expect(!some.decide("evilpythonhosted.org", 443).allowed());
    cr_expect(!some.decide("files.pythonhosted.org", 80).allowed());
}

Test(rules, deny_wins)
{
    Rules some = rules({.allow = {"*.example.com", "a.example.com:22/tcp"}, .deny = {"b.example.com", "c.example.com:443"}});
    cr_expect(some.decide("b.example.com", 443).match == Match::denied);
    cr_expect(some.decide("c.example.com", 443).match == Match::denied && some.decide("c.example.com", 80).allowed());
    cr_expect(some.decide_lookup("c.example.com").allowed());
    cr_expect(some.decide_lookup("b.example.com").match == Match::denied);
    cr_expect(some.decide("a.example.com", 22).any_protocol && !some.decide("a.example.com", 443).any_protocol);
    cr_expect(rules({.allow = {"a.example", "a.example:443/tcp"}}).decide("a.example", 443).any_protocol);
    cr_expect(rules({.allow = {"a.example"}, .deny = {"*.example"}}).decide("a.example", 443).match == Match::denied);
}

Test(rules, nothing_is_allowed_without_rules)
{
    Rules none = rules({});
    cr_expect(none.empty() && none.ports().empty() && !none.decide("pypi.org", 443).allowed()
              && !none.decide_lookup("pypi.org").allowed());
}

Test(rules, bad_rules_are_refused)
{
    for (const char* bad :
         {"",           ".",    "*",     "*.",        "a..b",     "-a.b",    "a-.b",         "a b",      "a/b",
          "http://a.b", "a.b:", "a.b:0", "a.b:65536", "a.b:x",    "a.b/tcp", "*.*.a",        "a.*",      "1.2.3.4",
          "0x7f000001", "a.1",  "127.1", "[::1]",     "[::1]:80", "::1",     "b\xc3\xbc.de", "a.b:1/udp"}) {
        auto rule = Rule::parse(bad);
        cr_expect(!rule && rule.error().kind() == ErrorKind::invalid, "%s", bad);
    }
    cr_expect(!Rule::parse(std::string(64, 'a') + ".b"));
    std::string long_name;
    for (int label = 0; label < 5; label++)
        long_name += std::string(60, 'a') + ".";
    cr_expect(!Rule::parse(long_name));
    cr_expect(contains(Rule::parse("b\xc3\xbc.de").error().message(), "xn--"));
    cr_expect(!Rules::parse({.deny = {"a.b:22/tcp"}}));
    cr_expect(!Rules::parse({.allow_addresses = {"10.0.0.1/8"}}) && !Rules::parse({.allow_addresses = {"10.0.0.0/33"}}));
    RuleTexts many;
    for (int port = 1; port <= 65; port++)
        many.allow.push_back("a.b:" + std::to_string(1000 + port));
    cr_expect(!Rules::parse(many));
}

Test(rules, opted_in_addresses)
{
    Rules some = rules({.allow_addresses = {"10.1.0.0/16", "fd00::/8", "127.0.0.1"}});
    for (const char* inside : {"10.1.255.255", "fd12::1", "127.0.0.1"})
        cr_expect(some.address_is_opted_in(*IpAddress::parse(inside)), "%s", inside);
    for (const char* outside : {"10.2.0.0", "fe80::1", "127.0.0.2", "::ffff:10.1.0.1"})
        cr_expect(!some.address_is_opted_in(*IpAddress::parse(outside)), "%s", outside);
}

Test(addresses, text_both_ways)
{
    cr_expect(IpAddress::parse("2606:4700:0::6")->to_text() == "2606:4700::6"
              && IpAddress::parse("1.2.3.4")->to_text() == "1.2.3.4");
    for (const char* bad : {"", "1.2.3", "1.2.3.256", "01.2.3.4x", "fe80::1%lo", "0x1.2.3.4", "1.2.3.4 ", "::1::"})
        cr_expect(!IpAddress::parse(bad), "%s", bad);
    cr_expect((IpEndpoint{*IpAddress::parse("::1"), 53}.to_text() == "[::1]:53"));
}

Test(addresses, only_global_ones_are_dialled)
{
    for (const char* good : {"93.184.216.34", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0",
                             "223.255.255.255", "168.63.129.17", "2606:4700::1", "2a00:1450::1", "3ffe::1"})
        cr_expect(class_of(*IpAddress::parse(good)) == AddressClass::global, "%s", good);
    for (const char* bad : {"0.0.0.0",
                            "0.1.2.3",
                            "10.0.0.0",
                            "10.255.255.255",
                            "100.64.0.0",
                            "100.100.100.200",
                            "127.0.0.1",
                            "127.255.255.255",
                            "169.254.169.254",
                            "172.16.0.0",
                            "172.31.255.255",
                            "192.0.0.192",
                            "192.0.2.1",
                            "192.88.99.1",
                            "192.168.0.1",
                            "198.18.0.1",
                            "198.19.255.255",
                            "198.51.100.1",
                            "203.0.113.1",
                            "224.0.0.1",
                            "239.255.255.255",
                            "240.0.0.1",
                            "255.255.255.255",
                            "168.63.129.16",
                            "::",
                            "::1",
                            "::ffff:1.1.1.1",
                            "::1.1.1.1",
                            "64:ff9b::101:101",
                            "64:ff9b:1::1",
                            "100::1",
                            "2001::1",
                            "2001:db8::1",
                            "2001:20::1",
                            "2002:101:101::1",
                            "3fff::1",
                            "fc00::1",
                            "fd00:ec2::254",
                            "fe80::1",
                            "fec0::1",
                            "ff02::1",
                            "4000::1",
                            "::ffff:0:1.1.1.1"})
        cr_expect(class_of(*IpAddress::parse(bad)) != AddressClass::global, "%s", bad);
}
