// The programs of a sandbox: begun by its init, read from here, ended here.
#include "sandbox/sandbox.hpp"

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "cgroup/usage.hpp"
#include "kernel/file_events.hpp"
#include "kernel/file_system_ids.hpp"
#include "kernel/files.hpp"
#include "kernel/sockets.hpp"
#include "launch/protocol.hpp"
#include "plan/make_plan.hpp"
#include "sandbox/artifacts.hpp"
#include "sandbox/end_reason.hpp"
#include "sandbox/policy_limits.hpp"

#include <algorithm>
#include <csignal>
#include <linux/openat2.h>

namespace brig::sandbox {

namespace {

constexpr size_t piece = 65536; // what a pipe holds

struct Pipe {
    Fd reader;
    Fd writer;
};

// A program may open its /dev/stdout again, as its user.
Result<Pipe> make_output(const Request& request)
{
    auto [reader, writer] = TRY(kernel::make_pipe());
    TRY(kernel::set_nonblocking(reader));
    (void)kernel::change_owner(writer, request.host_user.uid, request.host_user.gid);
    return Pipe{std::move(reader), std::move(writer)};
}

// Beside other files of the sandbox's /tmp, where any program may have put anything: a new file or none.
Result<std::string> store_code(FdRef temporary, const User& owner, const Program& program, uint64_t number)
{
    auto ids = TRY(kernel::FileSystemIds::become(owner.uid, owner.gid));
    std::string name = fmt::format("code-{}{}", number, program.code_suffix);
    Fd file = TRY(kernel::open_at2(temporary, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0444,
                                   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV));
    TRY(kernel::write_all(file, *program.code));
    return name;
}

} // namespace

// ---- begin -------------------------------------------------------------------------------------------------------------

uint64_t Sandbox::start_job(JobRequest request)
{
    uint64_t limit = m_request.limits.output;
    uint64_t number = m_next_number++;
    Job& job = m_jobs.emplace_back(Job{.captures = {Capture(limit, request.keep_output), Capture(limit, request.keep_output)}});
    job.number = number;
    job.owner = request.owner;
    job.terminal = request.program.terminal;
    job.timeout = request.timeout;
    job.begin_microseconds = kernel::monotonic_microseconds();
    job.detailed = request.keep_output;
    if (m_life == Life::until_removed)
        note_counts_before(job);
    if (request.timeout > 0)
        job.deadline = kernel::monotonic_milliseconds() + request.timeout;
    Result<> sent;
    if (m_jobs.size() > m_request.limits.programs)
        sent = failure(ErrorKind::refused, fmt::format("{} programs may run at the same time", m_request.limits.programs));
    else
        sent = send_order(request, job);
    if (!sent) {
        job.not_started = std::move(sent).error();
        end_job(job);
    }
    return number;
}

void Sandbox::note_counts_before(Job& job) const
{
    if (auto before = job.detailed ? metrics() : Metrics{})
        job.before = *before;
    if (auto before = cgroup::read_limit_events(m_container->record.cgroups)) {
        job.oom_kills_before = before->oom_kills;
        job.pids_refusals_before = before->pids_refusals;
    }
}

Result<> Sandbox::send_order(JobRequest& request, Job& job)
{
    launch::ProgramOrder order;
    order.number = job.number;
    order.programs = request.program.programs;
    order.arguments = request.program.arguments;
    order.environment = m_request.environment;
    order.environment.insert(order.environment.end(), request.program.environment.begin(), request.program.environment.end());
    order.environment = plan::deduplicated_environment(order.environment);
    if (m_request.policy_document)
        order.environment = TRY(allowed_environment(std::move(order.environment), *m_request.policy_document));
    order.cwd = workspace_path;
    order.terminal = request.program.terminal;
    order.rows = request.program.rows;
    order.columns = request.program.columns;
    if (request.program.code) {
        job.code_file =
            TRY_DURING("store the code", store_code(m_directories.at(1), m_request.host_user, request.program, job.number));
        order.arguments.insert(order.arguments.begin(), join_path(temporary_path, job.code_file));
    }
    const auto& channel = m_container->launched.channel;
    if (order.terminal)
        return channel.send(launch::MessageKind::run_program, launch::encode_order(order));
    auto output = TRY(make_output(m_request));
    auto error = TRY(make_output(m_request));
    if (!request.input)
        request.input = TRY(kernel::open_at(kernel::working_directory, "/dev/null", O_RDONLY));
    TRY(channel.send(launch::MessageKind::run_program, launch::encode_order(order),
                     {request.input.get(), output.writer.get(), error.writer.get()}));
    job.outputs = {std::move(output.reader), std::move(error.reader)};
    return {};
}

void Sandbox::job_runs(launch::Received& message)
{
    ByteReader reader(message.payload);
    Job* job = find_job(reader.number());
    if (job == nullptr || message.fds.empty())
        return;
    job->pidfd = std::move(message.fds[0]);
    if (job->terminal && message.fds.size() > 1) {
        (void)kernel::set_nonblocking(message.fds[1]);
        if (auto copy = kernel::duplicate(message.fds[1]))
            job->outputs[0] = std::move(*copy);
        job->input = std::move(message.fds[1]);
    }
    Json details = Json::object();
    note("started", std::move(details.set("job", Json::unsigned_number(job->number))));
    if (job->owner != nullptr)
        job->owner->started(job->number);
    // It was to be ended before it had begun.
    if (job->kill_at != 0)
        (void)kernel::pidfd_send_signal(job->pidfd, SIGTERM);
}

void Sandbox::job_failed(const launch::Received& message)
{
    ByteReader reader(message.payload);
    Job* job = find_job(reader.number());
    if (job == nullptr)
        return;
    job->not_started = launch::decode_error(reader.text());
    end_job(*job);
}

// ---- meanwhile -----------------------------------------------------------------------------------------------------------

Job* Sandbox::find_job(uint64_t number)
{
    auto found = std::ranges::find(m_jobs, number, &Job::number);
    return found == m_jobs.end() ? nullptr : &*found;
}

void Sandbox::disown(const JobOwner* owner)
{
    for (auto& job : m_jobs) {
        if (job.owner != owner)
            continue;
        job.owner = nullptr;
        // A terminal waits for the next one who attaches; the result of anything else nobody would ever see.
        if (!job.terminal)
            stop_job(job.number, Reason::killed);
    }
}

void Sandbox::adopt(Job& job, JobOwner* owner)
{
    if (job.owner != nullptr)
        job.owner->replaced();
    job.owner = owner;
    owner->take(StreamName::standard_output, job.screen.text());
}

bool Sandbox::only_terminals() const
{
    return std::ranges::all_of(m_jobs, &Job::terminal);
}

Json Sandbox::logs() const
{
    Json document = Json::object();
    document.set("sandbox_id", Json::string(m_request.id));
    set_stream(document, "stdout", {m_logs[0].text(), false});
    set_stream(document, "stderr", {m_logs[1].text(), false});
    document.set("forgotten_bytes", Json::unsigned_number(m_logs[0].forgotten() + m_logs[1].forgotten()));
    return document;
}

Result<> Sandbox::audit_file(std::string_view direction, const std::string& path, uint64_t size) const
{
    Json details = Json::object();
    details.set("direction", Json::string(direction)).set("path", Json::string(path)).set("size", Json::unsigned_number(size));
    return m_audit.write("file", std::move(details));
}

void Sandbox::read_output(uint64_t number, StreamName stream)
{
    Job* job = find_job(number);
    auto index = static_cast<size_t>(stream);
    if (job == nullptr || !job->outputs[index])
        return;
    auto data = kernel::read_available(job->outputs[index], piece);
    if (data && *data && !(*data)->empty()) {
        if (m_life == Life::until_removed)
            m_logs[index].append(**data);
        if (job->terminal)
            job->screen.append(**data);
        auto within = job->terminal ? std::string_view(**data) : job->captures[index].take(**data);
        if (job->owner != nullptr && !within.empty())
            job->owner->take(stream, within);
        if (job->captures[index].is_flood() && !job->decided)
            stop_job(number, Reason::output_limit);
        job->read_after_end += job->status ? (*data)->size() : 0;
    } else if (!data || *data) {
        job->outputs[index].reset();
    }
    bool nothing_left = data && !*data;
    // What the program had written is in its pipes when it ends; others that still hold them are not waited for.
    constexpr uint64_t most_after_end = 1 << 20;
    if (job->status && (nothing_left || job->read_after_end > most_after_end))
        job->outputs[index].reset();
    if (job->status && !job->open())
        end_job(*job);
}

void Sandbox::stop_job(uint64_t number, Reason reason)
{
    Job* job = find_job(number);
    if (job == nullptr || job->status || job->kill_at != 0)
        return;
    job->decided = reason;
    job->kill_at = kernel::monotonic_milliseconds() + std::max<int64_t>(m_request.limits.grace, 1);
    Json details = Json::object();
    note(reason == Reason::killed ? "stopped" : "limit",
         std::move(details.set("job", Json::unsigned_number(number)).set("reason", Json::string(reason_name(reason)))));
    // A frozen program would not notice.
    auto group = cgroup::Cgroup::at(m_container->record.cgroups);
    if (auto frozen = group.frozen(); frozen && *frozen)
        (void)group.thaw();
    if (m_life == Life::one_program)
        (void)m_container->launched.channel.send(launch::MessageKind::signal_all, std::string(1, static_cast<char>(SIGTERM)));
    else if (job->pidfd)
        (void)kernel::pidfd_send_signal(job->pidfd, SIGTERM);
}

void Sandbox::stop_all_jobs(Reason reason)
{
    for (auto& job : m_jobs)
        stop_job(job.number, reason);
}

// ---- end -----------------------------------------------------------------------------------------------------------------

void Sandbox::job_ended(const launch::Received& message)
{
    auto end = launch::decode_end(message.payload);
    Job* job = end ? find_job(end->number) : nullptr;
    if (job == nullptr)
        return;
    job->status = end->status;
    job->end_microseconds = kernel::monotonic_microseconds();
    if (m_life == Life::one_program) {
        kill_everything();
        init_has_ended();
        return;
    }
    // What it left behind does not outlive its time, though it went at TERM itself.
    if (job->decided)
        kill_everything();
    // A program may have closed both before its end.
    if (!job->open())
        return end_job(*job);
    for (auto stream : {StreamName::standard_output, StreamName::standard_error})
        read_output(end->number, stream);
}

EndFacts Sandbox::facts_of(const Job& job) const
{
    EndFacts facts{.decided = job.decided, .status = *job.status};
    // Limits are no reason of a success.
    if (job.decided || (!job.status->signaled && job.status->value == 0))
        return facts;
    if (auto events = cgroup::read_limit_events(m_container->record.cgroups)) {
        facts.oom_kills = events->oom_kills - job.oom_kills_before;
        facts.pids_refusals = events->pids_refusals - job.pids_refusals_before;
    }
    facts.disk_full = disk_is_full();
    return facts;
}

void Sandbox::fill_metrics(const Job& job, Metrics& target) const
{
    auto now = metrics();
    if (!now)
        return m_context->log.warning(now.error().message());
    target = *now;
    target.cpu_user_ms -= job.before.cpu_user_ms;
    target.cpu_system_ms -= job.before.cpu_system_ms;
    target.io_read_bytes -= job.before.io_read_bytes;
    target.io_write_bytes -= job.before.io_write_bytes;
}

Outcome Sandbox::outcome_of(Job& job)
{
    Outcome outcome;
    outcome.sandbox_id = m_request.id;
    outcome.traceparent = m_request.traceparent;
    if (job.not_started) {
        ErrorKind kind = job.not_started->kind();
        outcome.reason = kind == ErrorKind::refused ? Reason::refused : Reason::setup_failed;
        outcome.exit_code = kind == ErrorKind::refused ? -1 : kind == ErrorKind::not_found ? 127 : 126;
        outcome.message = job.not_started->message();
        return outcome;
    }
    outcome.reason = end_reason(facts_of(job));
    outcome.exit_code = outcome.reason == Reason::timeout ? -1 : job.status->as_exit_code();
    outcome.signal = job.status->signaled ? job.status->value : 0;
    outcome.message = end_message(outcome.reason, m_request, job.timeout, *job.status);
    outcome.standard_output = {job.captures[0].kept(), job.captures[0].truncated()};
    outcome.standard_error = {job.captures[1].kept(), job.captures[1].truncated()};
    outcome.execution_microseconds = job.end_microseconds - job.begin_microseconds;
    read_network(m_life == Life::one_program);
    if (m_network)
        outcome.network = m_network->so_far();
    if (job.detailed)
        fill_metrics(job, outcome.metrics);
    return outcome;
}

Result<> Sandbox::collect(Outcome& outcome) const
{
    if (m_request.artifacts.empty())
        return {};
    Fd folder = TRY(kernel::open_at(kernel::working_directory, m_request.artifacts, O_RDONLY | O_DIRECTORY));
    const auto& policy = m_request.policy_document;
    return collect_artifacts(folder, policy ? policy->artifacts : policy::Artifacts{}, m_request.limits, outcome);
}

void Sandbox::end_job(Job& job)
{
    Outcome outcome = outcome_of(job);
    JobOwner* owner = job.owner;
    uint64_t number = job.number;
    if (!job.code_file.empty())
        (void)kernel::remove_file(m_directories.at(1), job.code_file);
    m_jobs.remove_if([number](const Job& other) { return other.number == number; });
    if (auto collected = collect(outcome); !collected)
        m_context->log.warning(collected.error().message());
    Json details = Json::object();
    details.set("job", Json::unsigned_number(number))
        .set("reason", Json::string(reason_name(outcome.reason)))
        .set("exit_code", Json::number(outcome.exit_code));
    note("ended", std::move(details));
    if (owner != nullptr)
        owner->ended(std::move(outcome));
}

} // namespace brig::sandbox
