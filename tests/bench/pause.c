/* The init of a container that stays up while `exec`, `state` and `delete` are measured. SIGTERM ends it. */
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

static void leave(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

int main(void)
{
    struct sigaction ignore_children = {.sa_handler = SIG_IGN, .sa_flags = SA_NOCLDWAIT};
    sigaction(SIGCHLD, &ignore_children, NULL);
    struct sigaction end = {.sa_handler = leave};
    sigaction(SIGTERM, &end, NULL);
    for (;;)
        pause();
}
