/*
 * Watches for processes that join the container and takes from each what it can get before it becomes the program that was
 * asked for: descriptors, executable, environment, memory, ptrace. CVE-2016-9962.
 *
 * watch_joiners SECONDS SECRET KNOWN_PROGRAM...
 *   SECRET: text of the host's environment. KNOWN_PROGRAM: what processes here are expected to be; anything else that can
 *   be opened is the runtime itself, caught in the act.
 * Prints {"seen": PROCESSES, "looks": N, "denied": N, "breaches": ["..."]}.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most_known = 8, most_breaches = 20 };

static struct stat known[most_known];
static int known_count, breach_count, last_seen;
static long seen, looks, denied;
static char breaches[most_breaches][256];
static const char *secret;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void breach(int pid, const char *what, const char *detail)
{
    if (breach_count < most_breaches)
        snprintf(breaches[breach_count], sizeof breaches[0], "pid %d: %s %.150s", pid, what, detail);
    ++breach_count;
}

static int open_of(int pid, const char *name, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    ++looks;
    int file = open(path, flags | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 && (errno == EACCES || errno == EPERM))
        ++denied;
    return file;
}

/* 1: a program of this container. 0: something else, and open to us. -1: not to be told. */
static int runs_known_program(int pid)
{
    struct stat status;
    int file = open_of(pid, "exe", O_RDONLY);
    if (file < 0)
        return -1;
    int result = fstat(file, &status) < 0 ? -1 : 0;
    for (int i = 0; result == 0 && i < known_count; ++i)
        if (status.st_dev == known[i].st_dev && status.st_ino == known[i].st_ino)
            result = 1;
    close(file);
    return result;
}

static void look_at_descriptors(int pid)
{
    int folder = open_of(pid, "fd", O_RDONLY | O_DIRECTORY);
    DIR *entries = folder < 0 ? NULL : fdopendir(folder);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        char target[256] = "";
        /* Standard input, output and error belong to the program that is being started. */
        if (atoi(entry->d_name) < 3 || readlinkat(folder, entry->d_name, target, sizeof target - 1) < 0)
            continue;
        breach(pid, "descriptor", target);
    }
    if (entries != NULL)
        closedir(entries);
}

static void look_at_environment(int pid)
{
    static char text[65536];
    int file = open_of(pid, "environ", O_RDONLY);
    if (file < 0)
        return;
    ssize_t size = read(file, text, sizeof text);
    if (size > 0 && memmem(text, (size_t)size, secret, strlen(secret)) != NULL)
        breach(pid, "environment", "of the runtime");
    close(file);
}

static void try_to_trace(int pid)
{
    ++looks;
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0) {
        denied += errno == EPERM;
        return;
    }
    if (runs_known_program(pid) == 0)
        breach(pid, "ptrace", "of the runtime");
    ptrace(PTRACE_INTERRUPT, pid, 0, 0);
    waitpid(pid, NULL, __WALL);
    ptrace(PTRACE_DETACH, pid, 0, 0);
}

static void look_at(int pid)
{
    if (pid != last_seen)
        ++seen;
    last_seen = pid;
    if (runs_known_program(pid) == 0)
        breach(pid, "executable", "of the runtime");
    look_at_descriptors(pid);
    look_at_environment(pid);
    int memory = open_of(pid, "mem", O_RDWR);
    if (memory >= 0 && runs_known_program(pid) == 0)
        breach(pid, "memory", "of the runtime");
    if (memory >= 0)
        close(memory);
    try_to_trace(pid);
}

int main(int count, char **arguments)
{
    if (count < 4)
        return 2;
    secret = arguments[2];
    stat("/proc/self/exe", &known[known_count++]);
    for (int i = 3; i < count && known_count < most_known; ++i)
        if (stat(arguments[i], &known[known_count]) == 0)
            ++known_count;
    double end = now() + atof(arguments[1]);
    DIR *processes = opendir("/proc");
    while (processes != NULL && now() < end) {
        rewinddir(processes);
        for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
            int pid = atoi(entry->d_name);
            if (pid > 1 && pid != getpid())
                look_at(pid);
        }
    }
    printf("{\"seen\": %ld, \"looks\": %ld, \"denied\": %ld, \"breaches\": [", seen, looks, denied);
    for (int i = 0; i < breach_count && i < most_breaches; ++i)
        printf("%s\"%s\"", i ? ", " : "", breaches[i]);
    printf("]}\n");
    return 0;
}
