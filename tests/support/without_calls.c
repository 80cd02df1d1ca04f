// Runs brig on a kernel that lacks system calls: a filter answers them with ENOSYS, as old kernels and some sandboxes do.
//
// usage: FOLDER/CALL[,CALL...] ARGUMENT...
//
// The calls are the name that it was started by (a link to this program), so that it can stand for brig where a test
// wants one program; brig itself is BRIG_WITH_ALL_CALLS, or `brig` two folders above this program's.
#define _GNU_SOURCE
#include <errno.h>
#include <libgen.h>
#include <linux/filter.h>
#include <linux/limits.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    unsigned number;
} calls[] = {
    {"openat2", SYS_openat2},         {"clone3", SYS_clone3},         {"close_range", SYS_close_range},
    {"pidfd_open", SYS_pidfd_open},   {"fsopen", SYS_fsopen},         {"pidfd_send_signal", SYS_pidfd_send_signal},
    {"fsconfig", SYS_fsconfig},       {"fsmount", SYS_fsmount},       {"mount_setattr", SYS_mount_setattr},
    {"open_tree", SYS_open_tree},     {"move_mount", SYS_move_mount},
    {"landlock_create_ruleset", SYS_landlock_create_ruleset},
};

static void fail(const char *what)
{
    fprintf(stderr, "without_calls: %s: %s\n", what, strerror(errno));
    exit(125);
}

static unsigned number_of(const char *name)
{
    for (size_t index = 0; index < sizeof calls / sizeof calls[0]; index++)
        if (strcmp(calls[index].name, name) == 0)
            return calls[index].number;
    errno = EINVAL;
    fail(name);
    return 0;
}

static void forbid(char *names)
{
    struct sock_filter filter[64] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    unsigned short length = 1;
    for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
        filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number_of(name), 0, 1);
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, filter};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        fail("PR_SET_SECCOMP");
}

int main(int argc, char **argv)
{
    char own[PATH_MAX] = "", path[PATH_MAX + 16];
    (void)argc;
    if (readlink("/proc/self/exe", own, sizeof own - 1) < 0)
        fail("/proc/self/exe");
    const char *given = getenv("BRIG_WITH_ALL_CALLS");
    snprintf(path, sizeof path, "%s", given ? given : "");
    if (!given)
        snprintf(path, sizeof path, "%s/../brig", dirname(own));
    forbid(basename(strdup(argv[0])));
    // What is executed may be this program once more, by another name.
    unsetenv("BRIG_WITH_ALL_CALLS");
    argv[0] = path;
    execv(path, argv);
    fail(path);
}
