/*
 * The line that tells how a load run goes, drawn anew each second on a terminal and not at all elsewhere.
 */
#ifndef SUPERVISOR_CLI_LOAD_PROGRESS_H
#define SUPERVISOR_CLI_LOAD_PROGRESS_H

struct load_moment {
    double seconds, total_seconds; /* total 0: until its requests are made */
    double answered, failed;       /* so far */
    double rate;                   /* answers in the last second */
    double p50_us, p99_us;         /* so far */
};

void load_progress_show(const struct load_moment *moment);
void load_progress_clear(void);

#endif
