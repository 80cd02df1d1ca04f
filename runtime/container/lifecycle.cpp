#include "container/lifecycle.hpp"

#include "base/text.hpp"
#include "container/creation.hpp"
#include "container/ending.hpp"
#include "kernel/files.hpp"
#include "kernel/procfs.hpp"
#include "kernel/sockets.hpp"
#include "setup/hooks.hpp"
#include "spec/read_spec.hpp"

#include <algorithm>
#include <cerrno>

namespace brig::container {

namespace {

void run_poststart_hooks(const Context& context, const Record& record, const std::vector<spec::Hook>& hooks)
{
    if (!hooks.empty())
        setup::run_hooks_and_warn({"poststart", hook_state(record, Status::running).to_text(), record.bundle}, hooks,
                                  context.log);
}

tl::unexpected<Error> cannot_start(Status status)
{
    if (status == Status::stopped)
        return failure(ErrorKind::wrong_state, "cannot start a container that has stopped");
    if (status == Status::creating)
        return failure(ErrorKind::wrong_state, "cannot start a container that is still being created");
    if (status == Status::paused)
        return failure(Error(ErrorKind::wrong_state, "cannot start a paused container").with_hint("resume it first"));
    return failure(ErrorKind::wrong_state, "cannot start an already running container");
}

} // namespace

namespace {

struct Waiting {
    pid_t pid = 0;
    Fd pidfd;
    std::optional<Notifier> notifier;
};

Result<Waiting> prepare_notifying(const Context& context, const StateDirectory& directory, const Record& record,
                                  const std::string& notify_socket)
{
    Waiting waiting;
    if (notify_socket.empty())
        return waiting;
    if (!has_notify_directory(directory.fd())) {
        context.log.warning(
            fmt::format("$NOTIFY_SOCKET is set, but container {} was created without it and cannot say when it is "
                        "ready; set it for `brig create`, too",
                        record.id));
        return waiting;
    }
    waiting.pid = record.pid;
    waiting.pidfd = TRY(open_init(record));
    waiting.notifier = TRY(Notifier::open(directory.fd(), notify_socket, context.log));
    return waiting;
}

Result<Waiting> start_locked(const Context& context, const std::string& id, const std::string& notify_socket)
{
    StateStore store(context.state_root);
    StateDirectory directory = TRY(store.open(id, Locking::exclusive));
    Record record = TRY(directory.read_record());
    Status status = TRY(status_of(directory, record));
    if (status != Status::created)
        return cannot_start(status);
    Waiting waiting = TRY(prepare_notifying(context, directory, record, notify_socket));
    launch::Channel channel(TRY(kernel::connect_at(directory.fd(), start_socket_name)));
    TRY(channel.send(launch::MessageKind::start));
    TRY(launch::wait_for_execve(channel));
    TRY(directory.remove_file(start_socket_name));
    if (!record.has_poststart_hooks)
        return waiting;
    auto spec = TRY(spec::read_spec(TRY(directory.read_file("config.json"))));
    run_poststart_hooks(context, record, spec.hooks.value_or(spec::Hooks{}).poststart);
    return waiting;
}

} // namespace

Result<> start(const Context& context, const std::string& id, const std::string& notify_socket)
{
    // The lock is released before the wait: a container that is never ready can be killed and deleted.
    Waiting waiting = TRY(start_locked(context, id, notify_socket));
    return waiting.notifier ? waiting.notifier->wait_until_ready(waiting.pid, waiting.pidfd) : Result<>();
}

Result<> start(const Context& context, Created& created)
{
    TRY(created.launched.start());
    run_poststart_hooks(context, created.record, created.poststart_hooks);
    return {};
}

Result<ContainerState> state(const Context& context, const std::string& id)
{
    StateDirectory directory = TRY(StateStore(context.state_root).open(id, Locking::none));
    ContainerState result;
    result.record = TRY(directory.read_record());
    result.status = TRY(status_of(directory, result.record));
    return result;
}

Result<std::vector<ContainerState>> list(const Context& context)
{
    std::vector<ContainerState> states;
    for (const auto& id : TRY(StateStore(context.state_root).list())) {
        auto one = state(context, id);
        if (one)
            states.push_back(std::move(*one));
        else if (one.error().kind() != ErrorKind::not_found) // deleted meanwhile
            context.log.warning(one.error().message());
    }
    return states;
}

Result<std::vector<pid_t>> processes(const Context& context, const std::string& id)
{
    ContainerState container = TRY(state(context, id));
    if (container.status == Status::stopped)
        return std::vector<pid_t>{};
    std::vector<pid_t> pids;
    if (!container.record.cgroups.empty())
        pids = TRY(cgroup::Cgroup::at(container.record.cgroups).processes());
    else
        for (const auto& member : TRY(processes_without_cgroup(container.record)))
            pids.push_back(member.pid);
    std::sort(pids.begin(), pids.end());
    return pids;
}

} // namespace brig::container
