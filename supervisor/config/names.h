/*
 * Words that people write in settings, flags and verbs: the names of enumerated values, and the known word that a
 * mistyped one was probably meant to be. Separate from the settings because the command line's verbs use it too.
 */
#ifndef SUPERVISOR_CONFIG_NAMES_H
#define SUPERVISOR_CONFIG_NAMES_H

extern const char *const runtime_kind_names[];
extern const char *const enforce_mode_names[]; /* indexed by enum enforce_mode, and so on; NULL-terminated */
extern const char *const restart_policy_names[];
extern const char *const restart_profile_names[];
extern const char *const log_level_names[];
extern const char *const log_format_names[];

/* The index of `text` in a NULL-terminated list, letter case ignored, or -1. */
int names_find(const char *const *names, const char *text);

/* Steps of one letter (insert, drop, replace, swap of neighbours) from `a` to `b`, letter case ignored; long words are
 * given up on with a large number. */
unsigned names_distance(const char *a, const char *b);

/* Finds the word nearest to `text` over several calls: begin with NAMES_NEAREST_INIT, offer each known word, take
 * `best` (NULL when nothing is near enough to be worth a suggestion). */
struct names_nearest {
    const char *text;
    const char *best;
    unsigned distance;
};
#define NAMES_NEAREST_INIT(word) ((struct names_nearest){.text = (word), .best = NULL, .distance = 0})
void names_nearest_offer(struct names_nearest *nearest, const char *candidate);

#endif
