/*
 * Prints the seccomp filters that are installed on a process, newest first, as the kernel holds them: one line per filter,
 * "CODE,TRUE,FALSE,K" per instruction. usage: dump_filter PID; needs CAP_SYS_ADMIN and CONFIG_CHECKPOINT_RESTORE.
 * What a filter does for an architecture can so be told on a kernel that does not run that architecture.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

int main(int count, char **arguments)
{
    static struct sock_filter instructions[4096];
    if (count != 2)
        return 2;
    pid_t pid = atoi(arguments[1]);
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 ||
        waitpid(pid, NULL, __WALL) < 0) {
        perror("dump_filter: ptrace");
        return 1;
    }
    for (long index = 0;; ++index) {
        long length = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, index, instructions);
        if (length < 0 && errno == ENOENT)
            break;
        if (length < 0) {
            perror("dump_filter: PTRACE_SECCOMP_GET_FILTER");
            return 1;
        }
        for (long i = 0; i < length; ++i)
            printf("%s%u,%u,%u,%u", i ? " " : "", instructions[i].code, instructions[i].jt, instructions[i].jf,
                   instructions[i].k);
        printf("\n");
    }
    ptrace(PTRACE_DETACH, pid, 0, 0);
    return 0;
}
