// What a filter lets through, as the evaluator sees it without arguments, against what the program answers to real calls.
#include <criterion/criterion.h>

#include "inspect/filter_reach.hpp"
#include "setup/seccomp.hpp"
#include "spec/read_spec.hpp"
#include "unit/setup/filter_machine.hpp"

#include <algorithm>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace brig;
using namespace brig::inspect;

namespace {

std::string compiled(const std::string& json)
{
    auto spec = spec::read_spec(R"({"ociVersion": "1.0.0", "linux": {"seccomp": )" + json + "}}");
    cr_assert(spec.has_value(), "%s", spec ? "" : spec.error().message().c_str());
    auto program = setup::compile_seccomp(*spec->linux->seccomp);
    cr_assert(program.has_value(), "%s", program ? "" : program.error().message().c_str());
    return program->instructions;
}

FilterReach reach(const std::vector<std::string>& filters)
{
    auto found = reach_of({filters.begin(), filters.end()});
    cr_assert(found.has_value(), "%s", found ? "" : found.error().message().c_str());
    return *found;
}

using Names = std::vector<std::string>;

// The same rules as libseccomp itself compiles them, which is what runc loads.
std::string of_libseccomp(uint32_t default_action, const std::vector<std::string>& names, uint32_t action)
{
    scmp_filter_ctx context = seccomp_init(default_action);
    for (const auto& name : names)
        cr_assert(seccomp_rule_add(context, action, seccomp_syscall_resolve_name(name.c_str()), 0) == 0);
    cr_assert(seccomp_rule_add(context, action, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, 2)) == 0);
    int file = memfd_create("filter", MFD_CLOEXEC);
    cr_assert(seccomp_export_bpf(context, file) == 0);
    seccomp_release(context);
    std::string bytes(static_cast<size_t>(lseek(file, 0, SEEK_END)), '\0');
    cr_assert(pread(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    close(file);
    return bytes;
}

constexpr const char* few = R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
    {"names": ["read", "write", "exit_group"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["close"], "action": "SCMP_ACT_LOG"}, {"names": ["mount"], "action": "SCMP_ACT_KILL_PROCESS"},
    {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]})";

} // namespace

Test(filter_reach, counts_what_is_let_through_for_some_arguments)
{
    auto found = reach({compiled(few)});
    cr_expect(found.allowed == (Names{"close", "exit_group", "personality", "read", "write"}));
    cr_expect(found.by_argument == Names{"personality"});
    cr_expect(found.foreign_interfaces.empty());
}

Test(filter_reach, reads_libseccomps_programs_as_well)
{
    auto found = reach({of_libseccomp(SCMP_ACT_ERRNO(1), {"read", "bpf"}, SCMP_ACT_ALLOW)});
    cr_expect(found.allowed == (Names{"bpf", "read", "socket"}));
    cr_expect(found.by_argument == Names{"socket"});
    cr_expect(dangerous_calls(found) == Names{"bpf"});
    auto denying = reach({of_libseccomp(SCMP_ACT_ALLOW, {"ptrace"}, SCMP_ACT_ERRNO(1))});
    cr_expect(std::ranges::find(denying.allowed, "ptrace") == denying.allowed.end());
    cr_expect(std::ranges::find(denying.allowed, "mount") != denying.allowed.end());
}

Test(filter_reach, of_several_filters_the_strictest_counts)
{
    std::string other = compiled(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["read", "mount", "personality"], "action": "SCMP_ACT_ALLOW"}]})");
    auto found = reach({compiled(few), other});
    cr_expect(found.allowed == (Names{"personality", "read"}));
    cr_expect(found.by_argument == Names{"personality"});
}

Test(filter_reach, agrees_with_the_program_for_every_number)
{
    std::string program = compiled(few);
    auto found = reach({program});
    for (uint32_t number = 0; number < 512; number++) {
        char* name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), static_cast<int>(number));
        if (!name)
            continue;
        seccomp_data call = {static_cast<int>(number), seccomp_arch_native(), 0, {8}};
        uint32_t answer = *tests::run_filter(program, call);
        bool through = answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG;
        cr_expect(through == (std::ranges::find(found.allowed, name) != found.allowed.end()), "%s", name);
        free(name);
    }
}

Test(filter_reach, without_a_filter_everything_is_let_through)
{
    auto found = reach({});
    cr_expect(found.allowed.size() > 300);
    cr_expect(found.by_argument.empty());
    if (seccomp_arch_native() == SCMP_ARCH_X86_64)
        cr_expect(found.foreign_interfaces == (Names{"x86", "x32"}));
    cr_expect(dangerous_calls(found).size() > 20);
}

Test(filter_reach, bytes_that_are_no_filter)
{
    cr_expect(!reach_of({"1234567"}).has_value());
    cr_expect(!reach_of({""}).has_value());
    std::string runs_over_its_end(8, '\0'); // a load, and nothing after it
    auto found = reach({runs_over_its_end});
    cr_expect(found.allowed == found.by_argument, "nothing is known of it");
}

Test(filter_reach, a_program_that_branches_without_end_is_not_followed_for_ever)
{
    // Each round doubles what is possible: another value in the second register, or not.
    std::vector<sock_filter> code;
    for (int round = 0; round < 1300; round++) {
        code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)));
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(round), 0, 1));
        code.push_back(BPF_STMT(BPF_LDX | BPF_IMM, static_cast<uint32_t>(round)));
    }
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    auto found = reach({std::string(reinterpret_cast<char*>(code.data()), code.size() * sizeof(sock_filter))});
    cr_expect(found.allowed.size() > 300);
}
