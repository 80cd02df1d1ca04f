#include "launch/process_start.hpp"

#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"
#include "launch/executable.hpp"
#include "setup/hooks.hpp"
#include "setup/identity.hpp"
#include "setup/landlock.hpp"
#include "setup/limits.hpp"
#include "setup/terminal.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>

namespace brig::launch {

Result<kernel::Procfs*> StartContext::verified_procfs()
{
    if (!procfs)
        procfs = TRY(kernel::Procfs::open());
    return &*procfs;
}

Result<> close_other_descriptors(const StartContext& context, const std::vector<int>& also_kept)
{
    std::vector<int> kept = also_kept;
    int lent = context.resident != nullptr ? context.resident->kept.get() : -1;
    for (int fd : {context.channel.socket().get(), context.start_listener.get(), context.until_execve.get(),
                   context.console_socket.get(), lent})
        if (fd >= 0)
            kept.push_back(fd);
    std::sort(kept.begin(), kept.end());
    auto first = static_cast<unsigned>(3) + context.process.preserved_fds;
    for (int fd : kept) {
        auto number = static_cast<unsigned>(fd);
        if (number < first)
            continue;
        if (number > first)
            TRY(kernel::close_descriptor_range(first, number - 1));
        first = number + 1;
    }
    return kernel::close_descriptors_from(first);
}

namespace {

Result<> apply_labels_if_any(StartContext& context)
{
    if (context.process.apparmor_profile.empty() && context.process.selinux_label.empty())
        return {};
    return setup::apply_labels(*TRY(context.verified_procfs()), context.process);
}

Result<> load_filter(StartContext& context, const setup::SeccompProgram& filter)
{
    auto listener = TRY_DURING("load the seccomp filter", setup::load_seccomp(filter));
    if (!listener)
        return {};
    return context.channel.send(MessageKind::seccomp_listener, {}, {listener->get()});
}

// With no_new_privs the filter is loaded as the very last thing, so that it needs to allow nothing of brig's own; a
// listener must be handed over while the launcher is still there.
bool loads_last(const StartContext& context, const setup::SeccompProgram& filter)
{
    return context.process.no_new_privileges && !filter.notifies;
}

Result<> load_filters(StartContext& context, bool last)
{
    for (const auto& filter : context.filters)
        if (loads_last(context, filter) == last)
            TRY(load_filter(context, filter));
    return {};
}

// The directory may be reachable only for the user or only for root: runc tries both, so do we.
Result<> enter_working_directory(const plan::Process& process)
{
    TRY(kernel::change_directory(process.cwd));
    // The kernel says "(unreachable)/..." for a directory outside of the root (CVE-2024-21626).
    std::string here = TRY(kernel::current_directory());
    if (here.empty() || here.front() != '/')
        return failure(Error(ErrorKind::invalid, fmt::format("process.cwd {} is outside of the container", quoted(process.cwd)))
                           .with_hint("use a directory of the root file system"));
    return {};
}

} // namespace

Result<> become_process(StartContext& context)
{
    const plan::Process& process = context.process;
    TRY(setup::apply_scheduling(process));
    TRY(setup::apply_memory_policy(process));
    TRY(setup::apply_personality(process));
    // Only a label needs a procfs here, and making one is among the dearer calls of a start.
    if (process.new_session_keyring && process.selinux_label.empty())
        TRY(setup::join_new_keyring(context.id));
    else if (process.new_session_keyring)
        TRY(setup::join_new_keyring(*TRY(context.verified_procfs()), context.id, process));
    if (!context.terminal && context.resident == nullptr)
        TRY(setup::give_stdio_to_user(process));
    TRY(apply_labels_if_any(context));
    TRY(setup::complete_home(context.environment, process.uid));
    TRY(setup::apply_no_new_privileges(process));
    auto entered = enter_working_directory(process);
    if (!entered && entered.error().kind() != ErrorKind::system)
        return entered;
    // Without no_new_privs a filter needs CAP_SYS_ADMIN, which the next step may drop.
    TRY(load_filters(context, false));
    if (!context.limits_are_set) {
        if (process.oom_score_adj)
            TRY(setup::apply_oom_score(*TRY(context.verified_procfs()), 0, process));
        TRY(setup::apply_rlimits(0, process));
    }
    TRY(setup::become_user(process));
    if (!entered)
        TRY(enter_working_directory(process));
    kernel::set_umask(process.umask);
    if (context.resident == nullptr)
        context.executable = TRY(find_executable(process.args[0], context.environment));
    return {};
}

namespace {

// Waits for `start` on a connection to the listener; a connection that closes first was a question ("are you there?").
Result<Channel> accept_start(FdRef listener)
{
    while (true) {
        Channel connection(TRY(kernel::accept_connection(listener)));
        auto message = connection.receive();
        if (message && *message && (*message)->kind == MessageKind::start)
            return connection;
    }
}

Result<> announce_ready(StartContext& context)
{
    std::vector<int> fds;
    if (context.terminal && context.terminal_to_caller)
        fds.push_back(context.terminal->master.get());
    if (context.terminal && context.console_socket)
        TRY(setup::send_terminal(context.console_socket, context.terminal->master,
                                 fmt::format("/dev/pts/{}", context.terminal->number)));
    // Before `ready`: the caller's own stdin, stdout and stderr must be free when `create` ends, engines wait for that.
    if (context.terminal)
        TRY(setup::adopt_terminal(context.terminal->slave));
    // From here on the caller's end is no longer ours: `create` returns and its process ends.
    // A resident init ends with its supervisor; becoming another user has cleared that.
    TRY(kernel::set_parent_death_signal(context.resident != nullptr ? SIGKILL : 0));
    TRY(context.channel.send(MessageKind::ready, {}, fds));
    context.terminal.reset();
    context.console_socket.reset();
    return {};
}

Result<> wait_for_start(StartContext& context)
{
    if (!context.start_listener.valid()) {
        (void)TRY(context.channel.expect(MessageKind::start));
        return {};
    }
    context.channel.close();
    context.channel = TRY(accept_start(context.start_listener));
    return {};
}

Result<> prepare_execve(StartContext& context)
{
    TRY(wait_for_start(context));
    if (context.start_container_hooks != nullptr)
        TRY(setup::run_hooks({"startContainer", context.hook_state, "/"}, *context.start_container_hooks));
    TRY(kernel::reset_signals());
    TRY(kernel::mark_close_on_exec_from(3 + context.process.preserved_fds));
    // Before the last filters, which need not allow what it takes.
    for (const auto& rules : context.process.landlock)
        TRY_DURING("apply the policy's Landlock rules", setup::apply_landlock(rules));
    TRY(load_filters(context, true));
    return {};
}

} // namespace

Error announce_and_execute(StartContext& context)
{
    auto ready = announce_ready(context);
    if (ready && context.resident != nullptr)
        ready = wait_for_start(context);
    else if (ready)
        ready = prepare_execve(context);
    if (!ready)
        return std::move(ready).error();
    if (context.resident != nullptr)
        return run_resident_init(context, *context.resident);
    return kernel::execute(context.executable, context.process.args, context.environment);
}

void report_and_exit(StartContext& context, const Error& error)
{
    // Nobody there to tell is fine: then the exit status says it.
    if (context.channel.open())
        (void)context.channel.send(MessageKind::failed, encode_error(error));
    kernel::exit_now(error.code() == ENOENT ? 127 : 126);
}

std::string encode_programs(const std::vector<setup::SeccompProgram>& programs)
{
    std::string bytes;
    for (const auto& program : programs) {
        std::string encoded = encode_program(program);
        auto size = static_cast<uint32_t>(encoded.size());
        bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
        bytes += encoded;
    }
    return bytes;
}

Result<std::vector<setup::SeccompProgram>> decode_programs(std::string_view bytes)
{
    std::vector<setup::SeccompProgram> programs;
    while (!bytes.empty()) {
        uint32_t size = 0;
        if (bytes.size() < sizeof size)
            return failure(ErrorKind::internal, "the compiled seccomp filters are cut short");
        std::memcpy(&size, bytes.data(), sizeof size);
        bytes.remove_prefix(sizeof size);
        if (bytes.size() < size)
            return failure(ErrorKind::internal, "the compiled seccomp filters are cut short");
        programs.push_back(TRY(decode_program(bytes.substr(0, size))));
        bytes.remove_prefix(size);
    }
    return programs;
}

std::string encode_program(const setup::SeccompProgram& program)
{
    char head[5];
    std::memcpy(head, &program.flags, 4);
    head[4] = program.notifies ? 1 : 0;
    return std::string(head, sizeof head) + program.instructions;
}

Result<setup::SeccompProgram> decode_program(std::string_view bytes)
{
    if (bytes.size() < 5)
        return failure(ErrorKind::internal, "a compiled seccomp filter is cut short");
    setup::SeccompProgram program;
    std::memcpy(&program.flags, bytes.data(), 4);
    program.notifies = bytes[4] != 0;
    program.instructions = std::string(bytes.substr(5));
    return program;
}

} // namespace brig::launch
