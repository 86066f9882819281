/*
 * The one error contract of farmd (docs/errors.md): a fallible function returns 0 or a negative errno-style code and
 * fills a `struct error` with a sentence for people; outputs stay untouched on failure. Library code returns errors,
 * programs log them.
 */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H

#define ERROR_MESSAGE_MAX 512

struct error {
    int code;                        /* positive errno value, 0 when nothing failed */
    char message[ERROR_MESSAGE_MAX]; /* what failed, on what, and what to do; no trailing newline */
};

/* Fills `err` (may be NULL) and returns -code. `code` is a positive errno value; the text is used as it is. */
int error_set(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As error_set, with ": <strerror(code)>" behind the text, and what to do where that is the same for everybody. */
int error_set_errno(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Tells the compiler what the comments above promise, so that it believes a caller's `if (result < 0) return`: no false
 * warning about outputs that are unset only on failure. */
#define error_negative_(call)                                                                                          \
    ({                                                                                                                 \
        int result_ = (call);                                                                                          \
        if (result_ >= 0)                                                                                              \
            __builtin_unreachable();                                                                                   \
        result_;                                                                                                       \
    })
#define error_set(...) error_negative_((error_set)(__VA_ARGS__))
#define error_set_errno(...) error_negative_((error_set_errno)(__VA_ARGS__))
#endif
