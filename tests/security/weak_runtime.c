/*
 * The positive control: a container setup as it was written before the CVEs. Every path is a string that is resolved again
 * and again, nothing is checked, nothing is sealed, inherited descriptors stay open. An attack that does not succeed here
 * proves nothing when it fails against brig.
 *
 * usage: weak_runtime STEP... -- PROGRAM [ARGUMENT...]
 * A step is a name and a fixed number of words (the table at the end); the steps run in the order given.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *root = "";
static long linger_microseconds;

static void must(long result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "weak_runtime: %s: %s\n", what, strerror(errno));
        _exit(125);
    }
}

static const char *in_root(const char *path)
{
    static char joined[2][8192];
    static unsigned next;
    char *target = joined[next++ % 2];
    snprintf(target, sizeof joined[0], "%s/%s", root, path);
    return target;
}

/* The window of CVE-2021-30465 and 2024-45310, held open long enough to be hit in a short test. */
static void linger(void)
{
    struct timespec time = {.tv_sec = linger_microseconds / 1000000, .tv_nsec = linger_microseconds % 1000000 * 1000};
    if (linger_microseconds > 0)
        nanosleep(&time, NULL);
}

static void make_directories(const char *path, int with_last)
{
    char part[8192];
    for (size_t i = 1; path[i - 1] != '\0'; ++i) {
        if (path[i] != '/' && (path[i] != '\0' || !with_last))
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0755) < 0 && errno != EEXIST && errno != EROFS)
            must(-1, part);
    }
}

static void step_root(char **words)
{
    root = words[0];
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    must(mount(root, root, NULL, MS_BIND | MS_REC, NULL), root);
}

static void step_unshare(char **words)
{
    must(unshare((int)strtol(words[0], NULL, 0)), "unshare");
}

static void step_fork(char **words)
{
    (void)words;
    pid_t child = fork();
    must(child, "fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        return;
    }
    int status;
    must(waitpid(child, &status, 0), "waitpid");
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void step_mount(char **words)
{
    const char *target = in_root(words[2]);
    struct stat source;
    linger();
    int is_file = stat(words[1], &source) == 0 && !S_ISDIR(source.st_mode);
    make_directories(target, !is_file);
    if (is_file)
        close(open(target, O_CREAT | O_RDWR, 0755));
    linger();
    must(mount(words[1], target, words[0], strtoul(words[3], NULL, 0), words[4]), target);
}

static void step_device(char **words)
{
    mode_t type = words[1][0] == 'b' ? S_IFBLK : S_IFCHR;
    dev_t number = makedev((unsigned)atoi(words[2]), (unsigned)atoi(words[3]));
    if (mknod(in_root(words[0]), type | 0666, number) < 0 && errno != EEXIST)
        must(-1, words[0]);
}

static void step_mask(char **words)
{
    struct stat target;
    linger();
    if (stat(in_root(words[0]), &target) < 0)
        return;
    if (S_ISDIR(target.st_mode))
        must(mount("tmpfs", in_root(words[0]), "tmpfs", MS_RDONLY, NULL), words[0]);
    else
        must(mount(in_root("dev/null"), in_root(words[0]), NULL, MS_BIND, NULL), words[0]);
}

static void step_console(char **words)
{
    int target = open(in_root("dev/console"), O_CREAT | O_WRONLY, 0620);
    must(target, "dev/console");
    close(target);
    linger();
    must(mount(in_root(words[0]), in_root("dev/console"), NULL, MS_BIND, NULL), "dev/console");
}

static void step_write(char **words)
{
    int file = open(in_root(words[0]), O_WRONLY | O_CLOEXEC);
    must(file, words[0]);
    must(write(file, words[1], strlen(words[1])), words[0]);
    close(file);
}

static void step_pivot(char **words)
{
    (void)words;
    must(chdir(root), root);
    must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "detach old root");
    must(chdir("/"), "chdir /");
    root = "";
}

static void step_leak(char **words)
{
    must(open(words[0], O_RDONLY | O_DIRECTORY), words[0]);
}

static void step_directory(char **words)
{
    must(chdir(words[0]), words[0]);
}

static void step_user(char **words)
{
    char *gid = strchr(words[0], ':');
    must(setgid(gid ? (gid_t)atoi(gid + 1) : 0), "setgid");
    must(setuid((uid_t)atoi(words[0])), "setuid");
}

static void step_inheritable(char **words)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    must(syscall(SYS_capget, &header, data), "capget");
    uint64_t set = strtoull(words[0], NULL, 0);
    data[0].inheritable = (uint32_t)set;
    data[1].inheritable = (uint32_t)(set >> 32);
    must(syscall(SYS_capset, &header, data), "capset");
}

/* Joins a container the way CVE-2016-9962 could be used: dumpable, descriptors open, in no hurry to exec. */
static void step_join(char **words)
{
    static const char *const namespaces[] = {"ipc", "uts", "net", "pid", "mnt"};
    int files[5];
    for (size_t i = 0; i < 5; ++i) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%s/ns/%s", words[0], namespaces[i]);
        files[i] = open(path, O_RDONLY);
        must(files[i], path);
    }
    for (size_t i = 0; i < 5; ++i)
        must(setns(files[i], 0), namespaces[i]);
}

static void step_linger(char **words)
{
    linger_microseconds = atol(words[0]);
}

static void step_wait(char **words)
{
    linger_microseconds = atol(words[0]);
    linger();
}

/* A filter that looks at the number alone and forgets that every architecture has numbers of its own. */
static void step_naive_filter(char **words)
{
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)atoi(words[0]), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof instructions / sizeof instructions[0], .filter = instructions};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
}

static const struct {
    const char *name;
    int words;
    void (*perform)(char **words);
} steps[] = {
    {"root", 1, step_root},
    {"unshare", 1, step_unshare},
    {"fork", 0, step_fork},
    {"mount", 5, step_mount},       /* TYPE SOURCE TARGET FLAGS DATA */
    {"device", 4, step_device},     /* PATH c|b MAJOR MINOR */
    {"mask", 1, step_mask},
    {"console", 1, step_console},   /* SOURCE, in the root */
    {"write", 2, step_write},       /* PATH TEXT, in the root */
    {"pivot", 0, step_pivot},
    {"leak", 1, step_leak},         /* DIRECTORY of the host, left open */
    {"directory", 1, step_directory},
    {"user", 1, step_user},         /* UID[:GID], read as atoi does */
    {"inheritable", 1, step_inheritable},
    {"join", 1, step_join},         /* PID */
    {"linger", 1, step_linger},     /* MICROSECONDS, in every later step with a window */
    {"wait", 1, step_wait},
    {"naive-filter", 1, step_naive_filter},
};

static char **perform_one(char **words)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; ++i) {
        if (strcmp(words[0], steps[i].name) != 0)
            continue;
        steps[i].perform(words + 1);
        return words + 1 + steps[i].words;
    }
    errno = EINVAL;
    must(-1, words[0]);
    return NULL;
}

int main(int count, char **words)
{
    (void)count;
    ++words;
    while (words[0] != NULL && strcmp(words[0], "--") != 0)
        words = perform_one(words);
    if (words[0] == NULL || words[1] == NULL) {
        fprintf(stderr, "usage: weak_runtime STEP... -- PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    execv(words[1], words + 1);
    must(-1, words[1]);
}
