#include "launch/resident_init.hpp"

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "kernel/events.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"
#include "kernel/terminal.hpp"
#include "launch/executable.hpp"
#include "launch/process_start.hpp"
#include "setup/landlock.hpp"

#include <array>
#include <fcntl.h>
#include <map>
#include <optional>

namespace brig::launch {

// ---- messages --------------------------------------------------------------------------------------------------------

std::string encode_order(const ProgramOrder& order)
{
    ByteWriter writer;
    writer.number(order.number).texts(order.programs).texts(order.arguments).texts(order.environment).text(order.cwd);
    writer.number(order.terminal ? 1 : 0).number(order.rows).number(order.columns);
    return writer.take();
}

Result<ProgramOrder> decode_order(std::string_view bytes)
{
    ByteReader reader(bytes);
    ProgramOrder order;
    order.number = reader.number();
    order.programs = reader.texts();
    order.arguments = reader.texts();
    order.environment = reader.texts();
    order.cwd = reader.text();
    order.terminal = reader.number() != 0;
    order.rows = static_cast<uint16_t>(reader.number());
    order.columns = static_cast<uint16_t>(reader.number());
    if (!reader.complete() || order.programs.empty())
        return failure(ErrorKind::internal, "an order to run a program cannot be read");
    return order;
}

std::string encode_end(const ProgramEnd& end)
{
    ByteWriter writer;
    writer.number(end.number).number(end.status.signaled ? 1 : 0).number(static_cast<uint32_t>(end.status.value));
    return writer.take();
}

Result<ProgramEnd> decode_end(std::string_view bytes)
{
    ByteReader reader(bytes);
    ProgramEnd end;
    end.number = reader.number();
    end.status.signaled = reader.number() != 0;
    end.status.value = static_cast<int>(reader.number());
    if (!reader.complete())
        return failure(ErrorKind::internal, "the end of a program cannot be read");
    return end;
}

// ---- the init --------------------------------------------------------------------------------------------------------

namespace {

class ResidentLoop {
public:
    ResidentLoop(StartContext& context, kernel::SignalQueue& signals, FdRef terminals)
        : m_context(context), m_signals(signals), m_terminals(terminals)
    {
    }

    Result<> run()
    {
        while (true) {
            std::array<kernel::Watch, 2> watches;
            watches[0] = {.fd = m_context.channel.socket().get(), .for_reading = true};
            watches[1] = {.fd = m_signals.fd().get(), .for_reading = true};
            TRY(kernel::wait_for_events(watches, -1));
            if (watches[1].readable)
                TRY(take_signals());
            if (!watches[0].readable && !watches[0].ended)
                continue;
            auto message = TRY(m_context.channel.receive());
            if (!message)
                return {};
            TRY(obey(*message));
        }
    }

private:
    Result<> take_signals()
    {
        while (TRY(m_signals.next())) {
        }
        while (auto child = TRY(kernel::reap_any_child())) {
            auto known = m_programs.find(child->pid);
            if (known == m_programs.end())
                continue; // an orphan of some program
            TRY(m_context.channel.send(MessageKind::program_ended, encode_end({known->second, child->status})));
            m_programs.erase(known);
        }
        return {};
    }

    Result<> obey(Received& message)
    {
        if (message.kind == MessageKind::run_program)
            return start_program(message);
        if (message.kind != MessageKind::signal_all || message.payload.size() != 1)
            return failure(ErrorKind::internal, "the supervisor sent a message that is none to a resident init");
        // ESRCH: there is nobody but this process.
        (void)kernel::send_signal(-1, message.payload[0]);
        return {};
    }

    Result<> start_program(Received& message)
    {
        ProgramOrder order = TRY(decode_order(message.payload));
        auto started = spawn(order, message.fds);
        if (started)
            return {};
        ByteWriter writer;
        writer.number(order.number).text(encode_error(started.error()));
        return m_context.channel.send(MessageKind::program_failed, writer.take());
    }

    Result<> spawn(const ProgramOrder& order, std::vector<Fd>& fds)
    {
        std::optional<kernel::TerminalPair> terminal;
        if (order.terminal) {
            terminal = TRY_DURING("make a terminal", kernel::open_terminal(m_terminals));
            TRY(kernel::set_terminal_size(terminal->master, {order.rows, order.columns}));
        } else if (fds.size() != 3) {
            return failure(ErrorKind::internal, "a program needs three descriptors");
        }
        auto [reader, writer] = TRY(kernel::sequenced_socket_pair());
        auto child = TRY(kernel::clone_process({}));
        if (child.in_child) {
            Error error = become_program(order, fds, terminal ? &*terminal : nullptr);
            (void)kernel::send_message(writer, encode_error(error));
            kernel::exit_now(127);
        }
        writer.reset();
        // Nothing of the sandbox's runs in the child until execve has closed its end.
        auto outcome = TRY(kernel::receive_message(reader, 1 << 16));
        if (!outcome.end_of_stream) {
            (void)kernel::wait_for(child.pid);
            return failure(decode_error(outcome.bytes));
        }
        m_programs[child.pid] = order.number;
        std::vector<int> sent = {child.pidfd.get()};
        if (terminal)
            sent.push_back(terminal->master.get());
        ByteWriter bytes;
        return m_context.channel.send(MessageKind::program_runs, bytes.number(order.number).take(), sent);
    }

    // In the child; returns only the error.
    Error become_program(const ProgramOrder& order, const std::vector<Fd>& fds, const kernel::TerminalPair* terminal)
    {
        std::string path;
        auto prepared = prepare_program(order, fds, terminal, path);
        if (!prepared)
            return std::move(prepared).error();
        std::vector<std::string> argv = {std::string(base_name(path))};
        if (order.programs.size() == 1)
            argv[0] = order.programs[0];
        argv.insert(argv.end(), order.arguments.begin(), order.arguments.end());
        return kernel::execute(path, argv, order.environment);
    }

    Result<> prepare_program(const ProgramOrder& order, const std::vector<Fd>& fds, const kernel::TerminalPair* terminal,
                             std::string& path)
    {
        TRY(kernel::new_session());
        if (terminal != nullptr)
            TRY(kernel::set_controlling_terminal(terminal->slave));
        for (int number : {0, 1, 2})
            TRY(kernel::duplicate_onto(terminal != nullptr ? FdRef(terminal->slave) : FdRef(fds[static_cast<size_t>(number)]),
                                       number));
        TRY(kernel::change_directory(order.cwd));
        path = TRY(first_executable(order));
        TRY(kernel::reset_signals());
        TRY(kernel::mark_close_on_exec_from(3));
        // The last thing, so that it needs to allow nothing of brig's own but execve.
        for (const auto& filter : m_context.filters)
            TRY_DURING("load the seccomp filter", setup::load_seccomp(filter));
        return {};
    }

    static Result<std::string> first_executable(const ProgramOrder& order)
    {
        auto found = find_executable(order.programs[0], order.environment);
        for (size_t index = 1; !found && index < order.programs.size(); index++)
            found = find_executable(order.programs[index], order.environment);
        return found;
    }

    StartContext& m_context;
    kernel::SignalQueue& m_signals;
    FdRef m_terminals;
    std::map<pid_t, uint64_t> m_programs;
};

// Descriptors of the supervisor's caller have no business here.
Result<> leave_stdio()
{
    Fd null = TRY(kernel::open_at(kernel::working_directory, "/dev/null", O_RDWR));
    for (int number : {0, 1, 2})
        TRY(kernel::duplicate_onto(null, number));
    return {};
}

Result<> be_resident(StartContext& context, const ResidentRequest& request)
{
    TRY(kernel::set_dumpable(false));
    TRY(kernel::set_process_name("brig-init"));
    auto signals = TRY(kernel::SignalQueue::open());
    std::vector<Fd> opened;
    for (const auto& path : request.directories)
        opened.push_back(TRY(kernel::open_at(kernel::working_directory, path, O_PATH | O_DIRECTORY)));
    std::vector<int> numbers;
    for (const auto& fd : opened)
        numbers.push_back(fd.get());
    // A root without terminals is fine until somebody wants one.
    auto terminals = kernel::open_at(kernel::working_directory, "/dev/pts", O_RDONLY | O_DIRECTORY);
    // Once and for all programs, while nothing has run here that could have changed what the paths mean.
    for (const auto& rules : context.process.landlock)
        TRY_DURING("apply the policy's Landlock rules", setup::apply_landlock(rules));
    TRY(context.channel.send(MessageKind::resident, {}, numbers));
    opened.clear();
    return ResidentLoop(context, signals, terminals ? FdRef(*terminals) : FdRef(-1)).run();
}

} // namespace

Error run_resident_init(StartContext& context, const ResidentRequest& request)
{
    auto left = leave_stdio();
    auto served = left ? be_resident(context, request) : left;
    if (served)
        kernel::exit_now(0);
    return std::move(served).error();
}

} // namespace brig::launch
