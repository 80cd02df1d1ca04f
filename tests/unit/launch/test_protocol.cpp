// The order of the conversation and the way of an error through it, without any process.
#include "launch/protocol.hpp"

#include <criterion/criterion.h>
#include <vector>

using namespace brig;
using namespace brig::launch;

namespace {

bool accepts(const Conversation& conversation, const std::vector<MessageKind>& messages)
{
    Sequence sequence(conversation);
    for (auto kind : messages)
        if (!sequence.accept(kind))
            return false;
    return sequence.finished();
}

const Conversation plain = {};
const Conversation with_hooks = {.root_ready = true};
const Conversation with_users = {.user_namespace = true, .mount_sources = true, .root_ready = true};
const Conversation without_privilege = {.user_namespace = true, .root_ready = true};
const Conversation with_listener = {.seccomp = true, .seccomp_listener = true};

} // namespace

Test(sequence, takes_the_shortest_conversation)
{
    cr_assert(accepts(plain, {MessageKind::ready}));
}

Test(sequence, takes_each_part_in_its_order)
{
    using enum MessageKind;
    cr_assert(accepts(with_hooks, {root_ready, ready}));
    cr_assert(accepts(with_listener, {seccomp_listener, ready}));
    cr_assert(accepts(with_users, {mount_source_needed, mount_source_needed, root_ready, ready}));
}

Test(sequence, refuses_omissions)
{
    cr_assert_not(accepts(with_hooks, {MessageKind::ready}));
    cr_assert_not(accepts(with_listener, {MessageKind::ready}));
    cr_assert_not(accepts(with_hooks, {MessageKind::root_ready}), "an unfinished conversation is not accepted");
}

Test(sequence, refuses_repetitions)
{
    using enum MessageKind;
    cr_assert_not(accepts(plain, {ready, ready}));
    cr_assert_not(accepts(with_hooks, {root_ready, root_ready, ready}));
}

Test(sequence, refuses_what_is_not_part_of_it)
{
    using enum MessageKind;
    cr_assert_not(accepts(plain, {root_ready, ready}));
    cr_assert_not(accepts(plain, {mount_source_needed, ready}), "only a user namespace asks the launcher for mounts");
    cr_assert_not(accepts(without_privilege, {mount_source_needed, root_ready, ready}), "this launcher may not mount");
    cr_assert_not(accepts(plain, {start}), "the launcher's own messages cannot come from the init");
    cr_assert_not(accepts(plain, {static_cast<MessageKind>(0)}));
    cr_assert_not(accepts(plain, {static_cast<MessageKind>(255)}));
}

Test(sequence, refuses_mount_sources_after_the_root_is_ready)
{
    using enum MessageKind;
    cr_assert_not(accepts(with_users, {root_ready, mount_source_needed, ready}));
}

Test(sequence, names_what_was_due)
{
    auto refused = Sequence(with_hooks).accept(MessageKind::ready);
    cr_assert_not(refused);
    cr_assert(refused.error().message().find("root_ready") != std::string::npos, "%s", refused.error().message().c_str());
}

Test(error_message, survives_the_way_to_the_launcher)
{
    Error sent =
        Error::system_call(13, "open /x").with_kind(ErrorKind::not_found).with_hint("do this").during("inner").during("outer");
    Error received = decode_error(encode_error(sent));
    cr_assert_eq(static_cast<int>(received.kind()), static_cast<int>(sent.kind()));
    cr_assert_eq(received.code(), sent.code());
    cr_assert_eq(received.message(), sent.message(), "%s", received.message().c_str());
}

Test(error_message, is_cut_to_what_a_message_can_carry)
{
    Error sent(ErrorKind::invalid, std::string(1 << 20, 'x'));
    for (int step = 0; step < 100; step++)
        sent = Error(std::move(sent)).during(std::string(1 << 16, 'y'));
    cr_assert_lt(encode_error(sent).size(), 65536);
}

Test(error_message, of_hostile_bytes_reads_as_something)
{
    std::string bytes = encode_error(Error(ErrorKind::internal, "what").with_hint("hint").during("step"));
    for (size_t length = 0; length <= bytes.size(); length++)
        (void)decode_error(std::string_view(bytes).substr(0, length)).message();
    for (size_t index = 0; index < bytes.size(); index++) {
        std::string damaged = bytes;
        damaged[index] = static_cast<char>(0xff);
        (void)decode_error(damaged).message();
    }
}
