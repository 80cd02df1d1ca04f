/*
 * Makes the same system calls by three doors: the 64-bit one, x32 (bit 30 of the number), and int $0x80 with i386 numbers.
 * Each call is made by a child of its own, because a filter may kill for it.
 * Prints {"64 socket AF_VSOCK": "EPERM", "i386 mkdir": "ok", "x32 getpid": "SIGSYS", ...}.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum door { door_64, door_x32, door_i386 };
static const char *const door_names[] = {"64", "x32", "i386"};

struct shared {
    long result;
    char path[64];
    uint32_t socketcall_arguments[3];
    char io_uring_parameters[256];
};

static struct shared *shared;
static int calls_made;

static long call_by_int80(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int32_t)result;
}

static long call_by_syscall(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "memory", "rcx", "r11");
    return result;
}

static void try(enum door door, const char *name, long number, long a, long b, long c)
{
    shared->result = -EINTR;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        if (door == door_x32)
            number |= 0x40000000;
        shared->result = door == door_i386 ? call_by_int80(number, a, b, c) : call_by_syscall(number, a, b, c);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    const char *outcome = "ok";
    if (WIFSIGNALED(status))
        outcome = sigabbrev_np(WTERMSIG(status));
    else if (shared->result < 0)
        outcome = strerrorname_np((int)-shared->result);
    printf("%s\"%s %s\": \"%s\"", calls_made++ ? ", " : "{", door_names[door], name, outcome);
}

static long path_for(enum door door)
{
    snprintf(shared->path, sizeof shared->path, "/tmp/made-by-%s", door_names[door]);
    return (long)shared->path;
}

static long socketcall_arguments(int family, int type)
{
    uint32_t arguments[] = {(uint32_t)family, (uint32_t)type, 0};
    memcpy(shared->socketcall_arguments, arguments, sizeof arguments);
    return (long)shared->socketcall_arguments;
}

int main(void)
{
    /* int $0x80 takes 32-bit pointers. */
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    for (enum door door = door_64; door <= door_x32; ++door) {
        try(door, "getpid", SYS_getpid, 0, 0, 0);
        try(door, "mkdir", SYS_mkdir, path_for(door), 0700, 0);
        try(door, "socket AF_ALG", SYS_socket, AF_ALG, SOCK_SEQPACKET, 0);
        try(door, "socket AF_VSOCK", SYS_socket, AF_VSOCK, SOCK_STREAM, 0);
        try(door, "socket AF_UNIX", SYS_socket, AF_UNIX, SOCK_STREAM, 0);
        try(door, "io_uring_setup", SYS_io_uring_setup, 1, (long)shared->io_uring_parameters, 0);
    }
    try(door_i386, "getpid", 20, 0, 0, 0);
    try(door_i386, "mkdir", 39, path_for(door_i386), 0700, 0);
    try(door_i386, "socket AF_ALG", 359, AF_ALG, SOCK_SEQPACKET, 0);
    try(door_i386, "socket AF_VSOCK", 359, AF_VSOCK, SOCK_STREAM, 0);
    try(door_i386, "socket AF_UNIX", 359, AF_UNIX, SOCK_STREAM, 0);
    try(door_i386, "socketcall AF_ALG", 102, 1, socketcall_arguments(AF_ALG, SOCK_SEQPACKET), 0);
    try(door_i386, "socketcall AF_VSOCK", 102, 1, socketcall_arguments(AF_VSOCK, SOCK_STREAM), 0);
    try(door_i386, "io_uring_setup", 425, 1, (long)shared->io_uring_parameters, 0);
    printf("}\n");
    return 0;
}
