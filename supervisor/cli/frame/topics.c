/*
 * The topics of `farmd help`; help, the man page and docs/cli.md all print them from here.
 */
#include "supervisor/cli/frame/topics.h"

#include <string.h>

static const struct topic_row selector_rows[] = {
    {"7, server-7", "one server, by number or name"},
    {"1-10,20", "several; commas and blanks both part them"},
    {"all", "every server"},
    {"state:unhealthy",
     "in this state: running, starting, stopping, stopped, backoff, paused, failed; or of this health: "
     "healthy, degraded, unhealthy, unknown"},
    {"group:web", "of this group of farm.yaml"},
    {"zone=a, -l zone=a", "whose group has this label; zone!=a: has it not"},
    {"'cpu>80'",
     "whose figure is so: cpu and throttled (per cent), memory (per cent of the limit, or a size: 'memory>200M'), "
     "requests and errors (a second), p50 and p99 (ms), restarts, oom, uptime ('uptime<5m'), port; with "
     ">, >=, <, <=, = or !="},
    {NULL, NULL},
};

static const struct topic_row output_rows[] = {
    {"table", "for people; fits the terminal, colour only there and without NO_COLOR"},
    {"wide", "the same with more columns"},
    {"json", "the API's answer, as GET /openapi.json describes it"},
    {"jsonl", "its entries, one JSON object a line"},
    {"yaml", "the API's answer as YAML"},
    {"name", "names only: server-7"},
    {NULL, NULL},
};

static const struct topic_row exit_rows[] = {
    {"0", "done; up: stopped in order"},
    {"1", "it was tried and did not work"},
    {"2", "a wrong command, flag, setting or server: nothing was tried"},
    {"3", "no farm answers, or it went away meanwhile"},
    {"4", "done for some of the servers, not for others"},
    {"124", "the time limit was over first"},
    {"130", "interrupted by Ctrl-C"},
    {NULL, NULL},
};

static const struct topic_row environment_rows[] = {
    {"FARMD_API", "where the farm is, such as http://build-box:8000; the flag --api comes above it"},
    {"FARMD_TOKEN", "the token of a farm that wants one"},
    {"NO_COLOR", "set to anything, it keeps colour out of the output"},
    {NULL, NULL},
};

const struct topic topics[] = {
    {.name = "selectors",
     .title = "Which servers",
     .text = "Wherever a command takes SERVERS, these are the words for them:",
     .rows = selector_rows,
     .after =
         "Ids add up and conditions narrow them: `1-10 state:unhealthy` are the unhealthy ones among 1 to 10. Several "
         "words "
         "for one name are alternatives: state:failed,state:backoff. Conditions with > or < need quotes, for the shell "
         "takes these signs for itself. farmd evaluates them at the moment of the command. A condition that no server "
         "meets is no error; a number outside the farm is."},
    {.name = "output",
     .title = "Forms of output",
     .text = "-o says what a command prints:",
     .rows = output_rows,
     .after =
         "What goes wrong goes to the standard error, one line each, so that the standard output holds nothing but the "
         "answer. --no-headers leaves a table's headings out. json, jsonl, yaml and name are for programs: from one "
         "version "
         "to the next they may gain fields, and lose or rename none; tables and sentences may change."},
    {.name = "exit-codes", .title = "Exit codes", .text = "The same for every command:", .rows = exit_rows},
    {.name = "environment",
     .title = "Which farm",
     .text =
         "Commands find the farm by these, else by the settings found in the current directory (api.host, api.port, "
         "api.token), else at http://localhost:8000:",
     .rows = environment_rows},
    {.name = NULL},
};

const struct topic *topic_find(const char *name)
{
    for (const struct topic *topic = topics; topic->name; topic++) {
        if (strcmp(topic->name, name) == 0)
            return topic;
    }
    return NULL;
}
