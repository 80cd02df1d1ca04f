#include "spec/index_list.hpp"
#include "spec/sysctl.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <criterion/criterion.h>
#include <csignal>
#include <set>
#include <sys/mount.h>

using namespace brig;
using namespace brig::spec;

Test(vocabulary, names_are_unique_and_found)
{
    for (Words words : {capabilities(), rlimits(), seccomp_actions(), seccomp_operators(), seccomp_architectures(),
                        seccomp_flags(), scheduler_policies(), scheduler_flags(), io_priority_classes(), personality_domains(),
                        memory_policy_modes(), memory_policy_flags(), signals()}) {
        std::set<std::string_view> names;
        for (const auto& word : words) {
            cr_expect(names.insert(word.name).second, "%s twice", word.name.data());
            cr_expect(find_word(words, word.name) == word.value);
        }
        cr_expect(names_of(words).size() == words.size());
        cr_expect(!find_word(words, "").has_value());
        cr_expect(!find_word(words, "UNKNOWN").has_value());
    }
}

Test(vocabulary, values_are_the_kernel_s)
{
    cr_expect(capabilities().size() == 41);
    for (size_t i = 0; i < capabilities().size(); i++)
        cr_expect(capabilities()[i].value == i, "capabilities are ordered by number");
    cr_expect(find_word(rlimits(), "RLIMIT_NOFILE") == 7u);
    cr_expect(rlimits().size() == 16);
    cr_expect(find_word(seccomp_actions(), "SCMP_ACT_ALLOW") == 0x7fff0000u);
    cr_expect(find_word(seccomp_actions(), "SCMP_ACT_ERRNO") == 0x00050000u);
    cr_expect(find_word(seccomp_actions(), "SCMP_ACT_TRACE") == 0x7ff00000u);
    cr_expect(find_word(seccomp_actions(), "SCMP_ACT_KILL") == find_word(seccomp_actions(), "SCMP_ACT_KILL_THREAD"));
    cr_expect(find_word(seccomp_architectures(), "SCMP_ARCH_X86_64") == 0xc000003eu);
    cr_expect(find_word(seccomp_architectures(), "SCMP_ARCH_LOONGARCH64") == 0xc0000102u);
    cr_expect(find_word(scheduler_policies(), "SCHED_DEADLINE") == 6u);
    cr_expect(find_word(io_priority_classes(), "IOPRIO_CLASS_BE") == 2u);
    cr_expect(find_word(personality_domains(), "LINUX32") == 8u);
    cr_expect(find_word(memory_policy_modes(), "MPOL_WEIGHTED_INTERLEAVE") == 6u);
    cr_expect(find_word(memory_policy_flags(), "MPOL_F_STATIC_NODES") == 0x8000u);
    cr_expect(name_of(capabilities(), 21) == "CAP_SYS_ADMIN");
    cr_expect(name_of(capabilities(), 41).empty());
}

Test(vocabulary, namespaces)
{
    cr_expect(namespace_words().size() == 8);
    uint64_t flags = 0;
    for (const auto& word : namespace_words()) {
        cr_expect(&namespace_word(word.type) == &word);
        cr_expect(find_namespace_word(word.name) == &word);
        cr_expect((flags & word.clone_flag) == 0);
        flags |= word.clone_flag;
    }
    cr_expect(find_namespace_word("mnt") == nullptr);
    cr_expect(namespace_word(NamespaceType::mount).proc_name == "mnt");
    cr_expect(namespace_word(NamespaceType::network).proc_name == "net");
}

Test(vocabulary, propagation)
{
    cr_expect(propagation_names().size() == 8);
    for (const auto& name : propagation_names())
        cr_expect(find_propagation(name)->recursive == name.starts_with('r'));
    cr_expect(find_propagation("shared")->mount_flag() == MS_SHARED);
    cr_expect(find_propagation("rslave")->mount_flag() == MS_SLAVE);
    cr_expect(find_propagation("rprivate")->mount_flag() == MS_PRIVATE);
    cr_expect(find_propagation("unbindable")->mount_flag() == MS_UNBINDABLE);
    cr_expect(!find_propagation("public").has_value());
}

Test(vocabulary, signals)
{
    struct Row {
        const char* text;
        int signal;
    };
    for (const auto& row : std::vector<Row>{{"9", SIGKILL},
                                            {"KILL", SIGKILL},
                                            {"SIGKILL", SIGKILL},
                                            {"sigterm", SIGTERM},
                                            {"Term", SIGTERM},
                                            {"RTMIN", 34},
                                            {"RTMIN+3", 37},
                                            {"SIGRTMIN+30", 64},
                                            {"SIGRTMAX", 64},
                                            {"rtmax-1", 63},
                                            {"RTMAX-30", 34},
                                            {"64", 64},
                                            {"0", 0},
                                            {"IOT", SIGABRT},
                                            {"CLD", SIGCHLD},
                                            {"POLL", SIGIO},
                                            {"WINCH", SIGWINCH}})
        cr_expect(parse_signal(row.text).value_or(-1) == row.signal, "%s", row.text);
    for (const char* bad : {"", "65", "-1", "SIG", "SIGSIGKILL", "RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMIN+", "RTMAX-31", "NOPE",
                            "9 ", "+9", "18446744073709551617"})
        cr_expect(!parse_signal(bad).has_value(), "%s", bad);
    cr_expect(signal_name(9) == "SIGKILL");
    cr_expect(signal_name(SIGABRT) == "SIGABRT");
    cr_expect(signal_name(34) == "SIGRTMIN");
    cr_expect(signal_name(37) == "SIGRTMIN+3");
    cr_expect(signal_name(32) == "32");
    cr_expect(signal_name(0) == "0");
    cr_expect(signal_name(-5) == "-5");
    for (int signal = 0; signal <= 64; signal++)
        cr_expect(parse_signal(signal_name(signal)).value_or(-1) == signal, "%d", signal);
}

Test(vocabulary, alternatives)
{
    cr_expect((alternatives({}) == ""));
    cr_expect((alternatives({"a"}) == "a"));
    cr_expect((alternatives({"a", "b"}) == "a or b"));
    cr_expect((alternatives({"a", "b", "c"}) == "a, b or c"));
}

Test(sysctl, owners_and_paths)
{
    struct Row {
        const char* key;
        const char* path;
        NamespaceType owner;
    };
    for (const auto& row :
         std::vector<Row>{{"net.ipv4.ip_forward", "net/ipv4/ip_forward", NamespaceType::network},
                          {"net/ipv4/conf/eno2.100/rp_filter", "net/ipv4/conf/eno2.100/rp_filter", NamespaceType::network},
                          {"net.ipv4.conf.eno2/100.rp_filter", "net/ipv4/conf/eno2.100/rp_filter", NamespaceType::network},
                          {"kernel.msgmax", "kernel/msgmax", NamespaceType::ipc},
                          {"kernel.msgmnb", "kernel/msgmnb", NamespaceType::ipc},
                          {"kernel.msgmni", "kernel/msgmni", NamespaceType::ipc},
                          {"kernel.sem", "kernel/sem", NamespaceType::ipc},
                          {"kernel.shmall", "kernel/shmall", NamespaceType::ipc},
                          {"kernel.shmmax", "kernel/shmmax", NamespaceType::ipc},
                          {"kernel.shmmni", "kernel/shmmni", NamespaceType::ipc},
                          {"kernel.shm_rmid_forced", "kernel/shm_rmid_forced", NamespaceType::ipc},
                          {"fs.mqueue.msg_max", "fs/mqueue/msg_max", NamespaceType::ipc},
                          {"kernel/domainname", "kernel/domainname", NamespaceType::uts},
                          {"user.max_user_namespaces", "user/max_user_namespaces", NamespaceType::user}}) {
        auto sysctl = parse_sysctl(row.key);
        cr_assert(sysctl.has_value(), "%s", row.key);
        cr_expect(sysctl->path == row.path, "%s: %s", row.key, sysctl->path.c_str());
        cr_expect(sysctl->owner == row.owner, "%s", row.key);
    }
}

Test(sysctl, refusals)
{
    for (const char* key :
         {"", "net", "net.", "net//ipv4", "net/../kernel/core_pattern", "net.//.kernel.core_pattern", "/net/ipv4/ip_forward",
          ".net.ipv4", "net/./x", "kernel.shmmaxi", "kernel.shmmax.x", "kernel.core_pattern", "kernel.hostname", "vm.swappiness",
          "fs.mqueue", "fs.file-max", "kernel.yama.ptrace_scope", "networking.x"})
        cr_expect(!parse_sysctl(key).has_value(), "%s", key);
}

Test(index_list, ranges)
{
    using Ranges = std::vector<IndexRange>;
    cr_expect(parse_index_list("")->empty());
    cr_expect(parse_index_list("  ")->empty());
    cr_expect((*parse_index_list("3") == Ranges{{3, 3}}));
    cr_expect((*parse_index_list("0-3,7") == Ranges{{0, 3}, {7, 7}}));
    cr_expect((*parse_index_list(" 0 - 3 , 7 ") == Ranges{{0, 3}, {7, 7}}));
    cr_expect((*parse_index_list("65535") == Ranges{{65535, 65535}}));
    for (const char* bad : {",", "1,", "-", "1-", "-1", "3-1", "a", "0x1", "1-2-3", "65536", "1;2", "1\n"})
        cr_expect(!parse_index_list(bad).has_value() || std::string_view(bad) == "1\n", "%s", bad);
}
