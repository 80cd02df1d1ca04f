#include "kernel/system_call_names.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <seccomp.h>
#include <span>
#include <string_view>

namespace brig::kernel {

namespace {

struct NewCall {
    std::string_view name;
    uint32_t number;
};

// Since Linux 5.1 a new call has one number on all architectures, on top of the architecture's base.
constexpr std::array new_calls = {
    NewCall{"futex_waitv", 449},       NewCall{"set_mempolicy_home_node", 450},
    NewCall{"cachestat", 451},         NewCall{"fchmodat2", 452},
    NewCall{"map_shadow_stack", 453},  NewCall{"futex_wake", 454},
    NewCall{"futex_wait", 455},        NewCall{"futex_requeue", 456},
    NewCall{"statmount", 457},         NewCall{"listmount", 458},
    NewCall{"lsm_get_self_attr", 459}, NewCall{"lsm_set_self_attr", 460},
    NewCall{"lsm_list_modules", 461},  NewCall{"mseal", 462},
    NewCall{"setxattrat", 463},        NewCall{"getxattrat", 464},
    NewCall{"listxattrat", 465},       NewCall{"removexattrat", 466},
    NewCall{"open_tree_attr", 467},    NewCall{"file_getattr", 468},
    NewCall{"file_setattr", 469},      NewCall{"listns", 470},
    NewCall{"rseq_slice_yield", 471},
};

// These fill holes of the x86_64 table, below the common numbers.
constexpr std::array new_calls_of_x86_64 = {
    NewCall{"uretprobe", 335},
    NewCall{"uprobe", 336},
};

// A call that socketcall(2) or ipc(2) also has, by its number there and its direct number on i386 (0: none).
struct Function {
    std::string_view name;
    uint32_t number;
    uint32_t direct;
};

// linux/net.h
constexpr auto socket_functions = std::to_array<Function>({
    {"accept", 5, 0},        {"accept4", 18, 364},    {"bind", 2, 361},      {"connect", 3, 362},   {"getpeername", 7, 368},
    {"getsockname", 6, 367}, {"getsockopt", 15, 365}, {"listen", 4, 363},    {"recv", 10, 0},       {"recvfrom", 12, 371},
    {"recvmmsg", 19, 337},   {"recvmsg", 17, 372},    {"send", 9, 0},        {"sendmmsg", 20, 345}, {"sendmsg", 16, 370},
    {"sendto", 11, 369},     {"setsockopt", 14, 366}, {"shutdown", 13, 373}, {"socket", 1, 359},    {"socketpair", 8, 360},
});

// linux/ipc.h
constexpr auto ipc_functions = std::to_array<Function>({
    {"msgctl", 14, 402},
    {"msgget", 13, 399},
    {"msgrcv", 12, 401},
    {"msgsnd", 11, 400},
    {"semctl", 3, 394},
    {"semget", 2, 393},
    {"semop", 1, 0},
    {"semtimedop", 4, 0},
    {"shmat", 21, 397},
    {"shmctl", 24, 396},
    {"shmdt", 22, 398},
    {"shmget", 23, 395},
});

const Function* find_function(std::span<const Function> functions, std::string_view name)
{
    auto found = std::ranges::find(functions, name, &Function::name);
    return found == functions.end() ? nullptr : &*found;
}

constexpr uint32_t x32_bit = 0x40000000;

uint32_t base_of(uint32_t architecture)
{
    switch (architecture) {
    case SCMP_ARCH_X32: return x32_bit;
    case SCMP_ARCH_MIPS:
    case SCMP_ARCH_MIPSEL: return 4000;
    case SCMP_ARCH_MIPS64:
    case SCMP_ARCH_MIPSEL64: return 5000;
    case SCMP_ARCH_MIPS64N32:
    case SCMP_ARCH_MIPSEL64N32: return 6000;
    default: return 0;
    }
}

std::optional<uint32_t> new_call_number(uint32_t architecture, std::string_view name)
{
    for (const auto& call : new_calls)
        if (call.name == name)
            return base_of(architecture) + call.number;
    if (architecture == SCMP_ARCH_X86_64)
        for (const auto& call : new_calls_of_x86_64)
            if (call.name == name)
                return call.number;
    return std::nullopt;
}

// By name libseccomp gives only the multiplexed way of such a call; by number it knows the direct one.
std::optional<uint32_t> direct_number(uint32_t architecture, const std::string& name)
{
    const Function* function = find_function(socket_functions, name);
    if (function == nullptr)
        function = find_function(ipc_functions, name);
    if (function == nullptr)
        return std::nullopt;
    if (architecture == SCMP_ARCH_X86)
        return function->direct == 0 ? std::nullopt : std::optional(function->direct);
    // recv(2) and send(2) have been left out by newer architectures; the search below is long.
    if (!multiplexes_calls(architecture))
        return std::nullopt;
    constexpr uint32_t more_than_any_architecture_has = 1000;
    for (uint32_t number = base_of(architecture); number < base_of(architecture) + more_than_any_architecture_has; number++) {
        char* candidate = seccomp_syscall_resolve_num_arch(architecture, static_cast<int>(number));
        bool found = candidate != nullptr && name == candidate;
        std::free(candidate);
        if (found)
            return number;
    }
    return std::nullopt;
}

} // namespace

std::optional<uint32_t> system_call_number(uint32_t architecture, const std::string& name)
{
    // Negative numbers stand for calls that exist, but not on this architecture, or not under a number of their own.
    constexpr int first_multiplexed = -100;
    constexpr int last_multiplexed = -299;
    int number = seccomp_syscall_resolve_name_arch(architecture, name.c_str());
    if (number >= 0)
        return static_cast<uint32_t>(number);
    if (number == __NR_SCMP_ERROR)
        return new_call_number(architecture, name);
    if (number <= first_multiplexed && number >= last_multiplexed)
        return direct_number(architecture, name);
    return std::nullopt;
}

bool multiplexes_calls(uint32_t architecture)
{
    return system_call_number(architecture, "socketcall") || system_call_number(architecture, "ipc");
}

std::optional<MultiplexedCall> multiplexed_call(uint32_t architecture, const std::string& name)
{
    constexpr uint32_t all_bits = 0xffffffff;
    constexpr uint32_t without_version = 0xffff; // ipc(2) keeps a version of the interface above
    if (const Function* socket_function = find_function(socket_functions, name)) {
        if (auto number = system_call_number(architecture, "socketcall"))
            return MultiplexedCall{*number, socket_function->number, all_bits};
    } else if (const Function* ipc_function = find_function(ipc_functions, name)) {
        if (auto number = system_call_number(architecture, "ipc"))
            return MultiplexedCall{*number, ipc_function->number, without_version};
    }
    return std::nullopt;
}

bool has_narrow_arguments(uint32_t architecture)
{
    return architecture == SCMP_ARCH_X32 || architecture == SCMP_ARCH_MIPS64N32 || architecture == SCMP_ARCH_MIPSEL64N32;
}

bool is_known_to_libseccomp(const std::string& name)
{
    return seccomp_syscall_resolve_name(name.c_str()) != __NR_SCMP_ERROR;
}

bool is_known_architecture(uint32_t architecture)
{
    return seccomp_syscall_resolve_name_arch(architecture, "read") != __NR_SCMP_ERROR;
}

} // namespace brig::kernel
