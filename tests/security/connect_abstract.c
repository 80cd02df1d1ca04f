/*
 * Connects to a unix socket in the abstract namespace, which belongs to the network namespace and not to a file system.
 * CVE-2020-15257. usage: connect_abstract NAME; prints "connected" or the name of the error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int count, char **arguments)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (count != 2 || client < 0 || strlen(arguments[1]) > sizeof address.sun_path - 2)
        return 2;
    memcpy(address.sun_path + 1, arguments[1], strlen(arguments[1]));
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(arguments[1]));
    int result = connect(client, (struct sockaddr *)&address, length);
    printf("%s\n", result == 0 ? "connected" : strerrorname_np(errno));
    return 0;
}
