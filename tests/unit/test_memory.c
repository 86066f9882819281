/* core/memory: what the allocators promise, and the scope-end helpers. */
#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void copies_strings(void **state)
{
    (void)state;
    cleanup_free char *all = xstrdup("farm");
    cleanup_free char *part = xstrndup("farmd", 4);
    cleanup_free char *shorter = xstrndup("farm", 100);
    cleanup_free char *made = xasprintf("%s-%d", "server", 7);
    assert_string_equal(all, "farm");
    assert_string_equal(part, "farm");
    assert_string_equal(shorter, "farm");
    assert_string_equal(made, "server-7");
    assert_null(xstrdup(NULL));
}

static void gives_memory_for_nothing(void **state)
{
    (void)state;
    cleanup_free void *a = xmalloc(0);
    cleanup_free void *b = xcalloc(0, 8);
    cleanup_free void *c = xrealloc(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
}

static void clears(void **state)
{
    (void)state;
    cleanup_free unsigned char *memory = xcalloc(64, 4);
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(memory[i], 0);
}

static void steals(void **state)
{
    (void)state;
    char *kept;
    {
        cleanup_free char *text = xstrdup("kept");
        kept = steal(&text);
        assert_null(text);
    }
    assert_string_equal(kept, "kept");
    free(kept);
}

static void closes_and_keeps_errno(void **state)
{
    (void)state;
    int copy;
    {
        cleanup_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        cleanup_close int none = -1;
        cleanup_close int not_open = 1 << 30; /* closing it sets errno */
        assert_true(fd >= 0);
        (void)none;
        (void)not_open;
        copy = fd;
        errno = ENOTTY;
    }
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(fcntl(copy, F_GETFD), -1);
    assert_int_equal(errno, EBADF);
}

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

#ifndef ADDRESS_SANITIZER /* its allocator ends the process in its own way */
static void aborts_with_a_sentence(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        volatile size_t size = (size_t)PTRDIFF_MAX - 64;
        _exit(xmalloc(size) ? 1 : 2);
    }
    close(ends[1]);
    char text[128] = "";
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "out of memory"));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_strings),
        cmocka_unit_test(gives_memory_for_nothing),
        cmocka_unit_test(clears),
        cmocka_unit_test(steals),
        cmocka_unit_test(closes_and_keeps_errno),
#ifndef ADDRESS_SANITIZER
        cmocka_unit_test(aborts_with_a_sentence),
#endif
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
