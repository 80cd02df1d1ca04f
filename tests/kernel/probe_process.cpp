// A process that changes itself as the container's init does, and prints what became of it.
//
//   probe-process CASE [ARGUMENT]
// Prints the error's message and exits with 1 when a step fails. The cases are the table at the end.
#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/netlink.hpp"
#include "kernel/process.hpp"
#include "kernel/procfs.hpp"
#include "kernel/seccomp.hpp"
#include "kernel/sockets.hpp"
#include "kernel/terminal.hpp"
#include "setup/identity.hpp"
#include "setup/limits.hpp"
#include "setup/network.hpp"
#include "setup/seccomp.hpp"
#include "setup/terminal.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

using namespace brig;

namespace {

template<typename... Arguments> void say(fmt::format_string<Arguments...> format, Arguments&&... arguments)
{
    std::string line = fmt::format(format, std::forward<Arguments>(arguments)...) + "\n";
    (void)kernel::write_all(FdRef(1), line);
}

std::string host_file(const std::string& path)
{
    auto text = kernel::read_file(kernel::working_directory, path, 1 << 20);
    return text ? std::string(trim(*text)) : text.error().message();
}

// "Name: value" of /proc/self/status, words divided by one blank.
std::string status_line(const std::string& name)
{
    std::string status = host_file("/proc/self/status");
    for (auto line : split(status, '\n'))
        if (line.starts_with(name + ":")) {
            std::string words;
            for (char character : trim(line.substr(name.size() + 1)))
                words += character == '\t' ? ' ' : character;
            return words;
        }
    return "none";
}

Result<> mount_on(const std::string& source, const std::string& target, const char* type, unsigned long flags, const char* data)
{
    if (::mount(source.c_str(), target.c_str(), type, flags, data) < 0)
        return failure(Error::system_call(errno, "mount on " + target));
    return {};
}

constexpr uint64_t bit(int capability)
{
    return uint64_t{1} << capability;
}

// All that the caller has but one.
Result<> give_up(int capability)
{
    plan::Process process;
    uint64_t all = std::stoull(status_line("CapEff"), nullptr, 16) & ~bit(capability);
    process.capabilities = {all, all, 0, all, 0};
    return setup::become_user(process);
}

// ---- identity -----------------------------------------------------------------------------------------------------------

Result<> become_user(const std::string&)
{
    plan::Process process;
    process.uid = 1000;
    process.gid = 1001;
    process.additional_gids = {7, 8};
    process.capabilities.bounding = bit(CAP_CHOWN) | bit(CAP_KILL) | bit(CAP_NET_BIND_SERVICE);
    process.capabilities.permitted = bit(CAP_CHOWN) | bit(CAP_KILL);
    process.capabilities.effective = bit(CAP_KILL);
    process.capabilities.inheritable = bit(CAP_CHOWN);
    process.capabilities.ambient = bit(CAP_CHOWN);
    TRY(setup::become_user(process));
    for (const char* name : {"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
        say("{} {}", name, status_line(name));
    // The way back must be closed.
    say("setuid {}", ::setuid(0) == 0 ? "works" : "fails");
    return {};
}

Result<> become_plain_user(const std::string&)
{
    plan::Process process;
    process.uid = 1000;
    process.gid = 1000;
    process.no_new_privileges = true;
    TRY(setup::apply_no_new_privileges(process));
    TRY(setup::become_user(process));
    for (const char* name : {"CapPrm", "CapBnd", "CapAmb", "Groups", "NoNewPrivs"})
        say("{} {}", name, status_line(name));
    say("keepcaps {}", ::prctl(PR_GET_KEEPCAPS));
    return {};
}

Result<> ambient_without_inheritable(const std::string&)
{
    plan::Process process;
    process.capabilities = {bit(CAP_KILL), bit(CAP_KILL), 0, bit(CAP_KILL), bit(CAP_KILL)};
    return setup::become_user(process);
}

Result<> keyring(const std::string&)
{
    constexpr uint32_t user_may_search = 0x00080000;
    TRY(setup::join_new_keyring("brig-test"));
    auto key = static_cast<kernel::KeySerial>(::syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* session */, 0));
    char description[256] = {};
    ::syscall(SYS_keyctl, 6 /* KEYCTL_DESCRIBE */, key, description, sizeof description - 1);
    say("{}", std::string_view(description).substr(std::string_view(description).rfind(';') + 1));
    say("searchable {}", (TRY(kernel::key_permissions(key)) & user_may_search) != 0);
    return {};
}

Result<> stdio(const std::string&)
{
    plan::Process process;
    process.uid = 1234;
    auto [reader, writer] = TRY(kernel::make_pipe());
    Fd null = TRY(kernel::open_at(kernel::working_directory, "/dev/null", O_RDWR));
    Fd output = TRY(kernel::duplicate(FdRef(1)));
    gid_t group = TRY(kernel::status_of(reader)).st_gid;
    TRY(kernel::duplicate_onto(null, 0));
    TRY(kernel::duplicate_onto(writer, 1));
    ::close(2);
    auto given = setup::give_stdio_to_user(process);
    struct stat pipe = TRY(kernel::status_of(FdRef(1)));
    TRY(kernel::duplicate_onto(output, 1));
    TRY(std::move(given));
    say("pipe uid {} group kept {}", pipe.st_uid, pipe.st_gid == group);
    say("null uid {}", TRY(kernel::status_of(null)).st_uid);
    return {};
}

// ---- limits -------------------------------------------------------------------------------------------------------------

Result<> rlimits(const std::string&)
{
    plan::Process process;
    process.rlimits = {{"RLIMIT_NOFILE", RLIMIT_NOFILE, 100, 200}, {"RLIMIT_CORE", RLIMIT_CORE, 0, 0}};
    TRY(setup::apply_rlimits(0, process));
    auto files = TRY(kernel::resource_limit(0, RLIMIT_NOFILE));
    auto core = TRY(kernel::resource_limit(::getpid(), RLIMIT_CORE));
    say("files {} {} core {} {}", files.rlim_cur, files.rlim_max, core.rlim_cur, core.rlim_max);
    return {};
}

Result<> raise_rlimit(const std::string&)
{
    TRY(give_up(CAP_SYS_RESOURCE));
    TRY(kernel::set_resource_limit(0, RLIMIT_NOFILE, 100, 200));
    plan::Process process;
    process.rlimits = {{"RLIMIT_NOFILE", RLIMIT_NOFILE, 100, 300}};
    return setup::apply_rlimits(0, process);
}

Result<> soft_above_hard(const std::string&)
{
    plan::Process process;
    process.rlimits = {{"RLIMIT_NPROC", RLIMIT_NPROC, 20, 10}};
    return setup::apply_rlimits(0, process);
}

Result<> oom_score(const std::string& argument)
{
    TRY(give_up(CAP_SYS_RESOURCE));
    auto procfs = TRY(kernel::Procfs::open());
    plan::Process process;
    for (auto value : split(argument, ',')) {
        process.oom_score_adj = static_cast<int>(TRY(parse_integer(value)));
        TRY(setup::apply_oom_score(procfs, 0, process));
    }
    say("{}", host_file("/proc/self/oom_score_adj"));
    return {};
}

Result<> oom_score_of_other(const std::string& pid)
{
    auto procfs = TRY(kernel::Procfs::open());
    plan::Process process;
    process.oom_score_adj = 321;
    TRY(setup::apply_oom_score(procfs, static_cast<pid_t>(TRY(parse_integer(pid))), process));
    return {};
}

Result<> scheduling(const std::string&)
{
    plan::Process process;
    process.scheduler = spec::Scheduler{"SCHED_BATCH", 5, {}, {"SCHED_FLAG_RESET_ON_FORK"}, {}, {}, {}};
    process.io_priority = spec::IoPriority{"IOPRIO_CLASS_BE", 6};
    TRY(setup::apply_scheduling(process));
    long io = ::syscall(SYS_ioprio_get, 1, 0);
    say("policy {} nice {} io class {} priority {}", ::sched_getscheduler(0), ::getpriority(PRIO_PROCESS, 0), io >> 13, io & 7);
    return {};
}

Result<> scheduling_impossible(const std::string&)
{
    plan::Process process;
    process.scheduler = spec::Scheduler{"SCHED_DEADLINE", {}, {}, {}, 5, 3, 1};
    return setup::apply_scheduling(process);
}

Result<> persona(const std::string&)
{
    plan::Process process;
    process.personality = spec::Personality{"LINUX32", {}};
    TRY(setup::apply_personality(process));
    struct utsname names = {};
    ::uname(&names);
    say("{} {}", ::personality(0xffffffff), names.machine);
    return {};
}

Result<> memory_policy(const std::string&)
{
    plan::Process process;
    process.memory_policy = spec::MemoryPolicy{"MPOL_BIND", "0", {"MPOL_F_STATIC_NODES"}};
    TRY(setup::apply_memory_policy(process));
    int mode = -1;
    unsigned long nodes[16] = {};
    ::syscall(SYS_get_mempolicy, &mode, nodes, 1024, nullptr, 0);
    say("mode {:#x} nodes {:#x}", mode, nodes[0]);
    return {};
}

Result<> affinity(const std::string&)
{
    cpu_set_t before, after;
    ::sched_getaffinity(0, sizeof before, &before);
    TRY(setup::apply_cpu_affinity("0"));
    ::sched_getaffinity(0, sizeof after, &after);
    say("narrow {}", CPU_COUNT(&after));
    TRY(kernel::reset_cpu_affinity());
    ::sched_getaffinity(0, sizeof after, &after);
    say("wide again {}", CPU_COUNT(&after) >= CPU_COUNT(&before));
    return {};
}

// ---- the process ----------------------------------------------------------------------------------------------------------

Result<> signals(const std::string&)
{
    for (int signal = 1; signal <= 64; signal++) {
        struct {
            void (*handler)(int);
            unsigned long rest[7];
        } ignore = {SIG_IGN, {}};
        ::syscall(SYS_rt_sigaction, signal, &ignore, nullptr, 8); // 32 and 33 too, which libc hides
    }
    unsigned long all = ~0UL;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, 8);
    say("before {} {}", status_line("SigBlk"), status_line("SigIgn"));
    TRY(kernel::reset_signals());
    say("after {} {}", status_line("SigBlk"), status_line("SigIgn"));
    return {};
}

bool is_open(int number)
{
    return ::fcntl(number, F_GETFD) >= 0;
}

Result<> descriptors(const std::string&)
{
    Fd null = TRY(kernel::open_at(kernel::working_directory, "/dev/null", O_RDWR));
    for (int number : {20, 21, 30, 400})
        TRY(kernel::duplicate_onto(null, number));
    say("inherited {}", (::fcntl(20, F_GETFD) & FD_CLOEXEC) == 0);
    TRY(kernel::close_descriptor_range(20, 20));
    TRY(kernel::mark_close_on_exec_from(30));
    say("20 {} 21 {} marked {} {} {}", is_open(20), is_open(21), ::fcntl(21, F_GETFD), ::fcntl(30, F_GETFD),
        ::fcntl(400, F_GETFD));
    TRY(kernel::duplicate_onto(FdRef(30), 30));
    say("onto itself {}", ::fcntl(30, F_GETFD));
    TRY(kernel::close_descriptors_from(30));
    say("30 {} 400 {} 21 {}", is_open(30), is_open(400), is_open(21));
    return {};
}

Result<> unreachable_directory(const std::string& root)
{
    TRY(kernel::change_directory("/usr"));
    TRY(kernel::change_root(root));
    say("{}", TRY(kernel::current_directory()));
    TRY(kernel::change_directory("/"));
    say("{}", TRY(kernel::current_directory()));
    return {};
}

Result<> attributes(const std::string&)
{
    TRY(kernel::set_dumpable(false));
    TRY(kernel::set_parent_death_signal(SIGUSR1));
    TRY(kernel::set_child_subreaper(true));
    TRY(kernel::set_process_name("brig: a name that is long"));
    int signal = 0, subreaper = 0;
    char name[17] = {};
    ::prctl(PR_GET_PDEATHSIG, &signal);
    ::prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
    ::prctl(PR_GET_NAME, name);
    say("dumpable {} signal {} subreaper {} name {}", ::prctl(PR_GET_DUMPABLE), signal, subreaper, name);
    TRY(kernel::unshare(CLONE_NEWUTS));
    TRY(kernel::set_hostname("box"));
    TRY(kernel::set_domainname("example.org"));
    struct utsname names = {};
    ::uname(&names);
    say("{} {}", names.nodename, names.domainname);
    TRY(kernel::new_session());
    TRY(kernel::new_session());
    say("session {}", ::getsid(0) == ::getpid());
    return {};
}

// ---- procfs ---------------------------------------------------------------------------------------------------------------

Result<> unshare_mounts()
{
    TRY(kernel::unshare(CLONE_NEWNS));
    return mount_on("none", "/", "", MS_REC | MS_PRIVATE, "");
}

// What an image can do to /proc: another file system, or a file of it covered.
Result<> covered_proc(const std::string& how)
{
    TRY(unshare_mounts());
    pid_t self = ::getpid();
    if (how == "tmpfs")
        TRY(mount_on("tmpfs", "/proc", "tmpfs", 0, ""));
    else
        TRY(mount_on("/dev/null", fmt::format("/proc/{}/oom_score_adj", self), "", MS_BIND, ""));
    auto procfs = TRY(kernel::Procfs::open());
    TRY(procfs.write("self/oom_score_adj", "444"));
    say("{}", trim(TRY(procfs.read("self/oom_score_adj"))));
    say("{}", trim(TRY(procfs.read(fmt::format("{}/oom_score_adj", self)))));
    return {};
}

Result<> covered_host_proc(const std::string&)
{
    TRY(unshare_mounts());
    TRY(mount_on("tmpfs", "/proc", "tmpfs", 0, ""));
    return kernel::Procfs::of_host().map([](auto&&) {});
}

// A filter of the host, as in nested containers: the new calls fail.
Result<> refuse(const std::vector<std::string>& names)
{
    spec::Seccomp seccomp;
    seccomp.default_action = "SCMP_ACT_ALLOW";
    seccomp.syscalls = {{names, "SCMP_ACT_ERRNO", EPERM, {}}};
    TRY(setup::load_seccomp(TRY(setup::compile_seccomp(seccomp))));
    return {};
}

Result<> procfs_without(const std::string& how)
{
    TRY(unshare_mounts());
    if (how == "covered" || how == "covered-clone")
        TRY(mount_on("/dev/null", fmt::format("/proc/{}/oom_score_adj", ::getpid()), "", MS_BIND, ""));
    if (how == "tmpfs")
        TRY(mount_on("tmpfs", "/proc", "tmpfs", 0, ""));
    if (how == "bind")
        TRY(mount_on("/proc/sys", "/proc", "", MS_BIND, ""));
    TRY(refuse(how == "clone" || how == "covered-clone" ? std::vector<std::string>{"fsopen"}
                                                        : std::vector<std::string>{"fsopen", "open_tree"}));
    auto procfs = TRY(kernel::Procfs::open());
    TRY(procfs.write("self/oom_score_adj", "555"));
    say("{}", trim(TRY(procfs.read("self/oom_score_adj"))));
    return {};
}

Result<> procfs_of_pid_namespace(const std::string&)
{
    auto child = TRY(kernel::clone_process({CLONE_NEWPID}));
    if (child.in_child) {
        auto procfs = kernel::Procfs::open();
        auto stat = procfs ? procfs->read("self/stat") : Result<std::string>(failure(procfs.error()));
        say("{}", stat ? stat->substr(0, 2) : stat.error().message());
        kernel::exit_now(0);
    }
    TRY(kernel::wait_for(child.pid));
    return {};
}

Result<> sysctls(const std::string& argument)
{
    TRY(kernel::unshare(CLONE_NEWIPC | CLONE_NEWNET));
    auto equals = argument.find('=');
    TRY(setup::apply_sysctls({{argument.substr(0, equals), argument.substr(equals + 1)}}));
    say("{}", host_file("/proc/sys/" + argument.substr(0, equals)));
    return {};
}

// ---- network --------------------------------------------------------------------------------------------------------------

bool loopback_is_up()
{
    struct ifreq request = {};
    std::strcpy(request.ifr_name, "lo");
    Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return ::ioctl(socket.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

Result<> loopback(const std::string&)
{
    TRY(kernel::unshare(CLONE_NEWNET));
    plan::Namespaces namespaces;
    TRY(setup::configure_network(namespaces));
    say("not planned {}", loopback_is_up());
    namespaces.bring_loopback_up = true;
    TRY(setup::configure_network(namespaces));
    say("planned {}", loopback_is_up());
    TRY(setup::configure_network(namespaces));
    say("again {}", loopback_is_up());
    return {};
}

Result<> loopback_without_privilege(const std::string&)
{
    TRY(kernel::unshare(CLONE_NEWNET));
    TRY(give_up(CAP_NET_ADMIN));
    return kernel::bring_loopback_up();
}

// ---- terminal -------------------------------------------------------------------------------------------------------------

// A root with a devpts of its own at /dev/pts.
Result<Fd> root_with_devpts(const std::string& root)
{
    TRY(unshare_mounts());
    TRY(kernel::make_directories(root + "/dev/pts", 0755));
    TRY(mount_on("devpts", root + "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"));
    return kernel::open_at(kernel::working_directory, root, O_PATH | O_DIRECTORY);
}

Result<> terminal(const std::string& root_path)
{
    Fd root = TRY(root_with_devpts(root_path));
    plan::Process process;
    process.uid = 1234;
    process.console_size = spec::ConsoleSize{33, 99};
    auto pair = TRY(setup::create_terminal(root, process));
    struct stat status = TRY(kernel::status_of(pair.slave));
    auto size = TRY(kernel::terminal_size(pair.slave));
    say("number {} device {} uid {} gid {} size {}x{}", pair.number, major(status.st_rdev), status.st_uid, status.st_gid,
        size.rows, size.columns);
    say("terminals {} {}", kernel::is_terminal(pair.slave), kernel::is_terminal(pair.master));
    auto [sender, receiver] = TRY(kernel::sequenced_socket_pair());
    TRY(setup::send_terminal(sender, pair.master, "/dev/pts/0"));
    auto message = TRY(kernel::receive_message(receiver, 100));
    say("sent {} with {} descriptors", message.bytes, message.fds.size());
    ::signal(SIGHUP, SIG_IGN); // the master closes at our end
    // Both ends as stdin and stdout: what is typed arrives, what is printed goes out with a carriage return.
    Fd output = TRY(kernel::duplicate(FdRef(1)));
    TRY(setup::adopt_terminal(pair.slave));
    say("printed");
    TRY(kernel::write_all(message.fds.at(0), "typed\n"));
    std::string typed = TRY(kernel::read_some(FdRef(0), 100));
    std::string printed = TRY(kernel::read_some(message.fds.at(0), 100));
    bool controlling = ::tcgetsid(0) == ::getpid() && ::tcgetpgrp(0) == ::getpgrp();
    TRY(kernel::duplicate_onto(output, 1));
    say("in {} out {} controlling {}", quoted(typed), quoted(printed.substr(0, 9)), controlling);
    return {};
}

Result<> terminal_modes(const std::string& root_path)
{
    Fd root = TRY(root_with_devpts(root_path));
    auto pair = TRY(setup::create_terminal(root, {}));
    auto before = TRY(kernel::terminal_mode(pair.slave));
    TRY(kernel::clear_onlcr(pair.master));
    say("onlcr {} {}", (before.c_oflag & ONLCR) != 0, (TRY(kernel::terminal_mode(pair.slave)).c_oflag & ONLCR) != 0);
    TRY(kernel::set_raw_mode(pair.slave));
    say("raw {}", (TRY(kernel::terminal_mode(pair.slave)).c_lflag & (ICANON | ECHO | ISIG)) == 0);
    TRY(kernel::set_terminal_mode(pair.slave, before));
    say("restored {}", (TRY(kernel::terminal_mode(pair.slave)).c_lflag & ICANON) != 0);
    return {};
}

Result<> terminal_of(const std::string& root_path)
{
    Fd root = TRY(kernel::open_at(kernel::working_directory, root_path, O_PATH | O_DIRECTORY));
    return setup::create_terminal(root, {}).map([](auto&&) {});
}

// What can be put in the place of /dev/pts and its ptmx.
Result<> false_terminal(const std::string& argument)
{
    auto parts = split(argument, ',');
    std::string root_path(parts[0]);
    Fd root = TRY(root_with_devpts(root_path));
    if (parts[1] == "covered-ptmx")
        TRY(mount_on("/dev/null", root_path + "/dev/pts/ptmx", "", MS_BIND, ""));
    if (parts[1] == "tmpfs")
        TRY(mount_on("tmpfs", root_path + "/dev/pts", "tmpfs", 0, ""));
    return setup::create_terminal(root, {}).map([](auto&&) {});
}

// ---- seccomp --------------------------------------------------------------------------------------------------------------

spec::Seccomp profile_with(const std::string& default_action, std::vector<spec::SeccompRule> rules)
{
    spec::Seccomp seccomp;
    seccomp.default_action = default_action;
    seccomp.syscalls = std::move(rules);
    return seccomp;
}

Result<> filter(const std::string&)
{
    auto rules = std::vector<spec::SeccompRule>{
        {{"mkdir", "mkdirat"}, "SCMP_ACT_ERRNO", ENOTTY, {}},
        {{"mseal"}, "SCMP_ACT_ERRNO", EXDEV, {}},
        {{"personality"}, "SCMP_ACT_ERRNO", EBUSY, {{0, 0x100000008, 0, "SCMP_CMP_GE"}}},
    };
    auto program = TRY(setup::compile_seccomp(profile_with("SCMP_ACT_ALLOW", rules)));
    auto listener = TRY(setup::load_seccomp(program));
    auto answer = [](long outcome) { return outcome < 0 ? errno : 0; };
    say("listener {}", listener.has_value());
    say("mkdir {}", answer(::syscall(SYS_mkdirat, AT_FDCWD, "/tmp/never", 0700)));
    say("mseal {}", answer(::syscall(462, 0, 0, 0)));
    say("personality {} {}", answer(::syscall(SYS_personality, 0xffffffffUL)), answer(::syscall(SYS_personality, 0x1ffffffffUL)));
    return {};
}

Result<> newer_calls(const std::string&)
{
    std::vector<std::string> names;
    for (int number = 0; number < 449; number++)
        if (char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number)) {
            if (std::string_view(name) != "mkdirat")
                names.push_back(name);
            free(name);
        }
    TRY(setup::load_seccomp(TRY(setup::compile_seccomp(profile_with("SCMP_ACT_ERRNO", {{names, "SCMP_ACT_ALLOW", {}, {}}})))));
    long named = ::syscall(SYS_mkdirat, AT_FDCWD, "/tmp/never", 0700);
    int named_code = errno;
    long above = ::syscall(460, 0, 0, 0, 0);
    say("{} {} {} {}", named, named_code, above, errno);
    return {};
}

Result<> foreign_call(const std::string& argument)
{
    // "i386 unfiltered" shows whether the kernel has the architecture at all.
    auto how = split(argument, ' ').front();
    if (how == argument)
        TRY(setup::load_seccomp(
            TRY(setup::compile_seccomp(profile_with("SCMP_ACT_ALLOW", {{{"mkdir"}, "SCMP_ACT_ERRNO", {}, {}}})))));
    say("loaded");
#ifdef __x86_64__
    if (how == "x32")
        ::syscall(0x40000000 | SYS_getpid);
    if (how == "i386")
        asm volatile("int $0x80" : : "a"(20) : "memory");
#endif
    say("survived");
    return {};
}

Result<> unprivileged_filter(const std::string& no_new_privileges)
{
    TRY(give_up(CAP_SYS_ADMIN));
    if (no_new_privileges == "yes")
        TRY(kernel::set_no_new_privileges());
    TRY(setup::load_seccomp(TRY(setup::compile_seccomp(profile_with("SCMP_ACT_ALLOW", {})))));
    say("loaded");
    return {};
}

Result<> listener(const std::string& directory)
{
    auto seccomp = profile_with("SCMP_ACT_ALLOW", {{{"mkdirat", "mkdir"}, "SCMP_ACT_NOTIFY", {}, {}}});
    seccomp.listener_path = directory + "/agent";
    seccomp.flags = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
    Fd agent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_un {
        sa_family_t family = AF_UNIX;
        char path[108] = {};
    } address;
    seccomp.listener_path.copy(address.path, sizeof address.path - 1);
    if (::bind(agent.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) < 0 || ::listen(agent.get(), 1) < 0)
        return failure(Error::system_call(errno, "listen"));
    auto fd = TRY(setup::load_seccomp(TRY(setup::compile_seccomp(seccomp))));
    TRY(setup::send_seccomp_listener(seccomp, *fd, R"({"ociVersion": "1.2.0"})"));
    Fd connection = TRY(kernel::accept_connection(agent));
    // As agents do: one recvmsg for all.
    char text[1000] = {};
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    struct iovec part = {text, sizeof text - 1};
    struct msghdr header = {nullptr, 0, &part, 1, control, sizeof control, 0};
    ::recvmsg(connection.get(), &header, 0);
    int received = -1;
    if (CMSG_FIRSTHDR(&header) != nullptr)
        std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof received);
    uint64_t id = 0;
    bool is_listener = ::ioctl(received, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0 && errno == ENOENT;
    say("{} listener {}", text, is_listener);
    return {};
}

Result<> no_listener(const std::string& directory)
{
    spec::Seccomp seccomp;
    seccomp.listener_path = directory + "/nobody";
    return setup::send_seccomp_listener(seccomp, FdRef(0), "{}");
}

struct Case {
    std::string_view name;
    Result<> (*run)(const std::string& argument);
};

constexpr Case cases[] = {
    {"become-user", become_user},
    {"become-plain-user", become_plain_user},
    {"ambient-without-inheritable", ambient_without_inheritable},
    {"keyring", keyring},
    {"stdio", stdio},
    {"rlimits", rlimits},
    {"raise-rlimit", raise_rlimit},
    {"soft-above-hard", soft_above_hard},
    {"oom-score", oom_score},
    {"oom-score-of-other", oom_score_of_other},
    {"scheduling", scheduling},
    {"scheduling-impossible", scheduling_impossible},
    {"personality", persona},
    {"memory-policy", memory_policy},
    {"affinity", affinity},
    {"signals", signals},
    {"descriptors", descriptors},
    {"unreachable-directory", unreachable_directory},
    {"attributes", attributes},
    {"covered-proc", covered_proc},
    {"covered-host-proc", covered_host_proc},
    {"procfs-without", procfs_without},
    {"procfs-of-pid-namespace", procfs_of_pid_namespace},
    {"sysctls", sysctls},
    {"loopback", loopback},
    {"loopback-without-privilege", loopback_without_privilege},
    {"terminal", terminal},
    {"terminal-modes", terminal_modes},
    {"terminal-of", terminal_of},
    {"false-terminal", false_terminal},
    {"filter", filter},
    {"newer-calls", newer_calls},
    {"foreign-call", foreign_call},
    {"unprivileged-filter", unprivileged_filter},
    {"listener", listener},
    {"no-listener", no_listener},
};

// The leader of a process group cannot make a session; the container's init is none, and the caller made us one.
bool is_child(int& code)
{
    auto child = kernel::clone_process({});
    if (!child || child->in_child)
        return true;
    auto status = kernel::wait_for(child->pid);
    if (status && status->signaled)
        (void)kernel::send_signal(::getpid(), status->value);
    code = status ? status->value : 1;
    return false;
}

} // namespace

int main(int count, char** arguments)
{
    if (int code = 0; !is_child(code))
        return code;
    std::string_view name = count > 1 ? arguments[1] : "";
    for (const auto& candidate : cases) {
        if (candidate.name != name)
            continue;
        auto done = candidate.run(count > 2 ? arguments[2] : "");
        if (!done)
            say("{}", done.error().message());
        return done ? 0 : 1;
    }
    say("no case {}", name);
    return 2;
}
