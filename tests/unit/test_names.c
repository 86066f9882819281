/* supervisor/config/names: the names of values, and the word that was meant. */
#include "supervisor/config/names.h"

#include "core/memory.h"
#include "supervisor/config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void names_every_value(void **state)
{
    (void)state;
    assert_string_equal(enforce_mode_name(ENFORCE_REQUIRED), "required");
    assert_string_equal(restart_policy_name(RESTART_ON_FAILURE), "on-failure");
    assert_string_equal(probe_kind_name(PROBE_READINESS), "readiness");
    for (unsigned i = 0; i < RESTART_PROFILE_COUNT; i++)
        assert_int_equal(names_find(restart_profile_names, restart_profile_name((enum restart_profile)i)), i);
    assert_int_equal(names_find(restart_profile_names, "SystemD"), RESTART_PROFILE_SYSTEMD);
    assert_int_equal(names_find(restart_profile_names, "system"), -1);
    assert_int_equal(names_find(restart_profile_names, ""), -1);
}

static void counts_slips(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        unsigned distance;
    } cases[] = {
        {"", "", 0},
        {"abc", "", 3},
        {"memory", "memory", 0},
        {"Memory", "memory", 0},
        {"memroy", "memory", 1},
        {"memor", "memory", 1},
        {"memoory", "memory", 1},
        {"nemory", "memory", 1},
        {"kitten", "sitting", 3},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(names_distance(cases[i].a, cases[i].b), cases[i].distance);
        assert_int_equal(names_distance(cases[i].b, cases[i].a), cases[i].distance);
    }
}

static const char *nearest_of(const char *text)
{
    static const char *const words[] = {"count", "cpu", "memory", "memory_reservation", "up", "restart"};
    struct names_nearest nearest = NAMES_NEAREST_INIT(text);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        names_nearest_offer(&nearest, words[i]);
    return nearest.best;
}

static void suggests_what_is_near(void **state)
{
    (void)state;
    assert_string_equal(nearest_of("cout"), "count");
    assert_string_equal(nearest_of("memroy"), "memory");
    assert_string_equal(nearest_of("memory_reservaton"), "memory_reservation");
    assert_string_equal(nearest_of("Restart"), "restart");
    assert_null(nearest_of("colour"));
    assert_null(nearest_of(""));
    assert_null(nearest_of("ab")); /* every letter of "up" would be wrong */
    assert_null(nearest_of("a-word-that-is-far-longer-than-any-setting-or-flag-could-ever-be"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_every_value),
        cmocka_unit_test(counts_slips),
        cmocka_unit_test(suggests_what_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
