#include "kernel/worker_program.hpp"

#include "kernel/call.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"

#include <fcntl.h>

namespace brig::kernel {

namespace {

Result<Fd> duplicate_above(int fd, size_t lowest)
{
    int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(lowest));
    if (copy < 0)
        return BRIG_CALL_FAILED("fcntl F_DUPFD_CLOEXEC {}", fd);
    return Fd(copy);
}

// All are copied out of the way first: a wanted number may be one that is still to be copied.
Result<> place_descriptors(const std::vector<int>& descriptors)
{
    std::vector<Fd> copies;
    for (int descriptor : descriptors)
        copies.push_back(TRY(duplicate_above(descriptor, descriptors.size())));
    for (size_t index = 0; index < copies.size(); index++)
        TRY(duplicate_onto(copies[index], static_cast<int>(index)));
    return mark_close_on_exec_from(static_cast<unsigned>(descriptors.size()));
}

Error become_worker(const WorkerRequest& request)
{
    auto ready = reset_signals();
    if (ready && request.prepare)
        ready = request.prepare();
    auto executable = duplicate_above(request.executable.get(), request.descriptors.size());
    if (!executable)
        return std::move(executable).error();
    if (ready)
        ready = place_descriptors(request.descriptors);
    if (!ready)
        return std::move(ready).error();
    return execute_descriptor(*executable, request.args, request.environment);
}

} // namespace

Result<CloneOutcome> start_worker(const WorkerRequest& request)
{
    auto [reader, writer] = TRY(make_pipe());
    CloneOutcome child = TRY(clone_process({.cgroup = request.cgroup}));
    if (child.in_child) {
        auto report = duplicate_above(writer.get(), request.descriptors.size());
        Error error = become_worker(request);
        if (report)
            (void)write_all(*report, error.message());
        exit_now(127);
    }
    writer.reset();
    constexpr size_t longest_report = 64 << 10;
    auto report = read_all(reader, longest_report);
    if (report && report->empty())
        return child;
    (void)pidfd_send_signal(child.pidfd, SIGKILL);
    (void)wait_for(child.pid);
    if (!report)
        return failure(std::move(report).error());
    return failure(ErrorKind::system, std::move(*report));
}

} // namespace brig::kernel
