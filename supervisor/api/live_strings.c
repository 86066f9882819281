/*
 * See live_strings.h. There are few different texts in a farm (states, reasons, groups), so a place is looked for from the
 * front.
 */
#include "supervisor/api/live_strings.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

struct live_string {
    char *text;
    uint32_t added; /* tick */
};

size_t live_strings_place(struct live_strings *strings, const char *text, uint32_t tick)
{
    for (size_t i = 0; i < strings->count; i++) {
        if (strcmp(strings->list[i].text, text) == 0)
            return i;
    }
    if (strings->count == strings->capacity) {
        strings->capacity = strings->capacity > 0 ? strings->capacity * 2 : 32;
        strings->list = xrealloc(strings->list, strings->capacity * sizeof(strings->list[0]));
    }
    strings->list[strings->count] = (struct live_string){.text = xstrdup(text), .added = tick};
    return strings->count++;
}

void live_strings_clear(struct live_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->list[i].text);
    free(strings->list);
    *strings = (struct live_strings){0};
}

/* They were added in the order of ticks. */
static size_t first_after(const struct live_strings *strings, uint32_t since)
{
    size_t first = strings->count;

    while (first > 0 && strings->list[first - 1].added > since)
        first--;
    return first;
}

size_t live_strings_count_after(const struct live_strings *strings, uint32_t since)
{
    return strings->count - first_after(strings, since);
}

void live_strings_write(struct json_writer *w, const struct live_strings *strings, uint32_t since)
{
    json_begin_array(w);
    for (size_t i = first_after(strings, since); i < strings->count; i++)
        json_string(w, strings->list[i].text);
    json_end_array(w);
}
