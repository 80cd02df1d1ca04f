#include "kernel/child_process.hpp"

#include "kernel/call.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"

#include <chrono>
#include <csignal>
#include <linux/sched.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace brig::kernel {

Result<CloneOutcome> clone_process(const CloneRequest& request)
{
    int pidfd = -1;
    struct clone_args arguments = {};
    arguments.flags = request.flags | CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
    // With CLONE_PARENT the kernel takes over the caller's own exit signal and refuses another one.
    if ((request.flags & CLONE_PARENT) == 0)
        arguments.exit_signal = static_cast<uint64_t>(request.exit_signal);
    if (request.cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = static_cast<uint64_t>(request.cgroup);
    }
    long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0)
        return BRIG_CALL_FAILED("clone3 flags {:#x}", arguments.flags);
    CloneOutcome outcome;
    outcome.in_child = pid == 0;
    outcome.pid = static_cast<pid_t>(pid);
    if (!outcome.in_child)
        outcome.pidfd = Fd(pidfd);
    return outcome;
}

namespace {

ExitStatus exit_status_from(int status)
{
    if (WIFSIGNALED(status))
        return {true, WTERMSIG(status)};
    return {false, WEXITSTATUS(status)};
}

} // namespace

Result<ExitStatus> wait_for(pid_t pid)
{
    int status = 0;
    if (retry_interrupted([&] { return ::waitpid(pid, &status, __WALL); }) < 0)
        return BRIG_CALL_FAILED("waitpid {}", pid);
    return exit_status_from(status);
}

Result<std::optional<ExitStatus>> wait_without_blocking(pid_t pid)
{
    int status = 0;
    pid_t ended = retry_interrupted([&] { return ::waitpid(pid, &status, __WALL | WNOHANG); });
    if (ended < 0)
        return BRIG_CALL_FAILED("waitpid {}", pid);
    if (ended == 0)
        return std::nullopt;
    return exit_status_from(status);
}

Result<Fd> pidfd_open(pid_t pid)
{
    long fd = ::syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return BRIG_CALL_FAILED("pidfd_open {}", pid);
    return Fd(static_cast<int>(fd));
}

Result<> pidfd_send_signal(FdRef pidfd, int signal)
{
    if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) < 0)
        return BRIG_CALL_FAILED("pidfd_send_signal {}", signal);
    return {};
}

Result<> check_signals()
{
    Fd own = TRY(pidfd_open(::getpid()));
    return pidfd_send_signal(own, 0);
}

Result<bool> wait_for_end(FdRef pidfd, int64_t milliseconds)
{
    return wait_readable(pidfd, milliseconds);
}

Result<> send_signal(pid_t pid, int signal)
{
    if (::kill(pid, signal) < 0)
        return BRIG_CALL_FAILED("kill {} with signal {}", pid, signal);
    return {};
}

namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& texts)
{
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (const auto& text : texts)
        pointers.push_back(const_cast<char*>(text.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

} // namespace

Result<ExitStatus> run_beside(const std::function<Error()>& execute)
{
    auto child = TRY(clone_process({}));
    if (child.in_child) {
        auto ready = set_parent_death_signal(SIGTERM);
        if (ready)
            ready = duplicate_onto(FdRef(2), 1);
        if (ready)
            (void)execute();
        exit_now(127);
    }
    return wait_for(child.pid);
}

std::vector<std::string> own_environment()
{
    std::vector<std::string> environment;
    for (char** entry = ::environ; *entry != nullptr; entry++)
        environment.emplace_back(*entry);
    return environment;
}

Error execute(const std::string& path, const std::vector<std::string>& args, const std::vector<std::string>& environment)
{
    auto argv = pointers_to(args);
    auto envp = pointers_to(environment);
    ::execve(path.c_str(), argv.data(), envp.data());
    return Error::system_call(errno, fmt::format("exec {}", one_line(path)));
}

Error execute_descriptor(FdRef file, const std::vector<std::string>& args, const std::vector<std::string>& environment)
{
    auto argv = pointers_to(args);
    auto envp = pointers_to(environment);
    ::syscall(SYS_execveat, file.get(), "", argv.data(), envp.data(), AT_EMPTY_PATH);
    return Error::system_call(errno, fmt::format("exec {}", path_of(file)));
}

void exit_now(int code)
{
    ::_exit(code);
}

namespace {

constexpr size_t kept_output = 4096;

[[noreturn]] void become_program(const SpawnRequest& request, FdRef input, FdRef output)
{
    (void)reset_signals();
    (void)::setpgid(0, 0); // a group of its own: past the time limit its children end with it
    bool ready = duplicate_onto(input, 0).has_value() && duplicate_onto(output, 1).has_value()
                 && duplicate_onto(output, 2).has_value() && close_descriptors_from(3).has_value();
    if (ready && !request.working_directory.empty())
        ready = change_directory(request.working_directory).has_value();
    if (ready) {
        Error error = execute(request.path, request.args, request.environment);
        (void)write_all(FdRef(2), error.message() + "\n");
    }
    exit_now(127);
}

void keep_tail(std::string& text, std::string_view more)
{
    text += more;
    if (text.size() > kept_output)
        text.erase(0, text.size() - kept_output);
}

// Collects output until the program has ended or the time is over. A grandchild that keeps the output open does not
// hold us: the end of the program decides.
Result<bool> collect_output(const SpawnRequest& request, Fd& output_reader, FdRef pidfd, std::string& output)
{
    using Clock = std::chrono::steady_clock;
    auto deadline = Clock::now() + std::chrono::milliseconds(request.timeout_milliseconds);
    while (true) {
        int left = -1;
        if (request.timeout_milliseconds >= 0) {
            auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
            if (rest <= 0)
                return false;
            left = static_cast<int>(rest);
        }
        struct pollfd entries[2] = {{pidfd.get(), POLLIN, 0}, {output_reader.get(), POLLIN, 0}};
        if (::poll(entries, 2, left) < 0 && errno != EINTR)
            return BRIG_CALL_FAILED("poll");
        if ((entries[1].revents & POLLIN) != 0)
            keep_tail(output, TRY(read_some(output_reader, kept_output)));
        else if ((entries[1].revents & (POLLHUP | POLLERR)) != 0)
            output_reader.reset();
        if ((entries[0].revents & POLLIN) != 0 && (entries[1].revents & POLLIN) == 0)
            return true;
    }
}

// A memory file rather than a pipe: a program that does not read its input cannot stop us or raise SIGPIPE.
Result<Fd> make_input(const std::string& text)
{
    Fd input = TRY(memory_file("stdin", 0));
    TRY(write_all(input, text));
    if (::lseek(input.get(), 0, SEEK_SET) < 0)
        return BRIG_CALL_FAILED("lseek");
    return input;
}

} // namespace

Result<SpawnOutcome> run_program(const SpawnRequest& request)
{
    Fd input = TRY(make_input(request.input));
    auto [output_reader, output_writer] = TRY(make_pipe());
    CloneOutcome child = TRY(clone_process({}));
    if (child.in_child)
        become_program(request, input, output_writer);
    output_writer.reset();

    SpawnOutcome outcome;
    auto ended = collect_output(request, output_reader, child.pidfd, outcome.output);
    outcome.timed_out = ended && !*ended;
    if (!ended || outcome.timed_out) {
        (void)send_signal(-child.pid, SIGKILL);
        (void)pidfd_send_signal(child.pidfd, SIGKILL);
    }
    outcome.status = TRY(wait_for(child.pid));
    if (!ended)
        return failure(std::move(ended).error());
    return outcome;
}

} // namespace brig::kernel
