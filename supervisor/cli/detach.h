/*
 * `farmd up -d`: the farm in the background, waited for until it is ready.
 */
#ifndef SUPERVISOR_CLI_DETACH_H
#define SUPERVISOR_CLI_DETACH_H

/* Starts `farmd up` with these flags of the settings in a session of its own, prints where it is when it is ready, and
 * returns the exit code: that of the farmd when it has ended before. */
int detach_run(int argc, char **argv);

#endif
