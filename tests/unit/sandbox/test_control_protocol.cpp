#include "sandbox/control_protocol.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::sandbox;

namespace {

ControlMessage full_message(ControlKind kind)
{
    ControlMessage message{.kind = kind,
                           .text = std::string("a\0b", 3),
                           .reason = "timeout",
                           .number = 9,
                           .timeout = -1,
                           .whole = true,
                           .rows = 24,
                           .columns = 80};
    message.program.programs = {"bash", "sh"};
    message.program.arguments = {"-c", ""};
    message.program.environment = {"A=b"};
    message.program.code = "";
    message.program.code_suffix = ".py";
    return message;
}

} // namespace

Test(control_protocol, every_kind_there_and_back)
{
    for (auto kind = static_cast<uint8_t>(ControlKind::exec); kind <= static_cast<uint8_t>(ControlKind::failed); kind++) {
        auto sent = full_message(static_cast<ControlKind>(kind));
        auto received = decode_control(encode_control(sent));
        cr_assert(received.has_value());
        cr_assert_eq(received->kind, sent.kind);
        cr_assert_eq(received->text, sent.text);
        cr_assert_eq(received->timeout, -1);
        cr_assert(received->whole);
        cr_assert_eq(received->program.programs.size(), 2);
        cr_assert(received->program.code.has_value());
        cr_assert_eq(received->program.terminal, sent.kind == ControlKind::attach);
        cr_assert_eq(received->program.columns, 80);
    }
}

Test(control_protocol, every_cut_and_every_wrong_kind_is_refused)
{
    std::string bytes = encode_control(full_message(ControlKind::exec));
    for (size_t length = 0; length < bytes.size(); length++)
        cr_assert_not(decode_control(std::string_view(bytes).substr(0, length)).has_value());
    cr_assert_not(decode_control(bytes + "x").has_value());
    for (char kind : {'\0', '\x7f'}) {
        bytes[0] = kind;
        cr_assert_not(decode_control(bytes).has_value());
    }
}
