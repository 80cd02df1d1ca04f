// Enters a cgroup as a container's init does (cloned into the v2 directory, tasks files of v1) and does one thing there.
//
//   probe-cgroup LOCATIONS ACTION [ARGUMENT]     LOCATIONS: JSON as in the state file
//     show          prints /proc/self/cgroup
//     hold          prints "ready" and stays until it is killed
//     children N    forks N children that stay, prints how many the kernel allowed, and stays
//     open PATH     prints "ok" or the errno's name of open(PATH, O_RDWR)
//     mknod PATH    prints "ok" or the errno's name of making block device 8:0 at PATH
//     touch BYTES   writes to that much memory, prints "ok"
// Joining errors are printed as "failed: ...".
#include "base/json.hpp"
#include "base/text.hpp"
#include "cgroup/cgroup.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace brig;

namespace {

void say(const std::string& line)
{
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
}

[[noreturn]] void stay()
{
    while (true)
        ::pause();
}

std::string outcome(bool succeeded)
{
    return succeeded ? "ok" : strerrorname_np(errno);
}

unsigned fork_children(unsigned wanted)
{
    unsigned made = 0;
    for (; made < wanted; made++) {
        pid_t child = ::fork();
        if (child == 0)
            stay();
        if (child < 0)
            break;
    }
    return made;
}

void touch_memory(size_t size)
{
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        std::memset(memory, 1, size);
}

int act(const std::string& action, const std::string& argument)
{
    if (action == "show") {
        std::fputs(kernel::read_file(kernel::working_directory, "/proc/self/cgroup", 1 << 16)->c_str(), stdout);
        std::fflush(stdout);
    } else if (action == "hold") {
        say("ready");
        stay();
    } else if (action == "children") {
        say(std::to_string(fork_children(static_cast<unsigned>(std::atoi(argument.c_str())))));
        stay();
    } else if (action == "open") {
        say(outcome(::open(argument.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK) >= 0));
    } else if (action == "mknod") {
        say(outcome(::mknod(argument.c_str(), S_IFBLK | 0600, makedev(8, 0)) == 0));
    } else if (action == "touch") {
        touch_memory(std::strtoul(argument.c_str(), nullptr, 10));
        say("ok");
    }
    return 0;
}

Result<int> run(const std::string& locations, const std::string& action, const std::string& argument)
{
    auto json = TRY(Json::parse(locations));
    auto group = cgroup::Cgroup::at(TRY(cgroup::locations_from_json(json.view())));
    auto files = TRY(group.open_join_files(true));
    Fd unified = TRY(group.open_unified_directory());
    kernel::CloneRequest request;
    request.cgroup = unified.get();
    auto clone = kernel::clone_process(request);
    if (!clone)
        return failure(group.explain_join_failure(std::move(clone).error()));
    if (clone->in_child) {
        // Nothing may survive a test that failed.
        (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (auto joined = cgroup::join_by_tasks(files); !joined) {
            say("failed: " + joined.error().message());
            return 1;
        }
        return act(action, argument);
    }
    return TRY(kernel::wait_for(clone->pid)).as_exit_code();
}

} // namespace

int main(int count, char** arguments)
{
    if (count < 3)
        return 2;
    auto result = run(arguments[1], arguments[2], count > 3 ? arguments[3] : "");
    if (!result)
        say("failed: " + result.error().message());
    return result.value_or(1);
}
