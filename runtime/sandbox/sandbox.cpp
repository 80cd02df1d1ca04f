#include "sandbox/sandbox.hpp"

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "cgroup/usage.hpp"
#include "kernel/file_events.hpp"
#include "kernel/file_space.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/procfs.hpp"
#include "launch/protocol.hpp"
#include "sandbox/bundle.hpp"

#include <csignal>

namespace brig::sandbox {

namespace {

// Processes of a killed init end with it; this bounds only what the kernel might do with them.
constexpr int64_t patience = 10'000;

Result<std::string> name_of_supervisor()
{
    auto stat = TRY(kernel::process_stat(kernel::process_id()));
    return fmt::format("{}:{}", kernel::process_id(), stat.start_time);
}

} // namespace

Result<Sandbox> Sandbox::create(const container::Context& context, Request request, Audit audit, Life life, FdRef lease)
{
    Sandbox sandbox(context, std::move(request), std::move(audit), life);
    Json configuration = TRY(container_configuration(sandbox.m_request, TRY(name_of_supervisor())));
    container::CreateRequest create;
    create.id = sandbox.m_request.id;
    create.bundle = sandbox.m_request.root;
    create.config_text = configuration.to_text();
    create.start_by = container::StartBy::handle;
    create.resident = launch::ResidentRequest{{workspace_path, temporary_path}, lease};
    create.keep_network = sandbox.m_request.network.open;
    sandbox.m_container = TRY(container::create(context, std::move(create)));
    auto begun = sandbox.begin();
    if (!begun) {
        (void)sandbox.remove();
        return failure(std::move(begun).error());
    }
    sandbox.note("created");
    return sandbox;
}

Result<> Sandbox::begin()
{
    constexpr size_t watched = 2;
    auto opened = TRY(m_container->launched.start_resident());
    if (opened.size() != watched)
        return failure(ErrorKind::internal, "the init opened other files than it was told to");
    // No program has run yet.
    auto& launched = m_container->launched;
    if (m_request.network.open)
        m_network.emplace(TRY_DURING("open the network",
                                     SandboxNetwork::open(m_request, launched.network_namespace,
                                                          m_context->rootless ? FdRef(launched.user_namespace) : FdRef(-1))));
    launched.network_namespace.reset();
    launched.user_namespace.reset();
    m_directories = std::move(opened);
    return {};
}

// `last`: nothing in the sandbox lives any more.
void Sandbox::read_network(bool last)
{
    if (!m_network)
        return;
    // The line has its own time, sandbox and event already.
    auto report = [this](const Json& decision) {
        Json details = Json::object();
        decision.view().for_each_member([&](std::string_view name, JsonView value) {
            if (name != "time" && name != "event" && name != "sandbox")
                details.set(name, Json::copy_of(value));
        });
        note("network", std::move(details));
    };
    if (last)
        m_network->close(report);
    else
        m_network->read(report);
}

void Sandbox::note(std::string_view event, Json details) const
{
    if (auto written = m_audit.write(event, std::move(details)); !written)
        m_context->log.warning(written.error().message());
}

// ---- what the kernel counts --------------------------------------------------------------------------------------------

uint64_t Sandbox::disk_used() const
{
    uint64_t used = 0;
    for (size_t index = m_request.workspace.empty() ? 0 : 1; index < m_directories.size(); index++)
        if (auto space = kernel::space_of(m_directories[index]))
            used += space->total_bytes - space->free_bytes;
    return used;
}

bool Sandbox::disk_is_full() const
{
    for (size_t index = m_request.workspace.empty() ? 0 : 1; index < m_directories.size(); index++)
        if (auto space = kernel::space_of(m_directories[index]))
            if (space->free_bytes == 0 || (space->total_files > 0 && space->free_files == 0))
                return true;
    return false;
}

Result<Metrics> Sandbox::metrics() const
{
    constexpr uint64_t millisecond = 1'000'000;
    Metrics metrics;
    auto usage = TRY(cgroup::read_usage(m_container->record.cgroups));
    metrics.cpu_user_ms = usage.cpu_user / millisecond;
    metrics.cpu_system_ms = usage.cpu_kernel / millisecond;
    metrics.memory_peak_bytes = usage.memory_peak;
    metrics.pids_peak = usage.pids_peak > 0 ? usage.pids_peak - 1 : 0; // without the init
    metrics.io_read_bytes = usage.io_read;
    metrics.io_write_bytes = usage.io_written;
    metrics.disk_used_bytes = disk_used();
    return metrics;
}

// ---- the loop ----------------------------------------------------------------------------------------------------------

void Sandbox::prepare(EventLoop& loop)
{
    if (!m_ended)
        loop.add({.fd = m_container->launched.channel.socket().get(), .for_reading = true},
                 [this](const kernel::Watch&) { return take_init_message(); });
    if (m_network && !m_network->over())
        loop.add({.fd = m_network->decisions().get(), .for_reading = true}, [this](const kernel::Watch&) {
            read_network(false);
            return Result<>();
        });
    for (const auto& job : m_jobs) {
        loop.wake_at(job.status ? 0 : job.killed ? 0 : job.kill_at != 0 ? job.kill_at : job.deadline);
        if (job.owner != nullptr && !job.owner->has_room())
            continue;
        for (auto stream : {StreamName::standard_output, StreamName::standard_error})
            if (const Fd& fd = job.outputs[static_cast<size_t>(stream)])
                loop.add({.fd = fd.get(), .for_reading = true}, [this, number = job.number, stream](const kernel::Watch&) {
                    read_output(number, stream);
                    return Result<>();
                });
    }
}

void Sandbox::keep_time()
{
    int64_t now = kernel::monotonic_milliseconds();
    for (auto& job : m_jobs) {
        if (job.status || job.killed)
            continue;
        if (job.kill_at != 0 && now >= job.kill_at) {
            job.killed = true;
            kill_everything();
        } else if (job.kill_at == 0 && job.deadline != 0 && now >= job.deadline) {
            stop_job(job.number, Reason::timeout);
        }
    }
}

Result<> Sandbox::take_init_message()
{
    auto message = m_container->launched.channel.receive();
    if (!message || !*message) {
        init_has_ended();
        return {};
    }
    auto kind = (*message)->kind;
    if (kind == launch::MessageKind::program_runs)
        job_runs(**message);
    else if (kind == launch::MessageKind::program_failed)
        job_failed(**message);
    else if (kind == launch::MessageKind::program_ended)
        job_ended(**message);
    return {};
}

// Killed, by us or by the kernel for want of memory: everything in the sandbox is dead.
void Sandbox::init_has_ended()
{
    m_alive = false;
    if (!m_ended && kernel::wait_for_end(m_container->launched.pidfd, patience).value_or(false))
        (void)kernel::wait_for(m_container->launched.pid);
    m_ended = true;
    for (auto& job : m_jobs) {
        if (job.status)
            continue;
        job.status = kernel::ExitStatus{true, SIGKILL};
        job.end_microseconds = kernel::monotonic_microseconds();
        if (!job.decided && cgroup::read_limit_events(m_container->record.cgroups).value_or(cgroup::LimitEvents{}).oom_kills == 0)
            job.decided = Reason::killed;
    }
    // Ended jobs leave the list when their output is read; those without any leave now.
    for (auto job = m_jobs.begin(); job != m_jobs.end();) {
        auto current = job++;
        if (!current->open())
            end_job(*current);
    }
}

// A killed init takes everything along; a frozen one is thawed for it.
void Sandbox::kill_everything()
{
    if (m_ended)
        return;
    auto status = container::state(*m_context, m_request.id);
    if (status && status->status == container::Status::paused)
        (void)cgroup::Cgroup::at(m_container->record.cgroups).kill_all(SIGKILL);
    if (m_life == Life::one_program || !status)
        (void)kernel::pidfd_send_signal(m_container->launched.pidfd, SIGKILL);
    else
        (void)m_container->launched.channel.send(launch::MessageKind::signal_all, std::string(1, static_cast<char>(SIGKILL)));
}

void Sandbox::kill()
{
    if (m_ended)
        return;
    auto group = cgroup::Cgroup::at(m_container->record.cgroups);
    (void)kernel::pidfd_send_signal(m_container->launched.pidfd, SIGKILL);
    (void)group.kill_all(SIGKILL);
    init_has_ended();
}

Result<> Sandbox::remove()
{
    m_alive = false;
    if (!m_ended)
        (void)kernel::pidfd_send_signal(m_container->launched.pidfd, SIGKILL);
    auto removed = container::remove(*m_context, m_request.id, true);
    if (!m_ended && removed) {
        m_ended = true;
        (void)kernel::wait_for(m_container->launched.pid);
    }
    return removed;
}

} // namespace brig::sandbox
