#include "kernel/present_calls.hpp"

#include <array>
#include <cerrno>
#include <sys/syscall.h>
#include <unistd.h>

namespace brig::kernel {

std::vector<PresentCall> newer_calls()
{
    struct Question {
        std::string_view name;
        long number;
        std::array<long, 3> arguments;
    };
    constexpr std::array questions = {
        Question{"openat2", SYS_openat2, {-1, 0, 0}},
        Question{"clone3", SYS_clone3, {0, 0, 0}},
        Question{"fsopen", SYS_fsopen, {0, -1, 0}},
        Question{"fsconfig", SYS_fsconfig, {-1, -1, 0}},
        Question{"fsmount", SYS_fsmount, {-1, -1, -1}},
        Question{"open_tree", SYS_open_tree, {-1, 0, -1}},
        Question{"move_mount", SYS_move_mount, {-1, 0, -1}},
        Question{"mount_setattr", SYS_mount_setattr, {-1, 0, -1}},
        Question{"close_range", SYS_close_range, {1, 0, 0}},
        Question{"pidfd_open", SYS_pidfd_open, {-1, -1, 0}},
        Question{"pidfd_send_signal", SYS_pidfd_send_signal, {-1, 0, 0}},
    };
    std::vector<PresentCall> calls;
    for (const auto& question : questions) {
        const auto& arguments = question.arguments;
        bool refused = ::syscall(question.number, arguments[0], arguments[1], arguments[2], 0, 0) < 0;
        calls.push_back({question.name, !(refused && errno == ENOSYS)});
    }
    return calls;
}

} // namespace brig::kernel
