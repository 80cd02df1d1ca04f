#include "base/text.hpp"
#include "command/sandbox/client.hpp"
#include "command/sandbox/options.hpp"
#include "kernel/events.hpp"
#include "kernel/files.hpp"
#include "kernel/sockets.hpp"

#include <array>
#include <csignal>
#include <tuple>

namespace brig::command {

using sandbox::ControlKind;

namespace {

constexpr std::array options = {
    env_option, timeout_option, language_option, code_option, stdin_option, json_option,
};

constexpr size_t piece = 4096;

// Between the caller and the supervisor while the program runs.
class ExecSession {
public:
    ExecSession(const SandboxClient& client, const kernel::SignalQueue& signals, Fd to_program, bool json)
        : m_client(client), m_signals(signals), m_to_program(std::move(to_program)), m_json(json)
    {
    }

    Result<int> stay()
    {
        while (!m_status) {
            std::array<kernel::Watch, 4> watches;
            watches[0] = {.fd = m_client.socket().get(), .for_reading = true};
            watches[1] = {.fd = m_signals.fd().get(), .for_reading = true};
            watches[2] = {.fd = m_to_program && m_input.empty() ? 0 : -1, .for_reading = true};
            watches[3] = {.fd = m_to_program && !m_input.empty() ? m_to_program.get() : -1, .for_writing = true};
            TRY(kernel::wait_for_events(watches, -1));
            if (watches[1].readable)
                TRY(take_signals());
            if (watches[2].readable || watches[2].ended)
                read_input();
            if (watches[3].writable || watches[3].ended)
                write_input();
            if (watches[0].readable || watches[0].ended)
                TRY(take_answer());
        }
        return *m_status;
    }

    const std::string& reason() const { return m_reason; }
    const std::string& message() const { return m_message; }

private:
    Result<> take_signals()
    {
        while (auto signal = TRY(m_signals.next()))
            if (*signal == SIGINT || *signal == SIGTERM || *signal == SIGHUP || *signal == SIGQUIT)
                TRY(m_client.send({.kind = ControlKind::stop}));
        return {};
    }

    void read_input()
    {
        auto data = kernel::read_available(FdRef(0), piece);
        if (data && *data && !(*data)->empty())
            m_input = std::move(**data);
        else if (!data || *data)
            m_to_program.reset();
    }

    void write_input()
    {
        auto count = kernel::write_available(m_to_program, m_input);
        if (!count)
            m_to_program.reset();
        m_input.erase(0, count ? *count : m_input.size());
    }

    Result<> take_answer()
    {
        auto answer = TRY(m_client.receive());
        if (answer.message.kind == ControlKind::output)
            return kernel::write_all(FdRef(answer.message.number == 0 ? 1 : 2), answer.message.text);
        if (answer.message.kind != ControlKind::ended)
            return failure(ErrorKind::internal, "the supervisor answered something else");
        m_status = static_cast<int>(answer.message.number);
        m_reason = answer.message.reason;
        m_message = answer.message.text;
        if (m_json)
            return print(TRY(document_text(answer.fds)) + "\n");
        return {};
    }

    const SandboxClient& m_client;
    const kernel::SignalQueue& m_signals;
    Fd m_to_program;
    bool m_json;
    std::string m_input;
    std::optional<int> m_status;
    std::string m_reason;
    std::string m_message;
};

Result<int> run(const Invocation& invocation)
{
    const Arguments& arguments = invocation.arguments;
    bool json = arguments.flag("json");
    sandbox::ControlMessage message{.kind = ControlKind::exec, .timeout = -1, .whole = json};
    message.program = TRY(sandbox_program(arguments, 1));
    TRY(read_environment(message.program.environment, arguments));
    if (auto timeout = arguments.text_if_given("timeout"))
        message.timeout = TRY(parse_time("timeout", *timeout));
    TRY(approve_in_sandbox(invocation, message.program, "exec"));
    auto client = TRY(SandboxClient::connect(invocation, invocation.operand(0)));
    auto signals = TRY(kernel::SignalQueue::open());
    // A pipe of our own: the program must not get at the caller's terminal or sockets.
    Fd input;
    Fd to_program;
    if (arguments.flag("stdin")) {
        std::tie(input, to_program) = TRY(kernel::make_pipe());
        TRY(kernel::set_nonblocking(to_program));
        TRY(client.send(message, {input.get()}));
        input.reset();
    } else {
        TRY(client.send(message));
    }
    ExecSession session(client, signals, std::move(to_program), json);
    int status = TRY(session.stay());
    if (!json && session.reason() != "exited")
        invocation.log.write(LogLevel::error, fmt::format("sandbox {}: {}: {}", invocation.operand(0), session.reason(),
                                                          one_line(session.message())));
    return status;
}

} // namespace

constinit const Verb sandbox_exec_verb = {
    .name = "exec",
    .summary = "run a program in a sandbox that is there",
    .usage = "[options] ID -- COMMAND [ARGUMENT...] | --language LANGUAGE --code FILE [options] ID [-- ARGUMENT...]",
    .description =
        "As `brig sandbox run`, in a sandbox of `brig sandbox create`: the files of earlier programs are there. When the\n"
        "program is past its time, everything in the sandbox is killed, so that nothing of it is left.",
    .example = "  brig sandbox exec --timeout 10 --json notebook -- python3 -c 'print(1)'",
    .options = options,
    .least_operands = 1,
    .most_operands = any_number,
    .run = run,
    .order = OptionOrder::before_operands,
    .failure_code = 125,
};

} // namespace brig::command
