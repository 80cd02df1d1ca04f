/*
 * Starts programs on request and times them, so that the benchmark's Python costs nothing between the clock's two readings.
 *
 * usage: spawner [--without-mount PATH]...
 *   --without-mount: work in an own mount namespace in which PATH is not mounted. crun refuses a host that has both
 *   cgroup versions; it is measured in a namespace without the second one, entered once and not once per start.
 *
 * Request on standard input, numbers as text lines, strings ended by a zero byte:
 *   "PROGRAMS TOGETHER\n"  then per program "ARGUMENTS ORPHANS\n" and ARGUMENTS strings
 *   TOGETHER 0: one after the other. TOGETHER 1: all at once, the batch ends when the last has ended.
 *   ORPHANS: after this program wait until so many adopted processes (container inits) have ended in this batch.
 * Answer: per program "EXIT NANOSECONDS MAXRSS_KIB WAITED_NANOSECONDS\n", then "NANOSECONDS\n" for the whole batch.
 *
 * The spawner adopts orphans (PR_SET_CHILD_SUBREAPER) like a containerd shim does, and reaps them at once.
 * It stays small on purpose: the kernel counts the parent's resident set into ru_maxrss of a vfork child that execs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most_programs = 256, most_arguments = 64, most_text = 65536 };

struct program {
    char *arguments[most_arguments + 1];
    int orphans_to_wait_for;
    pid_t pid;
    int exit_status;
    long long started, ended, waited;
    long peak_kib;
};

static struct program programs[most_programs];
static char text[most_text];
static int orphans_ended;
extern char **environ;

static void fail(const char *what)
{
    fprintf(stderr, "spawner: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void work_without_mounts(int argument_count, char **arguments)
{
    for (int i = 1; i + 1 < argument_count; i += 2) {
        if (strcmp(arguments[i], "--without-mount") != 0)
            fail(arguments[i]);
        if (i == 1 && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
            fail("own mount namespace");
        if (umount2(arguments[i + 1], MNT_DETACH) < 0 && errno != EINVAL)
            fail(arguments[i + 1]);
    }
}

static void read_string(char **cursor)
{
    for (;;) {
        int byte = getchar();
        if (byte == EOF || *cursor == text + most_text)
            fail("request cut short or too long");
        *(*cursor)++ = (char)byte;
        if (byte == '\0')
            return;
    }
}

static int read_request(int *together)
{
    int count = 0;
    if (scanf("%d %d", &count, together) != 2 || getchar() != '\n')
        return 0;
    if (count < 1 || count > most_programs)
        fail("number of programs");
    char *cursor = text;
    for (int i = 0; i < count; ++i) {
        int argument_count = 0;
        memset(&programs[i], 0, sizeof programs[i]);
        if (scanf("%d %d", &argument_count, &programs[i].orphans_to_wait_for) != 2 || getchar() != '\n' ||
            argument_count < 1 || argument_count > most_arguments)
            fail("number of arguments");
        for (int j = 0; j < argument_count; ++j) {
            programs[i].arguments[j] = cursor;
            read_string(&cursor);
        }
    }
    return count;
}

static void start(struct program *program, posix_spawn_file_actions_t *stdio)
{
    program->started = now();
    int error = posix_spawn(&program->pid, program->arguments[0], stdio, NULL, program->arguments, environ);
    if (error != 0) {
        errno = error;
        fail(program->arguments[0]);
    }
}

/* Any child may end first: one of the programs, or a container init that was left to the spawner. */
static struct program *wait_for_one(int count)
{
    int status = 0;
    struct rusage usage;
    pid_t pid = wait4(-1, &status, 0, &usage);
    long long at = now();
    if (pid < 0)
        fail("wait4: nothing left to wait for");
    for (int i = 0; i < count; ++i) {
        if (programs[i].pid != pid || programs[i].ended != 0)
            continue;
        programs[i].ended = at;
        programs[i].exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        programs[i].peak_kib = usage.ru_maxrss;
        return &programs[i];
    }
    ++orphans_ended;
    return NULL;
}

static void run_one_after_the_other(int count, posix_spawn_file_actions_t *stdio)
{
    for (int i = 0; i < count; ++i) {
        start(&programs[i], stdio);
        while (programs[i].ended == 0)
            wait_for_one(i + 1);
        while (programs[i].exit_status == 0 && orphans_ended < programs[i].orphans_to_wait_for)
            wait_for_one(i + 1);
        programs[i].waited = now() - programs[i].ended;
    }
}

static void run_together(int count, posix_spawn_file_actions_t *stdio)
{
    int running = count;
    for (int i = 0; i < count; ++i)
        start(&programs[i], stdio);
    while (running > 0)
        if (wait_for_one(count) != NULL)
            --running;
}

static void reap_late_orphans(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    orphans_ended = 0;
}

int main(int argument_count, char **arguments)
{
    work_without_mounts(argument_count, arguments);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        fail("PR_SET_CHILD_SUBREAPER");
    posix_spawn_file_actions_t stdio;
    posix_spawn_file_actions_init(&stdio);
    posix_spawn_file_actions_addopen(&stdio, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&stdio, 1, "/dev/null", O_WRONLY, 0);
    int together = 0;
    for (int count; (count = read_request(&together)) > 0;) {
        reap_late_orphans();
        long long began = now();
        if (together)
            run_together(count, &stdio);
        else
            run_one_after_the_other(count, &stdio);
        long long took = now() - began;
        for (int i = 0; i < count; ++i)
            printf("%d %lld %ld %lld\n", programs[i].exit_status, programs[i].ended - programs[i].started,
                   programs[i].peak_kib, programs[i].waited);
        printf("%lld\n", took);
        fflush(stdout);
    }
    return 0;
}
