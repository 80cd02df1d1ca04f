/* probe: says what a container sees, and tries things in it.
 *
 *   probe REPORT...        prints one JSON object with a key per report
 *   probe ACTION ARGS...   does one thing; "try" actions print {"result": R, "errno": "ENAME" or null}
 *
 * Static and free of libraries, so that it runs in an empty root file system and under any seccomp filter
 * that leaves write and exit_group.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- output ---------------------------------------------------------------------------------------------- */

static void fail(const char *what)
{
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    exit(111);
}

static void print_string(const char *text)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *) text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if (*c < 0x20 || *c >= 0x7f)
            printf("\\u%04x", *c);
        else
            putchar(*c);
    }
    putchar('"');
}

static void print_pair(const char *separator, const char *key, const char *value)
{
    printf("%s\"%s\": ", separator, key);
    if (value == NULL)
        printf("null");
    else
        print_string(value);
}

static const char *comma(bool *first)
{
    if (*first) {
        *first = false;
        return "";
    }
    return ", ";
}

static int print_attempt(long result)
{
    int error = errno;
    printf("{\"result\": %ld", result);
    print_pair(", ", "errno", result < 0 ? strerrorname_np(error) : NULL);
    printf("}\n");
    return 0;
}

static char *read_whole_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t size = 0, capacity = 65536;
    char *text = malloc(capacity + 1);
    for (;;) {
        if (size == capacity)
            text = realloc(text, (capacity *= 2) + 1);
        ssize_t got = read(fd, text + size, capacity - size);
        if (got <= 0)
            break;
        size += (size_t) got;
    }
    close(fd);
    text[size] = '\0';
    return text;
}

static void print_file(const char *path)
{
    char *text = read_whole_file(path);
    if (text == NULL)
        printf("null");
    else
        print_string(text);
    free(text);
}

/* ---- reports --------------------------------------------------------------------------------------------- */

static void report_ids(void)
{
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;
    getresuid(&real, &effective, &saved);
    getresgid(&real_group, &effective_group, &saved_group);
    printf("{\"uid\": %u, \"euid\": %u, \"suid\": %u, \"fsuid\": %u, ", real, effective, saved, (uid_t) setfsuid(-1));
    printf("\"gid\": %u, \"egid\": %u, \"sgid\": %u, \"fsgid\": %u, \"groups\": [", real_group, effective_group,
           saved_group, (gid_t) setfsgid(-1));
    static gid_t groups[65536];
    int count = getgroups(COUNT(groups), groups);
    for (int i = 0; i < count; i++)
        printf("%s%u", i ? ", " : "", groups[i]);
    printf("]}");
}

static const char *const capability_names[] = {
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
    "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};

static void print_capability_set(const char *separator, const char *name, uint64_t set)
{
    bool first = true;
    printf("%s\"%s\": [", separator, name);
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((set & (UINT64_C(1) << bit)) == 0)
            continue;
        if (bit < COUNT(capability_names))
            printf("%s\"%s\"", comma(&first), capability_names[bit]);
        else
            printf("%s\"CAP_%u\"", comma(&first), bit);
    }
    putchar(']');
}

static void report_caps(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2] = {0};
    uint64_t bounding = 0, ambient = 0;
    if (syscall(SYS_capget, &header, data) < 0)
        fail("capget");
    for (unsigned bit = 0; bit < 64; bit++) {
        if (prctl(PR_CAPBSET_READ, bit, 0, 0, 0) == 1)
            bounding |= UINT64_C(1) << bit;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, bit, 0, 0) == 1)
            ambient |= UINT64_C(1) << bit;
    }
    print_capability_set("{", "bounding", bounding);
    print_capability_set(", ", "effective", data[0].effective | (uint64_t) data[1].effective << 32);
    print_capability_set(", ", "permitted", data[0].permitted | (uint64_t) data[1].permitted << 32);
    print_capability_set(", ", "inheritable", data[0].inheritable | (uint64_t) data[1].inheritable << 32);
    print_capability_set(", ", "ambient", ambient);
    putchar('}');
}

static void report_rlimits(void)
{
    static const struct { const char *name; int resource; } limits[] = {
        {"RLIMIT_AS", RLIMIT_AS}, {"RLIMIT_CORE", RLIMIT_CORE}, {"RLIMIT_CPU", RLIMIT_CPU},
        {"RLIMIT_DATA", RLIMIT_DATA}, {"RLIMIT_FSIZE", RLIMIT_FSIZE}, {"RLIMIT_LOCKS", RLIMIT_LOCKS},
        {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK}, {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE}, {"RLIMIT_NICE", RLIMIT_NICE},
        {"RLIMIT_NOFILE", RLIMIT_NOFILE}, {"RLIMIT_NPROC", RLIMIT_NPROC}, {"RLIMIT_RSS", RLIMIT_RSS},
        {"RLIMIT_RTPRIO", RLIMIT_RTPRIO}, {"RLIMIT_RTTIME", RLIMIT_RTTIME}, {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
        {"RLIMIT_STACK", RLIMIT_STACK},
    };
    for (size_t i = 0; i < COUNT(limits); i++) {
        struct rlimit limit;
        getrlimit(limits[i].resource, &limit);
        printf("%s\"%s\": {\"soft\": %ju, \"hard\": %ju}", i ? ", " : "{", limits[i].name, (uintmax_t) limit.rlim_cur,
               (uintmax_t) limit.rlim_max);
    }
    putchar('}');
}

static void report_cwd(void)
{
    char path[4096];
    if (syscall(SYS_getcwd, path, sizeof path) < 0)
        printf("null");
    else
        print_string(path);
}

static void report_hostname(void)
{
    struct utsname names;
    uname(&names);
    print_string(names.nodename);
}

static void report_domainname(void)
{
    struct utsname names;
    uname(&names);
    print_string(names.domainname);
}

static void report_env(void)
{
    printf("[");
    for (char **entry = environ; *entry != NULL; entry++) {
        printf("%s", entry == environ ? "" : ", ");
        print_string(*entry);
    }
    printf("]");
}

/* Without /proc the numbers are still told, with a null target. */
static void report_fds(void)
{
    bool first = true;
    printf("{");
    for (int fd = 0; fd < 4096; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            continue;
        char link[32], target[4097], number[16];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        snprintf(number, sizeof number, "%d", fd);
        ssize_t length = readlink(link, target, sizeof target - 1);
        if (length >= 0)
            target[length] = '\0';
        print_pair(comma(&first), number, length >= 0 ? target : NULL);
    }
    printf("}");
}

static void report_umask(void)
{
    mode_t mask = umask(0);
    umask(mask);
    printf("%u", mask);
}

/* One line: ID PARENT MAJOR:MINOR ROOT TARGET OPTIONS [TAGS...] - TYPE SOURCE SUPER */
static void print_mount(char *line)
{
    char *fields[32] = {0}, *rest = line;
    size_t count = 0, dash = 0;
    while (count < COUNT(fields) && (fields[count] = strsep(&rest, " ")) != NULL) {
        if (dash == 0 && count > 5 && strcmp(fields[count], "-") == 0)
            dash = count;
        count++;
    }
    print_pair("{", "id", fields[0]);
    print_pair(", ", "parent", fields[1]);
    print_pair(", ", "device", fields[2]);
    print_pair(", ", "root", fields[3]);
    print_pair(", ", "target", fields[4]);
    print_pair(", ", "options", fields[5]);
    printf(", \"tags\": [");
    for (size_t i = 6; i < dash; i++) {
        printf("%s", i > 6 ? ", " : "");
        print_string(fields[i]);
    }
    printf("]");
    print_pair(", ", "type", fields[dash + 1]);
    print_pair(", ", "source", fields[dash + 2]);
    print_pair(", ", "super", fields[dash + 3]);
    printf("}");
}

static void report_mounts(void)
{
    char *text = read_whole_file("/proc/self/mountinfo"), *rest = text, *line;
    bool first = true;
    printf("[");
    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        printf("%s", comma(&first));
        print_mount(line);
    }
    printf("]");
    free(text);
}

static void report_no_new_privileges(void)
{
    printf("%s", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? "true" : "false");
}

static void report_seccomp(void)
{
    printf("%d", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
}

static void report_tty(void)
{
    struct winsize size = {0};
    char name[256];
    int controlling = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    printf("{\"stdin\": %s, \"stdout\": %s, \"stderr\": %s", isatty(0) ? "true" : "false", isatty(1) ? "true" : "false",
           isatty(2) ? "true" : "false");
    ioctl(0, TIOCGWINSZ, &size);
    printf(", \"rows\": %u, \"columns\": %u, \"controlling\": %s", size.ws_row, size.ws_col,
           controlling >= 0 ? "true" : "false");
    print_pair(", ", "name", ttyname_r(0, name, sizeof name) == 0 ? name : NULL);
    printf("}");
    if (controlling >= 0)
        close(controlling);
}

static void report_oom_score_adj(void)
{
    char *text = read_whole_file("/proc/self/oom_score_adj");
    printf("%d", text == NULL ? -9999 : atoi(text));
    free(text);
}

static void report_keyring(void)
{
    char description[256] = "";
    long serial = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
    long length = syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, description, sizeof description - 1);
    printf("{\"serial\": %ld", serial);
    print_pair(", ", "description", length < 0 ? NULL : description);
    printf("}");
}

static void report_namespaces(void)
{
    static const char *const names[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[64];
        struct stat status = {0};
        snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
        stat(path, &status);
        printf("%s\"%s\": %ju", i ? ", " : "{", names[i], (uintmax_t) status.st_ino);
    }
    printf("}");
}

static void report_process(void)
{
    printf("{\"pid\": %d, \"ppid\": %d, \"pgid\": %d, \"sid\": %d}", getpid(), getppid(), getpgrp(), getsid(0));
}

static void report_affinity(void)
{
    static unsigned long mask[1024];
    long size = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    bool first = true;
    printf("[");
    for (long bit = 0; bit < size * 8; bit++)
        if (mask[bit / 64] & (1UL << (bit % 64)))
            printf("%s%ld", comma(&first), bit);
    printf("]");
}

static void report_scheduler(void)
{
    struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; }
        attributes = {0};
    syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0);
    printf("{\"policy\": %u, \"flags\": %ju, \"nice\": %d, \"priority\": %u, \"io_priority\": %ld}", attributes.policy,
           (uintmax_t) attributes.flags, attributes.nice, attributes.priority, syscall(SYS_ioprio_get, 1, 0));
}

static void report_signals(void)
{
    sigset_t blocked;
    bool first = true;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    printf("{\"blocked\": [");
    for (int number = 1; number < 65; number++)
        if (sigismember(&blocked, number) == 1)
            printf("%s%d", comma(&first), number);
    printf("], \"ignored\": [");
    first = true;
    for (int number = 1; number < 65; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            printf("%s%d", comma(&first), number);
    }
    printf("]}");
}

static void report_personality(void)
{
    printf("%d", personality(0xffffffff));
}

static void report_dumpable(void)
{
    printf("%d", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static void report_securebits(void)
{
    printf("%d", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
}

static void report_parent_death_signal(void)
{
    int number = 0;
    prctl(PR_GET_PDEATHSIG, &number);
    printf("%d", number);
}

static void report_cgroups(void) { print_file("/proc/self/cgroup"); }
static void report_uid_map(void) { print_file("/proc/self/uid_map"); }
static void report_gid_map(void) { print_file("/proc/self/gid_map"); }
static void report_status(void) { print_file("/proc/self/status"); }
static void report_timens_offsets(void) { print_file("/proc/self/timens_offsets"); }

static const struct { const char *name; void (*print)(void); } reports[] = {
    {"ids", report_ids}, {"caps", report_caps}, {"rlimits", report_rlimits}, {"cwd", report_cwd},
    {"hostname", report_hostname}, {"domainname", report_domainname}, {"env", report_env}, {"fds", report_fds},
    {"umask", report_umask}, {"mounts", report_mounts}, {"no_new_privileges", report_no_new_privileges},
    {"seccomp", report_seccomp}, {"tty", report_tty}, {"oom_score_adj", report_oom_score_adj},
    {"keyring", report_keyring}, {"namespaces", report_namespaces}, {"process", report_process},
    {"affinity", report_affinity}, {"scheduler", report_scheduler}, {"signals", report_signals},
    {"personality", report_personality}, {"dumpable", report_dumpable}, {"securebits", report_securebits},
    {"parent_death_signal", report_parent_death_signal}, {"cgroups", report_cgroups}, {"uid_map", report_uid_map},
    {"gid_map", report_gid_map}, {"status", report_status}, {"timens_offsets", report_timens_offsets},
};

static bool print_report(const char *name)
{
    for (size_t i = 0; i < COUNT(reports); i++)
        if (strcmp(reports[i].name, name) == 0) {
            reports[i].print();
            return true;
        }
    return false;
}

/* ---- actions: argument helpers --------------------------------------------------------------------------- */

static long number_argument(char **arguments, int index, long fallback)
{
    for (int i = 0; i <= index; i++)
        if (arguments[i] == NULL)
            return fallback;
    return strtol(arguments[index], NULL, 0);
}

static void sleep_milliseconds(long milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        ;
}

/* ---- actions that run ------------------------------------------------------------------------------------ */

static int action_exit(char **arguments)
{
    return (int) number_argument(arguments, 0, 0);
}

static int action_sleep(char **arguments)
{
    sleep_milliseconds((long) (1000 * (arguments[0] ? strtod(arguments[0], NULL) : 3600)));
    return 0;
}

static int action_signal_self(char **arguments)
{
    int number = (int) number_argument(arguments, 0, SIGKILL);
    struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    signal(number, SIG_DFL);
    kill(getpid(), number);
    /* pid 1 of a pid namespace is immune to its own default actions */
    sleep_milliseconds(100);
    return 112;
}

static volatile sig_atomic_t caught_signal;
static void remember_signal(int number) { caught_signal = number; }

/* Prints "ready", then the number of each signal that arrives; ends at SIGTERM. */
static int action_catch_signals(char **arguments)
{
    sigset_t every, old;
    (void) arguments;
    sigfillset(&every);
    sigprocmask(SIG_BLOCK, &every, &old);
    struct sigaction action = {.sa_handler = remember_signal};
    for (int number = 1; number < 65; number++)
        sigaction(number, &action, NULL);
    printf("ready\n");
    for (;;) {
        fflush(stdout);
        int number = sigwaitinfo(&every, NULL);
        if (number == SIGWINCH) {
            struct winsize size = {0};
            ioctl(0, TIOCGWINSZ, &size);
            printf("size %u %u\n", size.ws_row, size.ws_col);
        } else if (number > 0) {
            printf("signal %d\n", number);
        }
        if (number == SIGTERM)
            return 0;
    }
}

static int action_cat(char **arguments)
{
    char buffer[65536];
    int fd = arguments[0] ? open(arguments[0], O_RDONLY) : 0;
    ssize_t got;
    if (fd < 0)
        fail(arguments[0]);
    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        if (write(1, buffer, (size_t) got) != got)
            return 1;
    return got < 0;
}

static int action_print(char **arguments)
{
    for (; *arguments != NULL; arguments++)
        printf("%s%s", *arguments, arguments[1] ? " " : "\n");
    return 0;
}

static int action_print_error(char **arguments)
{
    for (; *arguments != NULL; arguments++)
        fprintf(stderr, "%s%s", *arguments, arguments[1] ? " " : "\n");
    return 0;
}

/* Writes N bytes of 'x' to fd FD (1). */
static int action_flood(char **arguments)
{
    static char block[65536];
    long left = number_argument(arguments, 0, 1 << 20);
    int fd = (int) number_argument(arguments, 1, 1);
    memset(block, 'x', sizeof block);
    while (left > 0) {
        ssize_t put = write(fd, block, left < (long) sizeof block ? (size_t) left : sizeof block);
        if (put < 0)
            fail("write");
        left -= put;
    }
    return 0;
}

/* Forks N children that wait, tells how many came to be, kills them. */
static int action_fork_bomb(char **arguments)
{
    long wanted = number_argument(arguments, 0, 1000), made = 0;
    static pid_t children[100000];
    int error = 0;
    for (; made < wanted && made < (long) COUNT(children); made++) {
        children[made] = fork();
        if (children[made] == 0)
            for (;;)
                pause();
        if (children[made] < 0) {
            error = errno;
            break;
        }
    }
    for (long i = 0; i < made; i++)
        kill(children[i], SIGKILL);
    for (long i = 0; i < made; i++)
        waitpid(children[i], NULL, 0);
    printf("{\"made\": %ld", made);
    print_pair(", ", "errno", error ? strerrorname_np(error) : NULL);
    printf("}\n");
    return 0;
}

/* Touches N MiB page by page, tells, holds them for SECONDS. */
static int action_allocate(char **arguments)
{
    size_t size = (size_t) number_argument(arguments, 0, 1) << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return print_attempt(-1);
    for (size_t offset = 0; offset < size; offset += 4096)
        memory[offset] = 1;
    print_attempt(0);
    fflush(stdout);
    sleep_milliseconds(1000 * number_argument(arguments, 1, 0));
    return 0;
}

/* Uses the CPU until it has had MILLISECONDS of it or SECONDS of wall time have passed; tells both in ms. */
static int action_burn(char **arguments)
{
    struct timespec begin, now, used;
    long wall = 1000 * number_argument(arguments, 0, 1), elapsed = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (elapsed < wall) {
        for (volatile int i = 0; i < 100000; i++)
            ;
        clock_gettime(CLOCK_MONOTONIC, &now);
        elapsed = (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    printf("{\"wall\": %ld, \"cpu\": %ld}\n", elapsed, used.tv_sec * 1000 + used.tv_nsec / 1000000);
    return 0;
}

/* Leaves a daemon in a session of its own, which holds no inherited fd, and ends. */
static int action_orphan(char **arguments)
{
    pid_t child = fork();
    if (child == 0) {
        setsid();
        for (int fd = 0; fd < 1024; fd++)
            close(fd);
        sleep_milliseconds(1000 * number_argument(arguments, 0, 3600));
        _exit(0);
    }
    return child < 0;
}

/* Waits until PATH exists, or fails after SECONDS (30). */
static int action_wait_for(char **arguments)
{
    for (long left = 100 * number_argument(arguments, 1, 30); left > 0; left--) {
        if (access(arguments[0], F_OK) == 0)
            return 0;
        sleep_milliseconds(10);
    }
    return 1;
}

static int try_lock(char **arguments)
{
    int fd = open(arguments[0], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    return print_attempt(fd < 0 ? fd : flock(fd, LOCK_EX | LOCK_NB));
}

/* lock FILE: takes it and keeps it. */
static int action_lock(char **arguments)
{
    int code = try_lock(arguments);
    fflush(stdout);
    for (;;)
        pause();
    return code;
}

static int action_exec(char **arguments)
{
    execvp(arguments[0], arguments);
    return print_attempt(-1);
}

/* ---- actions that try ------------------------------------------------------------------------------------ */

/* write-file PATH TEXT: whole-file write, as `echo -n TEXT > PATH` without creating by a shell */
static int try_write_file(char **arguments)
{
    int fd = open(arguments[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return print_attempt(-1);
    ssize_t put = write(fd, arguments[1], strlen(arguments[1]));
    if (put >= 0 && close(fd) < 0)
        put = -1;
    return print_attempt(put);
}

static int try_open(char **arguments)
{
    static const struct { const char *name; int flag; } modes[] = {
        {"r", O_RDONLY}, {"w", O_WRONLY}, {"rw", O_RDWR}, {"path", O_PATH}, {"dir", O_RDONLY | O_DIRECTORY},
        {"create", O_WRONLY | O_CREAT},
    };
    int flags = O_RDONLY;
    for (size_t i = 0; i < COUNT(modes); i++)
        if (arguments[1] != NULL && strcmp(modes[i].name, arguments[1]) == 0)
            flags = modes[i].flag;
    return print_attempt(open(arguments[0], flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644));
}

static int try_mkdir(char **arguments) { return print_attempt(mkdir(arguments[0], 0755)); }
static int try_unlink(char **arguments) { return print_attempt(unlink(arguments[0])); }
static int try_rmdir(char **arguments) { return print_attempt(rmdir(arguments[0])); }
static int try_chroot(char **arguments) { return print_attempt(chroot(arguments[0])); }
static int try_chdir(char **arguments) { return print_attempt(chdir(arguments[0])); }
static int try_umount(char **arguments) { return print_attempt(umount2(arguments[0], MNT_DETACH)); }
static int try_sethostname(char **arguments) { return print_attempt(sethostname(arguments[0], strlen(arguments[0]))); }
static int try_setuid(char **arguments) { return print_attempt(setuid((uid_t) number_argument(arguments, 0, 0))); }
static int try_setgid(char **arguments) { return print_attempt(setgid((gid_t) number_argument(arguments, 0, 0))); }

static int try_chown(char **arguments)
{
    return print_attempt(chown(arguments[0], (uid_t) number_argument(arguments, 1, 0),
                               (gid_t) number_argument(arguments, 2, 0)));
}

static int try_chmod(char **arguments)
{
    return print_attempt(chmod(arguments[0], (mode_t) strtol(arguments[1], NULL, 8)));
}

/* mknod PATH c|b|p MAJOR MINOR */
static int try_mknod(char **arguments)
{
    mode_t type = arguments[1][0] == 'c' ? S_IFCHR : arguments[1][0] == 'b' ? S_IFBLK : S_IFIFO;
    return print_attempt(mknod(arguments[0], type | 0600,
                               makedev((unsigned) number_argument(arguments, 2, 0),
                                       (unsigned) number_argument(arguments, 3, 0))));
}

/* mount SOURCE TARGET TYPE FLAGS DATA */
static int try_mount(char **arguments)
{
    char *data = number_argument(arguments, 3, -1) >= 0 ? arguments[4] : NULL;
    return print_attempt(mount(arguments[0], arguments[1], arguments[2],
                               (unsigned long) number_argument(arguments, 3, 0), data));
}

static int try_unshare(char **arguments) { return print_attempt(unshare((int) number_argument(arguments, 0, 0))); }

static int try_setns(char **arguments)
{
    int fd = open(arguments[0], O_RDONLY | O_CLOEXEC);
    return print_attempt(fd < 0 ? -1 : setns(fd, 0));
}

static int try_ptrace(char **arguments)
{
    return print_attempt(ptrace(PTRACE_SEIZE, (pid_t) number_argument(arguments, 0, 1), 0, 0));
}

static int try_kill(char **arguments)
{
    return print_attempt(kill((pid_t) number_argument(arguments, 0, 1), (int) number_argument(arguments, 1, 0)));
}

/* ---- sd_notify(3) ------------------------------------------------------------------------------------------ */

static int notify_socket(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (path == NULL || fd < 0 || strlen(path) >= sizeof address.sun_path)
        fail("NOTIFY_SOCKET");
    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *) &address, sizeof address) < 0)
        fail(path);
    return fd;
}

/* Sends each TEXT as a message of its own. */
static int action_notify(char **arguments)
{
    int fd = notify_socket();
    for (; *arguments != NULL; arguments++)
        if (send(fd, *arguments, strlen(*arguments), 0) < 0)
            fail("send");
    return 0;
}

/* notify-with-fds COUNT TEXT...: the last message has COUNT write ends of a pipe with it; returns when all of them are closed,
 * as systemd-notify does with READY=1 and BARRIER=1. */
static int action_notify_with_fds(char **arguments)
{
    enum { most = 200 };
    int ends[2], fds[most], fd = notify_socket();
    size_t count = (size_t) number_argument(arguments, 0, 1);
    char control[CMSG_SPACE(sizeof fds)] = {0}, byte;
    for (arguments++; arguments[1] != NULL; arguments++)
        if (send(fd, *arguments, strlen(*arguments), 0) < 0)
            fail("send");
    struct iovec part = {*arguments, strlen(*arguments)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
    if (count > most || pipe(ends) < 0)
        fail("pipe");
    for (size_t i = 0; i < count; i++)
        fds[i] = ends[1];
    header.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    if (sendmsg(fd, &header, 0) < 0)
        fail("sendmsg");
    close(ends[1]);
    return read(ends[0], &byte, 1) != 0;
}

/* notify-flood TEXT: for ever. */
static int action_notify_flood(char **arguments)
{
    for (int fd = notify_socket();;)
        send(fd, arguments[0], strlen(arguments[0]), 0);
}

/* socket FAMILY TYPE PROTOCOL */
static int try_socket(char **arguments)
{
    return print_attempt(socket((int) number_argument(arguments, 0, AF_UNIX),
                                (int) number_argument(arguments, 1, SOCK_STREAM),
                                (int) number_argument(arguments, 2, 0)));
}

static int try_personality(char **arguments)
{
    return print_attempt(personality((unsigned long) number_argument(arguments, 0, 0)));
}

static int try_setpriority(char **arguments)
{
    return print_attempt(setpriority(PRIO_PROCESS, 0, (int) number_argument(arguments, 0, 0)));
}

static const struct { const char *name; long number; } system_calls[] = {
#define CALL(name) {#name, SYS_##name}
    CALL(getpid), CALL(getppid), CALL(getuid), CALL(gettid), CALL(getcwd), CALL(chmod), CALL(mkdir), CALL(rmdir),
    CALL(mount), CALL(umount2), CALL(pivot_root), CALL(chroot), CALL(unshare), CALL(setns), CALL(clone), CALL(clone3),
    CALL(ptrace), CALL(keyctl), CALL(add_key), CALL(request_key), CALL(bpf), CALL(perf_event_open), CALL(userfaultfd),
    CALL(kexec_load), CALL(init_module), CALL(finit_module), CALL(delete_module), CALL(open_by_handle_at),
    CALL(name_to_handle_at), CALL(process_vm_readv), CALL(kcmp), CALL(personality), CALL(reboot), CALL(swapon),
    CALL(settimeofday), CALL(clock_settime), CALL(adjtimex), CALL(syslog), CALL(acct), CALL(quotactl),
    CALL(io_uring_setup), CALL(io_uring_enter), CALL(socket), CALL(uname), CALL(sched_yield), CALL(sync),
    CALL(openat2), CALL(open_tree), CALL(move_mount), CALL(fsopen), CALL(mount_setattr), CALL(pidfd_open),
    CALL(pidfd_getfd), CALL(close_range), CALL(landlock_create_ruleset), CALL(memfd_create), CALL(sethostname),
    CALL(setdomainname), CALL(iopl), CALL(ioperm), CALL(vhangup), CALL(seccomp), CALL(set_mempolicy), CALL(getrandom),
#undef CALL
};

/* syscall NAME|NUMBER [ARGS...]: numbers as strtol reads them, anything else is passed as a string */
static int try_syscall(char **arguments)
{
    long number = -1, values[6] = {0};
    char *end;
    for (size_t i = 0; i < COUNT(system_calls); i++)
        if (strcmp(system_calls[i].name, arguments[0]) == 0)
            number = system_calls[i].number;
    if (number < 0) {
        number = strtol(arguments[0], &end, 0);
        if (*end != '\0') {
            errno = EINVAL;
            fail(arguments[0]);
        }
    }
    for (int i = 0; i < 6 && arguments[i + 1] != NULL; i++) {
        values[i] = (long) strtoull(arguments[i + 1], &end, 0);
        if (*end != '\0')
            values[i] = (long) arguments[i + 1];
    }
    return print_attempt(syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]));
}

/* ---- actions that look ----------------------------------------------------------------------------------- */

static const char *file_type(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "link";
    case S_IFCHR: return "character device";
    case S_IFBLK: return "block device";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    default: return "unknown";
    }
}

static void print_status(const char *path)
{
    struct stat status;
    char target[4097];
    if (lstat(path, &status) < 0) {
        print_pair("{", "errno", strerrorname_np(errno));
        putchar('}');
        return;
    }
    print_pair("{", "type", file_type(status.st_mode));
    printf(", \"mode\": %u, \"uid\": %u, \"gid\": %u, \"size\": %jd, \"inode\": %ju, ", status.st_mode & 07777,
           status.st_uid, status.st_gid, (intmax_t) status.st_size, (uintmax_t) status.st_ino);
    printf("\"device\": \"%u:%u\", \"major\": %u, \"minor\": %u, \"links\": %ju", major(status.st_dev),
           minor(status.st_dev), major(status.st_rdev), minor(status.st_rdev), (uintmax_t) status.st_nlink);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length >= 0)
        target[length] = '\0';
    print_pair(", ", "target", length >= 0 ? target : NULL);
    putchar('}');
}

/* stat PATH...: an object by path; links are not followed */
static int action_stat(char **arguments)
{
    bool first = true;
    printf("{");
    for (; *arguments != NULL; arguments++) {
        printf("%s", comma(&first));
        print_string(*arguments);
        printf(": ");
        print_status(*arguments);
    }
    printf("}\n");
    return 0;
}

/* list PATH...: the sorted names in each folder, null where it cannot be read */
static int action_list(char **arguments)
{
    bool first = true;
    printf("{");
    for (; *arguments != NULL; arguments++) {
        struct dirent **entries;
        int count = scandir(*arguments, &entries, NULL, alphasort);
        printf("%s", comma(&first));
        print_string(*arguments);
        printf(count < 0 ? ": null" : ": [");
        bool first_name = true;
        for (int i = 0; i < count; i++) {
            if (strcmp(entries[i]->d_name, ".") == 0 || strcmp(entries[i]->d_name, "..") == 0)
                continue;
            printf("%s", comma(&first_name));
            print_string(entries[i]->d_name);
        }
        printf(count < 0 ? "" : "]");
    }
    printf("}\n");
    return 0;
}

/* read PATH...: an object of path to content, null where it cannot be read */
static int action_read(char **arguments)
{
    bool first = true;
    printf("{");
    for (; *arguments != NULL; arguments++) {
        printf("%s", comma(&first));
        print_string(*arguments);
        printf(": ");
        print_file(*arguments);
    }
    printf("}\n");
    return 0;
}

/* sysctl NAME...: as read, with dots for slashes and without the newline */
static int action_sysctl(char **arguments)
{
    bool first = true;
    printf("{");
    for (; *arguments != NULL; arguments++) {
        char path[4096];
        snprintf(path, sizeof path, "/proc/sys/%s", *arguments);
        for (char *c = path + strlen("/proc/sys/"); *c != '\0'; c++)
            if (*c == '.')
                *c = '/';
        char *text = read_whole_file(path);
        if (text != NULL)
            text[strcspn(text, "\n")] = '\0';
        printf("%s", comma(&first));
        print_string(*arguments);
        printf(": ");
        if (text == NULL)
            printf("null");
        else
            print_string(text);
        free(text);
    }
    printf("}\n");
    return 0;
}

static const struct { const char *name; int least_arguments; int (*act)(char **arguments); } actions[] = {
    {"exit", 1, action_exit}, {"sleep", 0, action_sleep}, {"signal-self", 1, action_signal_self},
    {"catch-signals", 0, action_catch_signals}, {"cat", 0, action_cat}, {"print", 0, action_print},
    {"print-error", 0, action_print_error}, {"flood", 1, action_flood}, {"fork-bomb", 1, action_fork_bomb},
    {"allocate", 1, action_allocate}, {"burn", 1, action_burn}, {"orphan", 0, action_orphan},
    {"wait-for", 1, action_wait_for}, {"lock", 1, action_lock}, {"try-lock", 1, try_lock}, {"exec", 1, action_exec}, {"write-file", 2, try_write_file},
    {"open", 1, try_open}, {"mkdir", 1, try_mkdir}, {"unlink", 1, try_unlink}, {"rmdir", 1, try_rmdir},
    {"chroot", 1, try_chroot}, {"chdir", 1, try_chdir}, {"umount", 1, try_umount},
    {"sethostname", 1, try_sethostname}, {"setuid", 1, try_setuid}, {"setgid", 1, try_setgid},
    {"chown", 3, try_chown}, {"chmod", 2, try_chmod}, {"mknod", 2, try_mknod}, {"mount", 3, try_mount},
    {"unshare", 1, try_unshare}, {"setns", 1, try_setns}, {"ptrace", 1, try_ptrace}, {"kill", 2, try_kill},
    {"socket", 1, try_socket}, {"set-personality", 1, try_personality}, {"setpriority", 1, try_setpriority},
    {"syscall", 1, try_syscall}, {"stat", 1, action_stat}, {"list", 1, action_list}, {"read", 1, action_read},
    {"sysctl", 1, action_sysctl}, {"notify", 1, action_notify}, {"notify-with-fds", 2, action_notify_with_fds},
    {"notify-flood", 1, action_notify_flood},
};

static int print_reports(char **names)
{
    bool first = true;
    printf("{");
    for (; *names != NULL; names++) {
        printf("%s\"%s\": ", comma(&first), *names);
        if (!print_report(*names)) {
            fflush(stdout);
            fprintf(stderr, "probe: no report and no action is called %s\n", *names);
            return 2;
        }
    }
    printf("}\n");
    return 0;
}

int main(int count, char **arguments)
{
    if (count < 2) {
        fprintf(stderr, "usage: probe REPORT... | probe ACTION [ARGUMENT...]\n");
        return 2;
    }
    for (size_t i = 0; i < COUNT(actions); i++) {
        if (strcmp(actions[i].name, arguments[1]) != 0)
            continue;
        if (count - 2 < actions[i].least_arguments) {
            fprintf(stderr, "probe: %s needs %d arguments\n", actions[i].name, actions[i].least_arguments);
            return 2;
        }
        int code = actions[i].act(arguments + 2);
        fflush(stdout);
        return code;
    }
    int code = print_reports(arguments + 1);
    fflush(stdout);
    return code;
}
