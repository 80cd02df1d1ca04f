// Messages of D-Bus byte by byte, and hostile ones.
#include "base/text.hpp"
#include "cgroup/dbus_message.hpp"
#include "cgroup/systemd_manager.hpp"

#include <criterion/criterion.h>
#include <cstring>

using namespace brig;
using namespace brig::cgroup;

namespace {

std::string bytes(std::initializer_list<std::string_view> parts)
{
    std::string all;
    for (auto part : parts)
        all += part;
    return all;
}

std::string number(uint32_t value)
{
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

using namespace std::string_view_literals;

// A signal JobRemoved as systemd sends it.
std::string job_removed()
{
    BusWriter body;
    body.uint32(7);
    body.string("/org/freedesktop/systemd1/job/7");
    body.string("a.scope");
    body.string("done");
    BusCall call{"", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", body.bytes()};
    std::string message = encode_bus_call(call, 5);
    message[1] = static_cast<char>(BusMessageType::signal);
    return message;
}

void expect_same(const std::string& actual, const std::string& expected)
{
    cr_expect(actual == expected, "%s\ninstead of\n%s", actual.c_str(), expected.c_str());
}

} // namespace

Test(dbus_message, a_call_is_these_bytes)
{
    BusCall call{"", "/a", "", "Get", "s", bytes({number(1), "x\0"sv})};
    std::string expected = bytes({"l\1\0\1"sv, number(6), number(9), number(45), "\1\1o\0"sv, number(2), "/a\0"sv, "\0\0\0\0\0"sv,
                                  "\3\1s\0"sv, number(3), "Get\0"sv, "\0\0\0\0"sv, "\x8\1g\0\1s\0"sv});
    // fields: 8+3 +5 pad, 8+4 +4 pad, 7; then padded to 8
    uint32_t fields = static_cast<uint32_t>(expected.size() - 16);
    std::memcpy(expected.data() + 12, &fields, sizeof fields);
    expected.resize((expected.size() + 7) / 8 * 8);
    expected += bytes({number(1), "x\0"sv});
    cr_expect(encode_bus_call(call, 9) == expected);
}

Test(dbus_message, properties_of_a_unit_are_these_bytes)
{
    auto text = unit_property_arguments("a", {{"B", uint64_t{2}}, {"C", std::vector<uint8_t>{5}}});
    std::string expected =
        bytes({number(1), "a\0"sv, "\0\0"sv, number(1), number(45), number(1), "B\0"sv, "\1t\0"sv, "\0\0\0\0\0\0\0"sv, number(2),
               number(0), number(1), "C\0"sv, "\2ay\0"sv, "\0\0"sv, number(1), "\5"sv});
    uint32_t length = static_cast<uint32_t>(expected.size() - 16);
    std::memcpy(expected.data() + 12, &length, sizeof length);
    cr_expect(text == expected);
}

Test(dbus_message, a_scope_takes_its_process_along_and_a_slice_none)
{
    plan::SystemdUnit unit{.name = "a.scope", .description = "d", .properties = {{"Delegate", true}}};
    cr_expect(contains(transient_unit_arguments(unit, 0x01020304), bytes({"PIDs\0"sv, "\2au\0"sv})));
    cr_expect(contains(transient_unit_arguments(unit, 0x01020304), "\4\3\2\1"sv));
    unit.name = "a.slice";
    cr_expect(!contains(transient_unit_arguments(unit, 1), "PIDs"sv));
}

Test(dbus_message, reads_what_it_writes)
{
    std::string message = job_removed();
    auto read = decode_bus_message(message);
    cr_assert(read);
    cr_expect(read->type == BusMessageType::signal && read->member == "JobRemoved" && read->signature == "uoss");
    BusReader reader(read->body);
    cr_expect(*reader.uint32() == 7);
    cr_expect(*reader.string() == "/org/freedesktop/systemd1/job/7");
    cr_expect(*reader.string() == "a.scope");
    cr_expect(*reader.string() == "done");
    cr_expect(reader.at_end());
    cr_expect(!reader.uint32());
}

Test(dbus_message, every_truncation_is_refused)
{
    const std::string message = job_removed();
    for (size_t length = 0; length < message.size(); length++) {
        auto part = std::string_view(message).substr(0, length);
        auto told = bus_message_length(part);
        cr_expect(told && (length < 16 ? !told->has_value() : **told == message.size()));
        cr_expect(!decode_bus_message(part), "%zu bytes", length);
    }
    auto body = decode_bus_message(message)->body;
    for (size_t length = 0; length < body.size(); length++) {
        BusReader reader(std::string_view(body).substr(0, length));
        bool all = reader.uint32() && reader.string() && reader.string() && reader.string();
        cr_expect(!all, "%zu bytes", length);
    }
}

// Whatever one byte says, nothing is read outside of the message (the sanitizers watch) and nothing hangs.
Test(dbus_message, every_changed_byte_is_survived)
{
    const std::string message = job_removed();
    for (size_t index = 0; index < message.size(); index++)
        for (int value : {0, 1, 0x7f, 0x80, 0xff}) {
            std::string changed = message;
            changed[index] = static_cast<char>(value);
            auto read = decode_bus_message(changed);
            if (!read)
                continue;
            BusReader reader(read->body);
            (void)(reader.uint32() && reader.string() && reader.string() && reader.string());
        }
}

Test(dbus_message, lengths_are_bounded)
{
    std::string message = job_removed();
    for (size_t place : {size_t{4}, size_t{12}}) {
        std::string changed = message;
        uint32_t huge = 0xfffffff0;
        std::memcpy(changed.data() + place, &huge, sizeof huge);
        cr_expect(!bus_message_length(changed));
    }
    std::string both = message; // either alone would do
    uint32_t half = largest_bus_message / 2;
    for (size_t place : {size_t{4}, size_t{12}})
        std::memcpy(both.data() + place, &half, sizeof half);
    cr_expect(!bus_message_length(both));
    message[0] = 'B';
    cr_expect(!bus_message_length(message));
}

Test(dbus_message, object_paths)
{
    expect_same(unit_object_path("brig-web_1.scope"), "/org/freedesktop/systemd1/unit/brig_2dweb_5f1_2escope");
    expect_same(unit_object_path("1a.slice"), "/org/freedesktop/systemd1/unit/_31a_2eslice");
}

Test(dbus_message, sockets_of_a_session)
{
    auto text = [](const UserSession& session) {
        std::vector<std::string> paths;
        for (const auto& socket : manager_sockets(true, session))
            paths.push_back(socket.path + (socket.peer == BusConnection::Peer::bus ? " bus" : ""));
        return join(paths, ", ");
    };
    expect_same(text({"/run/user/7", ""}), "/run/user/7/systemd/private, /run/user/7/bus bus");
    expect_same(text({"", "unix:path=/a%20b,guid=1;tcp:host=x;unix:abstract=/y"}), "/a b bus");
    for (const char* address : {"unix:path=a", "unix:path=/a%2", "unix:path=/a%zz", "unix:", "", "x"})
        expect_same(text({"relative", address}), "");
}
