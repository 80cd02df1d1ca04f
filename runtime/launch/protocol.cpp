#include "launch/protocol.hpp"

#include "base/text.hpp"

#include <cstring>

namespace brig::launch {

std::string_view message_name(MessageKind kind)
{
    switch (kind) {
    case MessageKind::ids_mapped: return "ids_mapped";
    case MessageKind::cgroup_ready: return "cgroup_ready";
    case MessageKind::mount_source: return "mount_source";
    case MessageKind::hooks_done: return "hooks_done";
    case MessageKind::seccomp_program: return "seccomp_program";
    case MessageKind::start: return "start";
    case MessageKind::mount_source_needed: return "mount_source_needed";
    case MessageKind::root_ready: return "root_ready";
    case MessageKind::seccomp_listener: return "seccomp_listener";
    case MessageKind::ready: return "ready";
    case MessageKind::warning: return "warning";
    case MessageKind::failed: return "failed";
    }
    return "an unknown message";
}

Sequence::Sequence(const Conversation& conversation) : m_mount_sources(conversation.mount_sources)
{
    if (conversation.root_ready)
        m_expected.push_back(MessageKind::root_ready);
    if (conversation.seccomp_listener)
        m_expected.push_back(MessageKind::seccomp_listener);
    m_expected.push_back(MessageKind::ready);
}

Result<> Sequence::accept(MessageKind kind)
{
    if (kind == MessageKind::mount_source_needed && m_mount_sources && m_next == 0)
        return {};
    if (finished() || kind != m_expected[m_next])
        return failure(ErrorKind::internal, fmt::format("the container's init said {} when {} was due", message_name(kind),
                                                        finished() ? "nothing" : message_name(m_expected[m_next])));
    m_next++;
    return {};
}

namespace {

void append_number(std::string& bytes, uint32_t number)
{
    char raw[sizeof number];
    std::memcpy(raw, &number, sizeof number);
    bytes.append(raw, sizeof raw);
}

// Long foreign texts (a hook's output) are cut so that an error always fits a message.
void append_text(std::string& bytes, std::string_view text)
{
    constexpr size_t longest = 8192;
    text = text.substr(0, longest);
    append_number(bytes, static_cast<uint32_t>(text.size()));
    bytes += text;
}

class Reader {
public:
    explicit Reader(std::string_view bytes) : m_rest(bytes) {}

    uint32_t number()
    {
        uint32_t value = 0;
        if (m_rest.size() < sizeof value) {
            m_rest = {};
            return 0;
        }
        std::memcpy(&value, m_rest.data(), sizeof value);
        m_rest.remove_prefix(sizeof value);
        return value;
    }

    std::string text()
    {
        size_t announced = number(); // before the rest is measured: it moves on
        size_t length = std::min(announced, m_rest.size());
        std::string value(m_rest.substr(0, length));
        m_rest.remove_prefix(length);
        return value;
    }

private:
    std::string_view m_rest;
};

} // namespace

std::string encode_error(const Error& error)
{
    std::string bytes;
    append_number(bytes, static_cast<uint32_t>(error.kind()));
    append_number(bytes, static_cast<uint32_t>(error.code()));
    append_text(bytes, error.what());
    append_text(bytes, error.hint());
    append_number(bytes, static_cast<uint32_t>(std::min<size_t>(error.steps().size(), 4)));
    for (size_t index = 0; index < error.steps().size() && index < 4; index++)
        append_text(bytes, error.steps()[index]);
    return bytes;
}

Error decode_error(std::string_view bytes)
{
    Reader reader(bytes);
    auto kind = static_cast<ErrorKind>(std::min(reader.number(), static_cast<uint32_t>(ErrorKind::timed_out)));
    int code = static_cast<int>(reader.number());
    std::string what = reader.text();
    std::string hint = reader.text();
    Error error = Error(kind, std::move(what)).with_code(code).with_hint(std::move(hint));
    uint32_t steps = std::min<uint32_t>(reader.number(), 4);
    for (uint32_t index = 0; index < steps; index++) {
        Error outer = std::move(error).during(reader.text());
        error = std::move(outer);
    }
    return error;
}

} // namespace brig::launch
