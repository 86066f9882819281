/*
 * Filling a struct error: the only place that formats messages, so that truncation and errno text are handled once.
 */
#include "core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Callers see macros around these. */
#undef error_set
#undef error_set_errno

/* A caller that passes 0 or a negative code by mistake must still see a failure. */
static int usable_code(int code)
{
    if (code < 0)
        return -code;
    return code == 0 ? EINVAL : code;
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
    code = usable_code(code);
    if (!err)
        return -code;

    /* Formatted aside first: an argument may be err->message itself, when a caller adds context. */
    char message[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);

    memcpy(err->message, message, sizeof(message));
    err->code = code;
    return -code;
}

/* Descriptors run out in the middle of anything; whoever meets it cannot say more than this. */
static const char *remedy(int code)
{
    switch (code) {
    case EMFILE:
        return " (more are allowed by ulimit -n, or LimitNOFILE= of the unit)";
    case ENFILE:
        return " (more are allowed by sysctl fs.file-max)";
    default:
        return "";
    }
}

int error_set_errno(struct error *err, int code, const char *fmt, ...)
{
    code = usable_code(code);
    if (!err)
        return -code;

    char reason[128];
    const char *text = strerror_r(code, reason, sizeof(reason));

    char message[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);

    size_t used = strlen(message);
    snprintf(message + used, sizeof(message) - used, ": %s%s", text, remedy(code));

    memcpy(err->message, message, sizeof(message));
    err->code = code;
    return -code;
}
