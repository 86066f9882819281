/*
 * System calls that leave no trace in farmd's memory: the C library's functions put what failed into errno, which belongs
 * to the thread that a child shares its memory with (spawn_shared.c), and may do more of which nobody knows.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_SYSTEM_CALL_H
#define SUPERVISOR_RUNTIME_PROCESS_SYSTEM_CALL_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__) && !defined(__ILP32__)

#define SYSTEM_CALL_SPARES_ERRNO 1

/* The result, or a negative errno value. */
static inline long system_call(long number, long a, long b, long c, long d, long e)
{
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__) && !defined(__ILP32__)

#define SYSTEM_CALL_SPARES_ERRNO 1

static inline long system_call(long number, long a, long b, long c, long d, long e)
{
    register long call __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    register long fifth __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(first) : "r"(call), "r"(second), "r"(third), "r"(fourth), "r"(fifth) : "memory");
    return first;
}

#else

#define SYSTEM_CALL_SPARES_ERRNO 0 /* so no memory is shared here */

static inline long system_call(long number, long a, long b, long c, long d, long e)
{
    long result = syscall(number, a, b, c, d, e);
    return result < 0 ? -errno : result;
}

#endif

/* An argument that is a pointer. */
static inline long system_call_pointer(const void *pointer)
{
    return (long)(intptr_t)pointer;
}

#endif
