#include "kernel/system_call_names.hpp"

#include <criterion/criterion.h>
#include <cstdlib>
#include <seccomp.h>
#include <sys/syscall.h>
#include <vector>

using namespace brig::kernel;

// What libseccomp says by number must come back by name, also for calls whose number it hides behind socketcall and ipc.
Test(system_call_names, agree_with_the_numbers_of_libseccomp)
{
    struct Range {
        uint32_t architecture;
        uint32_t first;
    };
    for (Range range : std::vector<Range>{{SCMP_ARCH_X86_64, 0},
                                          {SCMP_ARCH_X86, 0},
                                          {SCMP_ARCH_X32, 0x40000000},
                                          {SCMP_ARCH_AARCH64, 0},
                                          {SCMP_ARCH_ARM, 0},
                                          {SCMP_ARCH_S390X, 0},
                                          {SCMP_ARCH_S390, 0},
                                          {SCMP_ARCH_PPC64LE, 0},
                                          {SCMP_ARCH_MIPSEL, 4000},
                                          {SCMP_ARCH_MIPS64, 5000},
                                          {SCMP_ARCH_RISCV64, 0}}) {
        int seen = 0;
        for (uint32_t number = range.first; number < range.first + 500; number++) {
            char* name = seccomp_syscall_resolve_num_arch(range.architecture, static_cast<int>(number));
            if (name == nullptr)
                continue;
            auto found = system_call_number(range.architecture, name);
            cr_expect(found == number, "%s of %#x: %d instead of %u", name, range.architecture,
                      found ? static_cast<int>(*found) : -1, number);
            seen++;
            std::free(name);
        }
        cr_expect(seen > 250, "%#x: %d", range.architecture, seen);
    }
}

Test(system_call_names, newer_than_libseccomp)
{
    cr_expect(system_call_number(SCMP_ARCH_X86_64, "mseal") == 462u);
    cr_expect(system_call_number(SCMP_ARCH_AARCH64, "mseal") == 462u);
    cr_expect(system_call_number(SCMP_ARCH_X86, "listns") == 470u);
    cr_expect(system_call_number(SCMP_ARCH_X32, "listns") == (0x40000000u | 470u));
    cr_expect(system_call_number(SCMP_ARCH_MIPSEL, "listns") == 4470u);
    cr_expect(system_call_number(SCMP_ARCH_X86_64, "uretprobe") == 335u);
    cr_expect(!system_call_number(SCMP_ARCH_AARCH64, "uretprobe"));
    cr_expect(!system_call_number(SCMP_ARCH_X86_64, "no_such_call"));
    // Known, but of other architectures.
    cr_expect(!system_call_number(SCMP_ARCH_X86_64, "socketcall"));
    cr_expect(!system_call_number(SCMP_ARCH_X86, "recv"));
}

Test(system_call_names, multiplexed)
{
    auto socket = multiplexed_call(SCMP_ARCH_X86, "socket");
    cr_assert(socket.has_value());
    cr_expect(socket->number == 102 && socket->function == 1);
    auto shmat = multiplexed_call(SCMP_ARCH_X86, "shmat");
    cr_assert(shmat.has_value());
    cr_expect(shmat->number == 117 && shmat->function == 21 && shmat->function_mask == 0xffff);
    cr_expect(!multiplexed_call(SCMP_ARCH_X86, "read"));
    cr_expect(!multiplexed_call(SCMP_ARCH_X86_64, "socket"));
    cr_expect(!multiplexed_call(SCMP_ARCH_AARCH64, "shmat"));
}

Test(system_call_names, architectures)
{
    cr_expect(is_known_architecture(SCMP_ARCH_X86_64));
    cr_expect(!is_known_architecture(0x12345678));
    cr_expect(is_known_to_libseccomp("socketcall"));
    cr_expect(!is_known_to_libseccomp("no_such_call"));
    cr_expect(has_narrow_arguments(SCMP_ARCH_X32));
    cr_expect(!has_narrow_arguments(SCMP_ARCH_X86));
}
