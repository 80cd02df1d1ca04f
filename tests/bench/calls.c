/* What a system call costs here: nanoseconds of one getppid, the median of some rounds. Filters let it through in their fast path,
 * as the calls of ordinary programs. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { rounds = 15, calls = 50000 };

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(void)
{
    double took[rounds];
    for (int round = 0; round < rounds; round++) {
        double begin = now();
        for (int call = 0; call < calls; call++)
            syscall(SYS_getppid);
        took[round] = (now() - begin) / calls;
    }
    qsort(took, rounds, sizeof took[0], compare);
    printf("%.2f\n", took[rounds / 2]);
    return 0;
}
