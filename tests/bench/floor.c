/*
 * What the kernel charges for a container, and nothing else: namespaces, the mounts every container has, pivot_root,
 * exec, wait. No cgroup, no seccomp, no JSON, no state. `floor ROOTFS PROGRAM [ARGUMENT...]` ends with the program's status.
 * The benchmark reports every runtime as a multiple of this.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
        _exit(125);
    }
}

static void ensure_directory(const char *path)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        must(-1, path);
}

static void mount_file_systems(void)
{
    must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mount proc");
    must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"), "mount dev");
    ensure_directory("dev/pts");
    ensure_directory("dev/shm");
    must(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"),
         "mount dev/pts");
    must(mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k"), "mount dev/shm");
    must(mknod("dev/null", S_IFCHR | 0666, makedev(1, 3)), "mknod dev/null");
}

static void enter_root_file_system(const char *root)
{
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make / private");
    must(mount(root, root, NULL, MS_BIND | MS_REC, NULL), "bind root");
    must(chdir(root), "chdir root");
    mount_file_systems();
    must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "detach old root");
    must(chdir("/"), "chdir /");
}

int main(int argument_count, char **arguments)
{
    if (argument_count < 3) {
        fprintf(stderr, "usage: floor ROOTFS PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    struct clone_args clone_arguments = {
        .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC,
        .exit_signal = SIGCHLD,
    };
    pid_t child = (pid_t)syscall(SYS_clone3, &clone_arguments, sizeof clone_arguments);
    must(child, "clone3");
    if (child == 0) {
        enter_root_file_system(arguments[1]);
        must(execv(arguments[2], arguments + 2), arguments[2]);
    }
    int status = 0;
    must(waitpid(child, &status, 0), "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
