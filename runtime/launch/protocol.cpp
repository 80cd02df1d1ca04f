#include "launch/protocol.hpp"

#include "base/bytes.hpp"
#include "base/text.hpp"

#include <algorithm>

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
    case MessageKind::run_program: return "run_program";
    case MessageKind::signal_all: return "signal_all";
    case MessageKind::mount_source_needed: return "mount_source_needed";
    case MessageKind::root_ready: return "root_ready";
    case MessageKind::seccomp_listener: return "seccomp_listener";
    case MessageKind::ready: return "ready";
    case MessageKind::warning: return "warning";
    case MessageKind::failed: return "failed";
    case MessageKind::resident: return "resident";
    case MessageKind::program_runs: return "program_runs";
    case MessageKind::program_failed: return "program_failed";
    case MessageKind::program_ended: return "program_ended";
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

// Long foreign texts (a hook's output) are cut so that an error always fits a message.
constexpr size_t longest_text = 8192;
constexpr size_t most_steps = 4;

std::string_view cut(std::string_view text)
{
    return text.substr(0, longest_text);
}

} // namespace

std::string encode_error(const Error& error)
{
    ByteWriter writer;
    writer.number(static_cast<uint64_t>(error.kind())).number(static_cast<uint32_t>(error.code()));
    writer.text(cut(error.what())).text(cut(error.hint()));
    size_t steps = std::min(error.steps().size(), most_steps);
    writer.number(steps);
    for (size_t index = 0; index < steps; index++)
        writer.text(cut(error.steps()[index]));
    return writer.take();
}

Error decode_error(std::string_view bytes)
{
    ByteReader reader(bytes);
    auto kind = static_cast<ErrorKind>(std::min(reader.number(), static_cast<uint64_t>(ErrorKind::timed_out)));
    int code = static_cast<int>(reader.number());
    std::string what = reader.text();
    std::string hint = reader.text();
    Error error = Error(kind, std::move(what)).with_code(code).with_hint(std::move(hint));
    uint64_t steps = std::min<uint64_t>(reader.number(), most_steps);
    for (uint64_t index = 0; index < steps; index++) {
        Error outer = std::move(error).during(reader.text());
        error = std::move(outer);
    }
    return error;
}

} // namespace brig::launch
