#include "sandbox/one_shot.hpp"

#include "base/text.hpp"
#include "kernel/events.hpp"
#include "kernel/sockets.hpp"
#include "sandbox/sandbox.hpp"

#include <array>
#include <csignal>
#include <tuple>

namespace brig::sandbox {

namespace {

constexpr size_t piece = 4096; // what a ready pipe takes without blocking; the caller's streams are not ours to change

class CallersJob : public JobOwner {
public:
    CallersJob(const CallerStreams& streams, Fd to_program)
        : m_streams(streams), m_outputs{streams.output, streams.error}, m_to_program(std::move(to_program))
    {
    }

    bool has_room() const override { return m_pending[0].empty() && m_pending[1].empty(); }

    void take(StreamName stream, std::string_view bytes) override
    {
        auto index = static_cast<size_t>(stream);
        if (m_outputs[index].valid() && !m_gone[index])
            m_pending[index] += bytes;
    }

    void ended(Outcome outcome) override
    {
        if (outcome.standard_output.truncated)
            take(StreamName::standard_output, fmt::format("\n{}\n", truncation_mark));
        if (outcome.standard_error.truncated)
            take(StreamName::standard_error, fmt::format("\n{}\n", truncation_mark));
        m_outcome = std::move(outcome);
        m_to_program.reset();
    }

    void prepare(EventLoop& loop)
    {
        for (size_t index = 0; index < m_outputs.size(); index++)
            if (!m_pending[index].empty())
                loop.add({.fd = m_outputs[index].get(), .for_writing = true}, [this, index](const kernel::Watch&) {
                    write_out(index);
                    return Result<>();
                });
        if (m_to_program && m_input.empty())
            loop.add({.fd = m_streams.input.get(), .for_reading = true}, [this](const kernel::Watch&) {
                read_input();
                return Result<>();
            });
        if (m_to_program && !m_input.empty())
            loop.add({.fd = m_to_program.get(), .for_writing = true}, [this](const kernel::Watch&) {
                write_input();
                return Result<>();
            });
    }

    bool done() const { return m_outcome.has_value() && has_room(); }
    std::optional<Outcome>& outcome() { return m_outcome; }

private:
    void write_out(size_t index)
    {
        auto count = kernel::write_available(m_outputs[index], std::string_view(m_pending[index]).substr(0, piece));
        m_gone[index] = !count;
        m_pending[index].erase(0, count ? *count : m_pending[index].size());
    }

    void read_input()
    {
        auto data = kernel::read_available(m_streams.input, piece);
        if (data && !*data)
            return;
        if (data && !(*data)->empty())
            m_input = std::move(**data);
        else
            m_to_program.reset(); // the program sees the end
    }

    void write_input()
    {
        auto count = kernel::write_available(m_to_program, m_input);
        if (!count)
            m_to_program.reset(); // nobody reads it any more
        m_input.erase(0, count ? *count : m_input.size());
    }

    CallerStreams m_streams;
    std::array<FdRef, 2> m_outputs;
    std::array<bool, 2> m_gone = {false, false};
    std::array<std::string, 2> m_pending;
    Fd m_to_program;
    std::string m_input;
    std::optional<Outcome> m_outcome;
};

Result<> take_signals(const kernel::SignalQueue& signals, Sandbox& sandbox)
{
    while (auto signal = TRY(signals.next()))
        if (*signal == SIGTERM || *signal == SIGINT || *signal == SIGHUP || *signal == SIGQUIT)
            sandbox.stop_all_jobs(Reason::killed);
    return {};
}

Result<> watch_over(Sandbox& sandbox, CallersJob& job, const kernel::SignalQueue& signals)
{
    while (!job.done()) {
        EventLoop loop;
        loop.add({.fd = signals.fd().get(), .for_reading = true},
                 [&](const kernel::Watch&) { return take_signals(signals, sandbox); });
        sandbox.prepare(loop);
        job.prepare(loop);
        TRY(loop.turn());
        sandbox.keep_time();
    }
    return {};
}

} // namespace

Result<Outcome> run_once(const container::Context& context, Request request, Program program, Audit audit,
                         const CallerStreams& streams, FdRef lease)
{
    auto signals = TRY(kernel::SignalQueue::open());
    Fd input;
    Fd to_program;
    if (streams.input.valid()) {
        std::tie(input, to_program) = TRY(kernel::make_pipe());
        TRY(kernel::set_nonblocking(to_program));
    }
    CallersJob job(streams, std::move(to_program));
    int64_t timeout = request.limits.timeout;
    auto sandbox = TRY(Sandbox::create(context, std::move(request), std::move(audit), Life::one_program, lease));
    sandbox.start_job({.program = std::move(program),
                       .input = std::move(input),
                       .owner = &job,
                       .timeout = timeout,
                       .keep_output = !streams.output.valid()});
    auto watched = watch_over(sandbox, job, signals);
    if (auto removed = sandbox.remove(); !removed)
        context.log.warning(removed.error().message());
    if (auto written = sandbox.audit().write("removed"); !written)
        context.log.warning(written.error().message());
    TRY(std::move(watched));
    return std::move(*job.outcome());
}

} // namespace brig::sandbox
