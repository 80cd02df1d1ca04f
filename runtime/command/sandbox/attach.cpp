#include "base/text.hpp"
#include "command/detach_keys.hpp"
#include "command/foreground.hpp"
#include "command/sandbox/client.hpp"
#include "command/sandbox/options.hpp"
#include "kernel/events.hpp"
#include "kernel/files.hpp"
#include "kernel/terminal.hpp"

#include <array>
#include <csignal>

namespace brig::command {

using sandbox::ControlKind;

namespace {

constexpr std::array options = {
    env_option,
    Option{"detach-keys", 0, OptionType::text, "KEYS", "keys that leave the terminal (default: ctrl-p,ctrl-q)"},
};

constexpr size_t piece = 4096;

// Between the caller's terminal and the supervisor.
class TerminalSession {
public:
    TerminalSession(const SandboxClient& client, const kernel::SignalQueue& signals, DetachKeys keys)
        : m_client(client), m_signals(signals), m_keys(std::move(keys))
    {
    }

    Result<int> stay()
    {
        TRY(m_terminal.make_raw());
        while (!m_status) {
            std::array<kernel::Watch, 3> watches;
            watches[0] = {.fd = m_client.socket().get(), .for_reading = true};
            watches[1] = {.fd = m_signals.fd().get(), .for_reading = true};
            watches[2] = {.fd = m_input_open ? 0 : -1, .for_reading = true};
            TRY(kernel::wait_for_events(watches, -1));
            if (watches[0].readable || watches[0].ended)
                TRY(take_answer());
            if (watches[1].readable)
                TRY(take_signals());
            if (watches[2].readable || watches[2].ended)
                TRY(take_keys());
        }
        return *m_status;
    }

    bool detached() const { return m_detached; }

private:
    Result<> take_answer()
    {
        auto answer = TRY(m_client.receive());
        if (answer.message.kind == ControlKind::output)
            return kernel::write_all(FdRef(1), answer.message.text);
        m_status = static_cast<int>(answer.message.number);
        m_detached = answer.message.reason == "detached";
        return {};
    }

    Result<> take_signals()
    {
        while (auto signal = TRY(m_signals.next())) {
            if (*signal == SIGWINCH)
                TRY(send_size());
            if (*signal == SIGTERM || *signal == SIGHUP)
                leave();
        }
        return {};
    }

    Result<> take_keys()
    {
        auto typed = kernel::read_available(FdRef(0), piece);
        if (typed && !*typed)
            return {};
        // Without a keyboard the program goes on and its output is shown.
        m_input_open = typed && !(*typed)->empty();
        if (!m_input_open)
            return {};
        std::string passed = m_keys.pass(**typed);
        if (!passed.empty())
            TRY(m_client.send({.kind = ControlKind::input, .text = passed}));
        if (m_keys.complete())
            leave();
        return {};
    }

    Result<> send_size()
    {
        auto size = kernel::terminal_size(FdRef(0));
        if (!size)
            return {};
        return m_client.send({.kind = ControlKind::resize, .rows = size->rows, .columns = size->columns});
    }

    void leave()
    {
        m_detached = true;
        m_status = 0;
    }

    const SandboxClient& m_client;
    const kernel::SignalQueue& m_signals;
    DetachKeys m_keys;
    CallerTerminal m_terminal;
    bool m_input_open = true;
    bool m_detached = false;
    std::optional<int> m_status;
};

Result<int> run(const Invocation& invocation)
{
    auto keys = TRY(DetachKeys::parse(invocation.arguments.text("detach-keys", "ctrl-p,ctrl-q")));
    sandbox::ControlMessage message{.kind = ControlKind::attach, .rows = 24, .columns = 80};
    if (auto size = kernel::terminal_size(FdRef(0)); size && size->rows > 0) {
        message.rows = size->rows;
        message.columns = size->columns;
    }
    const auto& operands = invocation.arguments.operands();
    message.program.programs = {"bash", "sh"};
    size_t first = operands.size() > 1 && operands[1] == "--" ? 2 : 1;
    if (operands.size() > first) {
        message.program.programs = {operands[first]};
        message.program.arguments.assign(operands.begin() + static_cast<std::ptrdiff_t>(first) + 1, operands.end());
    }
    message.program.environment = {"TERM=xterm"};
    TRY(read_environment(message.program.environment, invocation.arguments));
    TRY(approve_in_sandbox(invocation, message.program, "attach"));
    auto client = TRY(SandboxClient::connect(invocation, operands[0]));
    auto signals = TRY(kernel::SignalQueue::open());
    TRY(client.send(message));
    int status = 0;
    bool detached = false;
    {
        TerminalSession session(client, signals, std::move(keys));
        status = TRY(session.stay());
        detached = session.detached();
    }
    if (detached)
        TRY(print("\ndetached\n"));
    return status;
}

} // namespace

constinit const Verb sandbox_attach_verb = {
    .name = "attach",
    .summary = "sit down at a terminal in a sandbox",
    .usage = "[options] ID [COMMAND [ARGUMENT...]]",
    .description =
        "Begins COMMAND (default: a shell) on a terminal of its own, or goes on with the one that is there. The detach\n"
        "keys leave it running; the next attach shows the last of what it wrote. Exits with the program's status.",
    .example = "  brig sandbox attach notebook",
    .options = options,
    .least_operands = 1,
    .most_operands = any_number,
    .run = run,
    .order = OptionOrder::before_operands,
    .failure_code = 125,
};

} // namespace brig::command
