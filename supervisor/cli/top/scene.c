/*
 * See scene.h.
 */
#include "supervisor/cli/top/scene.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/load/text.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void scene_init(struct scene *scene, const char *url, const char *filter)
{
    *scene = (struct scene){.url = url, .screen = SCREEN_LIST, .filter = xstrdup(filter)};
    model_init(&scene->model);
}

void scene_done(struct scene *scene)
{
    scene_close_prompt(scene);
    scene_open(scene, 0);
    scene_take_load(scene, NULL);
    model_done(&scene->model);
    free(steal(&scene->filter));
}

void scene_say(struct scene *scene, enum paint paint, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(scene->message, sizeof(scene->message), fmt, args);
    va_end(args);
    scene->message_paint = paint;
    scene->message_ms = clock_monotonic_ms();
}

void scene_open(struct scene *scene, int server_id)
{
    struct opened *opened = &scene->opened;
    cJSON_Delete(opened->policy);
    cJSON_Delete(opened->server);
    cJSON_Delete(opened->history);
    pane_done(&opened->log);
    pane_done(&opened->events);
    *opened = (struct opened){.id = server_id};
    scene->screen = server_id ? SCREEN_SERVER : SCREEN_LIST;
}

void scene_take_server(struct scene *scene, cJSON *server, int64_t at_us)
{
    static const char *const of_policy[] = {"restart", "restart_profile"};
    struct opened *opened = &scene->opened;
    cJSON_Delete(opened->server);
    opened->server = server;
    opened->at_us = at_us;
    for (size_t i = 0; i < ARRAY_SIZE(of_policy); i++) {
        const cJSON *word = cJSON_GetObjectItemCaseSensitive(opened->policy, of_policy[i]);
        if (server && cJSON_IsString(word))
            cJSON_AddStringToObject(server, of_policy[i], word->valuestring);
    }
}

static void read_report(struct load *load)
{
    const struct output plain = {.headers = true};
    struct buffer report = BUFFER_EMPTY;
    load_text_report(&plain, true, load->run, &report);
    char *rest = report.data;
    for (char *line = strsep(&rest, "\n"); rest; line = strsep(&rest, "\n"))
        pane_add(&load->report, 0, PAINT_PLAIN, line);
    load->report.scrolled = true; /* to its top */
    buffer_done(&report);
}

void scene_take_load(struct scene *scene, cJSON *run)
{
    cJSON_Delete(scene->load.run);
    pane_done(&scene->load.report);
    scene->load = (struct load){.run = run};
    if (cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(run, "result")))
        read_report(&scene->load);
}

bool scene_is_loading(const struct scene *scene)
{
    return strcmp(view_text(scene->load.run, "status"), "running") == 0;
}

void scene_close_prompt(struct scene *scene)
{
    free(scene->prompt.ids);
    scene->prompt = (struct prompt){.kind = PROMPT_NONE};
}
