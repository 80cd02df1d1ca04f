/* stream serve PORT: to each connection sends bytes ("d" comes in first), or takes them ("u"), until it is closed.
 * stream down|up ADDRESS PORT MEGABYTES: prints megabytes per second. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[256 << 10];

static void serve(int connection)
{
    char what = 0;
    if (read(connection, &what, 1) == 1 && what == 'd')
        while (send(connection, buffer, sizeof buffer, MSG_NOSIGNAL) > 0)
            ;
    else {
        while (read(connection, buffer, sizeof buffer) > 0)
            ;
        (void)!write(connection, "e", 1);
    }
    close(connection);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char** words)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int on = 1;
    int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
    if (count == 3) {
        address.sin_port = htons((unsigned short)atoi(words[2]));
        setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(socket_fd, (struct sockaddr*)&address, sizeof address) < 0 || listen(socket_fd, 64) < 0)
            return perror("bind"), 1;
        puts("ready");
        fflush(stdout);
        while (1) {
            int connection = accept(socket_fd, NULL, NULL);
            if (connection < 0)
                return 1;
            if (fork() == 0) {
                serve(connection);
                return 0;
            }
            close(connection);
        }
    }
    if (count != 5)
        return 2;
    address.sin_port = htons((unsigned short)atoi(words[3]));
    inet_aton(words[2], &address.sin_addr);
    long long left = atoll(words[4]) << 20;
    double begin = now();
    if (connect(socket_fd, (struct sockaddr*)&address, sizeof address) < 0)
        return perror("connect"), 1;
    if (words[1][0] == 'd') {
        (void)!write(socket_fd, "d", 1);
        while (left > 0) {
            ssize_t size = read(socket_fd, buffer, sizeof buffer);
            if (size <= 0)
                return perror("read"), 1;
            left -= size;
        }
    } else {
        (void)!write(socket_fd, "u", 1);
        while (left > 0) {
            ssize_t size = send(socket_fd, buffer, sizeof buffer, MSG_NOSIGNAL);
            if (size <= 0)
                return perror("send"), 1;
            left -= size;
        }
        shutdown(socket_fd, SHUT_WR);
        if (read(socket_fd, buffer, 1) != 1)
            return perror("read"), 1;
    }
    printf("%.1f\n", (double)(atoll(words[4])) / (now() - begin));
    return 0;
}
