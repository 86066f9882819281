/*
 * Preloaded before farmd's C library: the time of day is moved by the sum of the faults called "clock", as an
 * administrator or a time server moves it. The other clocks go on.
 */
#include "control.h"

#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

#define NS_IN_S INT64_C(1000000000)

static int64_t step_ns(void)
{
    int64_t sum = 0;
    for (struct fault *fault = fault_find("clock", NULL); fault != NULL; fault = fault_find("clock", fault)) {
        sum += fault->amount;
    }
    return sum;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL) {
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    }
    int code = real(clock, now);
    if (code == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t moved = now->tv_sec * NS_IN_S + now->tv_nsec + step_ns();
        now->tv_sec = moved / NS_IN_S;
        now->tv_nsec = moved % NS_IN_S;
    }
    return code;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}
