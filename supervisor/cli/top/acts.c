/*
 * See acts.h.
 */
#include "supervisor/cli/top/acts.h"

#include "core/json.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/top/wish.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct act {
    enum command command;
    const char *action; /* to the API */
    const char *doing, *done;
    bool sure; /* asks before */
} acts[] = {
    {COMMAND_START, "start", "starting", "started", false},
    {COMMAND_STOP, "stop", "stopping", "stopped", true},
    {COMMAND_RESTART, "restart", "restarting", "restarted", true},
    {COMMAND_KILL, "kill", "killing", "killed", true},
    {COMMAND_PAUSE, "pause", "pausing", "paused", true},
    {COMMAND_RESUME, "resume", "resuming", "resumed", false},
};

static const struct act *act_of(enum command command)
{
    for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
        if (acts[i].command == command)
            return &acts[i];
    }
    return NULL;
}

/* Which servers are meant, now: what changes later does not change what is done to whom. */
static size_t choose(const struct scene *scene, int **ids, size_t *hidden)
{
    if (scene->opened.id == 0)
        return model_meant(&scene->model, ids, hidden);
    *hidden = 0;
    *ids = xcalloc(1, sizeof(**ids));
    **ids = scene->opened.id;
    return 1;
}

/* --- asking the farm --- */

static void write_ids(struct json_writer *w, const char *key, const int *ids, size_t count)
{
    json_key(w, key);
    json_begin_array(w);
    for (size_t i = 0; i < count; i++)
        json_int(w, ids[i]);
    json_end_array(w);
}

static void carry_out(struct scene *scene, struct feed *feed, const char *method, const char *target, const char *body,
                      const char *doing)
{
    struct buffer whom = BUFFER_EMPTY;
    model_describe(scene->prompt.ids, scene->prompt.count, &whom);
    if (feed_act(feed, method, target, body))
        scene_say(scene, PAINT_PLAIN, "%s %s …", doing, whom.data);
    else
        scene_say(scene, PAINT_BAD, "too much is under way; wait until something of it is done");
    buffer_done(&whom);
    scene_close_prompt(scene);
}

static void do_act(struct scene *scene, struct feed *feed, const struct act *act)
{
    struct buffer body = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&body);
    json_begin_object(&w);
    json_member_string(&w, "action", act->action);
    write_ids(&w, "ids", scene->prompt.ids, scene->prompt.count);
    json_end_object(&w);
    carry_out(scene, feed, "POST", "/api/servers/action", body.data, act->doing);
    buffer_done(&body);
}

/* What is typed; a mistake keeps the prompt open. */
static bool read_wish(struct scene *scene, struct json_writer *w)
{
    struct error err;
    bool limits = scene->prompt.kind == PROMPT_LIMITS;
    int code = limits ? wish_limits(scene->prompt.text, w, &err) : wish_load(scene->prompt.text, w, &err);
    if (code < 0)
        snprintf(scene->prompt.error, sizeof(scene->prompt.error), "%s", err.message);
    return code == 0;
}

static void do_wish(struct scene *scene, struct feed *feed)
{
    bool limits = scene->prompt.kind == PROMPT_LIMITS;
    struct buffer body = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&body);
    json_begin_object(&w);
    if (read_wish(scene, &w)) {
        write_ids(&w, limits ? "ids" : "target_servers", scene->prompt.ids, scene->prompt.count);
        json_end_object(&w);
        carry_out(scene, feed, limits ? "PATCH" : "POST", limits ? "/api/servers" : "/api/load-tests", body.data,
                  limits ? "changing" : "loading");
    }
    buffer_done(&body);
}

static void end_load(struct scene *scene, struct feed *feed)
{
    feed_act(feed, "DELETE", view_text(scene->load.run, "url"), NULL);
    scene_say(scene, PAINT_PLAIN, "ending the load test …");
    scene_close_prompt(scene);
}

/* --- asking the person --- */

static void ask(struct scene *scene, enum prompt_kind kind, const char *question, const char *hint, size_t hidden)
{
    struct prompt *prompt = &scene->prompt;
    struct buffer whom = BUFFER_EMPTY;
    char unseen[48] = "";
    model_describe(prompt->ids, prompt->count, &whom);
    if (hidden > 0)
        snprintf(unseen, sizeof(unseen), ", %zu not shown", hidden);
    snprintf(prompt->label, sizeof(prompt->label), "%s %s%s%s", question, whom.data, unseen, hint);
    prompt->kind = kind;
    buffer_done(&whom);
}

void acts_begin(struct scene *scene, struct feed *feed, enum command command)
{
    const struct act *act = act_of(command);
    size_t hidden;
    scene_close_prompt(scene);
    scene->prompt.command = command;
    scene->prompt.count = choose(scene, &scene->prompt.ids, &hidden);
    if (scene->prompt.count == 0) {
        scene_say(scene, PAINT_WARN, "there is no server to do that to");
        scene_close_prompt(scene);
    } else if (command == COMMAND_LIMITS) {
        ask(scene, PROMPT_LIMITS, "limits of", " (as in " WISH_LIMITS_EXAMPLE "): ", hidden);
    } else if (command == COMMAND_LOAD) {
        ask(scene, PROMPT_LOAD, "load", ": ", hidden);
        snprintf(scene->prompt.text, sizeof(scene->prompt.text), "duration=10s connections=10");
    } else if (act && (act->sure || hidden > 0)) {
        ask(scene, PROMPT_CONFIRM, act->action, "? y/n ", hidden);
    } else if (act) {
        do_act(scene, feed, act);
    }
}

void acts_ask_to_end_load(struct scene *scene)
{
    scene_close_prompt(scene);
    scene->prompt.kind = PROMPT_END_LOAD;
    snprintf(scene->prompt.label, sizeof(scene->prompt.label), "end the load test before its time? y/n ");
}

void acts_confirm(struct scene *scene, struct feed *feed)
{
    const struct act *act = act_of(scene->prompt.command);
    if (scene->prompt.kind == PROMPT_END_LOAD)
        end_load(scene, feed);
    else if (scene->prompt.kind == PROMPT_LIMITS || scene->prompt.kind == PROMPT_LOAD)
        do_wish(scene, feed);
    else if (act)
        do_act(scene, feed, act);
}

/* --- what came of it --- */

static const char *done_word(const cJSON *answer)
{
    for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
        if (strcmp(view_text(answer, "action"), acts[i].action) == 0)
            return acts[i].done;
    }
    return "changed";
}

static const cJSON *first_failure(const cJSON *answer)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(answer, "results"))
    {
        if (strcmp(view_text(entry, "status"), "error") == 0)
            return entry;
    }
    return NULL;
}

void acts_tell(struct scene *scene, const cJSON *answer, int64_t ms, const char *sentence)
{
    if (!answer) {
        scene_say(scene, PAINT_BAD, "%s", sentence);
        return;
    }
    const cJSON *failure = first_failure(answer);
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(answer, "results"), 0);
    int total = (int)view_number(answer, "total", 0), successful = (int)view_number(answer, "successful", 0);
    char elapsed[24], name[24];
    units_format_duration(elapsed, ms);
    output_server_name(first, name);
    if (failure && total == 1)
        scene_say(scene, PAINT_BAD, "%s", view_text(failure, "message"));
    else if (failure)
        scene_say(scene, PAINT_BAD, "%d of %d servers %s; %s", successful, total, done_word(answer),
                  view_text(failure, "message"));
    else if (total == 1)
        scene_say(scene, PAINT_GOOD, "%s %s in %s", name, done_word(answer), elapsed);
    else
        scene_say(scene, PAINT_GOOD, "%d servers %s in %s", total, done_word(answer), elapsed);
}
