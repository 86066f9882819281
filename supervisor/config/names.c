/*
 * The names of enumerated settings, and the search for the word that was meant. The edit distance is the optimal string
 * alignment one: a swap of two neighbours, the commonest slip of all, counts as one step.
 */
#include "supervisor/config/names.h"

#include "core/memory.h"
#include "supervisor/config/settings.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define LONGEST_WORD 48
#define FAR_AWAY 1000U

const char *const enforce_mode_names[] = {
    [ENFORCE_AUTO] = "auto",
    [ENFORCE_REQUIRED] = "required",
    [ENFORCE_NONE] = "none",
    [ENFORCE_NONE + 1] = NULL,
};

const char *const runtime_kind_names[] = {
    [RUNTIME_PROCESS] = "process",
    [RUNTIME_DOCKER] = "docker",
    [RUNTIME_SWARM] = "swarm",
    [RUNTIME_SWARM + 1] = NULL,
};

const char *const restart_policy_names[] = {
    [RESTART_ALWAYS] = "always",
    [RESTART_ON_FAILURE] = "on-failure",
    [RESTART_NEVER] = "never",
    [RESTART_NEVER + 1] = NULL,
};

const char *const restart_profile_names[] = {
    [RESTART_PROFILE_FARM] = "farm",     [RESTART_PROFILE_KUBERNETES] = "kubernetes",
    [RESTART_PROFILE_DOCKER] = "docker", [RESTART_PROFILE_SYSTEMD] = "systemd",
    [RESTART_PROFILE_NOMAD] = "nomad",   [RESTART_PROFILE_SUPERVISORD] = "supervisord",
    [RESTART_PROFILE_S6] = "s6",         [RESTART_PROFILE_SWARM] = "swarm",
    [RESTART_PROFILE_COUNT] = NULL,
};

const char *const log_level_names[] = {
    [LOG_LEVEL_DEBUG] = "DEBUG", [LOG_LEVEL_INFO] = "INFO",    [LOG_LEVEL_WARNING] = "WARNING",
    [LOG_LEVEL_ERROR] = "ERROR", [LOG_LEVEL_ERROR + 1] = NULL,
};

const char *const log_format_names[] = {
    [LOG_FORMAT_TEXT] = "text",
    [LOG_FORMAT_JSON] = "json",
    [LOG_FORMAT_JSON + 1] = NULL,
};

static const char *const probe_names[] = {
    [PROBE_STARTUP] = "startup",
    [PROBE_LIVENESS] = "liveness",
    [PROBE_READINESS] = "readiness",
};
_Static_assert(ARRAY_SIZE(probe_names) == PROBE_KIND_COUNT, "every probe needs a name");

const char *runtime_kind_name(enum runtime_kind kind)
{
    return runtime_kind_names[kind];
}

const char *enforce_mode_name(enum enforce_mode mode)
{
    return enforce_mode_names[mode];
}

const char *restart_policy_name(enum restart_policy policy)
{
    return restart_policy_names[policy];
}

const char *restart_profile_name(enum restart_profile profile)
{
    return restart_profile_names[profile];
}

const char *probe_kind_name(enum probe_kind kind)
{
    return probe_names[kind];
}

int names_find(const char *const *names, const char *text)
{
    for (int i = 0; names[i]; i++) {
        if (strcasecmp(names[i], text) == 0)
            return i;
    }
    return -1;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

unsigned names_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > LONGEST_WORD || b_length > LONGEST_WORD)
        return FAR_AWAY;

    unsigned rows[LONGEST_WORD + 1][LONGEST_WORD + 1];
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        rows[i][0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned replace = rows[i - 1][j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
            unsigned best = least(replace, least(rows[i - 1][j], rows[i][j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]))
                best = least(best, rows[i - 2][j - 2] + 1);
            rows[i][j] = best;
        }
    }
    return rows[a_length][b_length];
}

void names_nearest_offer(struct names_nearest *nearest, const char *candidate)
{
    /* A third of the letters wrong is still a slip; more is another word. */
    unsigned worst = (unsigned)(strlen(nearest->text) + 2) / 3;
    unsigned distance = names_distance(nearest->text, candidate);
    if (distance > worst || distance >= strlen(candidate))
        return;
    if (!nearest->best || distance < nearest->distance) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}
