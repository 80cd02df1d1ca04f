#include "kernel/system_call_names.hpp"

#include <array>
#include <seccomp.h>
#include <string_view>

namespace brig::kernel {

namespace {

struct NewCall {
    std::string_view name;
    uint32_t number;
};

// Since Linux 5.1 a new call has one number on all architectures, on top of the architecture's base.
constexpr std::array new_calls = {
    NewCall{"futex_waitv", 449},        NewCall{"set_mempolicy_home_node", 450}, NewCall{"cachestat", 451},
    NewCall{"fchmodat2", 452},          NewCall{"map_shadow_stack", 453},        NewCall{"futex_wake", 454},
    NewCall{"futex_wait", 455},         NewCall{"futex_requeue", 456},           NewCall{"statmount", 457},
    NewCall{"listmount", 458},          NewCall{"lsm_get_self_attr", 459},       NewCall{"lsm_set_self_attr", 460},
    NewCall{"lsm_list_modules", 461},   NewCall{"mseal", 462},                   NewCall{"setxattrat", 463},
    NewCall{"getxattrat", 464},         NewCall{"listxattrat", 465},             NewCall{"removexattrat", 466},
    NewCall{"open_tree_attr", 467},     NewCall{"file_getattr", 468},            NewCall{"file_setattr", 469},
    NewCall{"listns", 470},             NewCall{"rseq_slice_yield", 471},
};

// These fill holes of the x86_64 table, below the common numbers.
constexpr std::array new_calls_of_x86_64 = {
    NewCall{"uretprobe", 335},
    NewCall{"uprobe", 336},
};

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

} // namespace

std::optional<uint32_t> system_call_number(uint32_t architecture, const std::string& name)
{
    int number = seccomp_syscall_resolve_name_arch(architecture, name.c_str());
    if (number >= 0)
        return static_cast<uint32_t>(number);
    // Other negative numbers stand for calls that exist, but not on this architecture.
    if (number != __NR_SCMP_ERROR)
        return std::nullopt;
    return new_call_number(architecture, name);
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
