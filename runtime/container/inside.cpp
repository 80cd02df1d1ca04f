#include "container/inside.hpp"

#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"
#include "launch/channel.hpp"
#include "launch/spawn.hpp"

#include <sched.h>

namespace brig::container {

namespace {

Result<std::string> work_inside(const WorkInside& work, FdRef host_proc, bool user_namespace)
{
    (void)kernel::set_umask(022);
    TRY(kernel::set_parent_death_signal(SIGKILL));
    if (user_namespace) {
        TRY(kernel::set_groups({}));
        TRY(kernel::set_ids(0, 0));
    }
    Fd root = TRY(kernel::open_at(kernel::working_directory, "/", O_PATH | O_DIRECTORY));
    return work(root, host_proc);
}

} // namespace

Result<std::string> run_inside(FdRef init, uint64_t namespaces, const WorkInside& work)
{
    constexpr uint64_t joined = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC;
    Fd host_proc = TRY(kernel::open_at(kernel::working_directory, "/proc", O_PATH | O_DIRECTORY));
    auto [own_end, inner_end] = TRY(kernel::sequenced_socket_pair());
    launch::SpawnPlan spawn{.join_pidfd = init, .join_flags = namespaces & joined};
    auto spawned = TRY(launch::spawn_child(spawn, [&, end = &inner_end](bool) {
        launch::Channel channel(std::move(*end));
        auto done = work_inside(work, host_proc, (namespaces & CLONE_NEWUSER) != 0);
        (void)(done ? channel.send(launch::MessageKind::ready, *done)
                    : channel.send(launch::MessageKind::failed, launch::encode_error(done.error())));
        kernel::exit_now(0);
    }));
    inner_end.reset();
    auto answer = launch::Channel(std::move(own_end)).receive();
    TRY(kernel::wait_for(spawned.pid));
    auto message = TRY(std::move(answer));
    if (!message)
        return failure(ErrorKind::system, "the process that works in the container's mount namespace was killed");
    if (message->kind == launch::MessageKind::failed)
        return failure(launch::decode_error(message->payload));
    return std::move(message->payload);
}

} // namespace brig::container
