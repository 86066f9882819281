/*
 * Accept lines are scanned in place; a range that is not well formed is passed over.
 */
#include "http/accept.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define QUALITY_ONE 1000u

enum { RANGE_NONE, RANGE_ANY, RANGE_TYPE, RANGE_EXACT };

static struct http_slice trim(struct http_slice s)
{
    while (s.length > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.length--;
    }
    while (s.length > 0 && (s.data[s.length - 1] == ' ' || s.data[s.length - 1] == '\t'))
        s.length--;
    return s;
}

/* Cuts the part before `separator` off `rest`; separators inside quoted strings don't count. */
static struct http_slice cut(struct http_slice *rest, char separator)
{
    bool quoted = false;
    size_t i = 0;

    for (; i < rest->length; i++) {
        if (rest->data[i] == '"')
            quoted = !quoted;
        else if (quoted && rest->data[i] == '\\')
            i++;
        else if (!quoted && rest->data[i] == separator)
            break;
    }
    if (i > rest->length)
        i = rest->length;

    struct http_slice part = {rest->data, i};
    size_t used = i < rest->length ? i + 1 : i;
    rest->data += used;
    rest->length -= used;
    return trim(part);
}

static int range_specificity(struct http_slice range, const char *type)
{
    const char *slash = strchr(type, '/');
    size_t major = slash ? (size_t)(slash - type) + 1 : strlen(type);

    if (http_slice_equal_nocase(range, type))
        return RANGE_EXACT;
    if (http_slice_equal(range, slash ? "*/*" : "*"))
        return RANGE_ANY;
    if (slash && range.length == major + 1 && range.data[major] == '*' && strncasecmp(range.data, type, major) == 0)
        return RANGE_TYPE;
    return RANGE_NONE;
}

/* "0", "0.25", "1.000"; false for anything else. */
static bool parse_quality(struct http_slice text, unsigned *quality)
{
    if (text.length == 0 || text.length > 5 || (text.data[0] != '0' && text.data[0] != '1'))
        return false;
    if (text.length > 1 && text.data[1] != '.')
        return false;

    unsigned value = text.data[0] == '1' ? QUALITY_ONE : 0;
    unsigned weight = 100;
    for (size_t i = 2; i < text.length; i++, weight /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value += (unsigned)(text.data[i] - '0') * weight;
    }
    if (value > QUALITY_ONE)
        return false;
    *quality = value;
    return true;
}

void http_accept_scan(struct http_slice line, const char *type, struct http_accept *found)
{
    while (line.length > 0) {
        struct http_slice params = cut(&line, ',');
        struct http_slice range = cut(&params, ';');
        unsigned quality = QUALITY_ONE;
        bool valid = true;

        while (params.length > 0) {
            struct http_slice value = cut(&params, ';');
            struct http_slice name = cut(&value, '=');
            if (http_slice_equal_nocase(name, "q"))
                valid = parse_quality(value, &quality) && valid;
        }
        int specificity = range_specificity(range, type);
        if (!valid || specificity == RANGE_NONE || specificity < found->specificity)
            continue;
        /* the same range twice with different parameters: the best of them is what the client would take */
        if (specificity > found->specificity || quality > found->quality)
            *found = (struct http_accept){specificity, quality};
    }
}

/* Looks at all lines of the header `name`; false when there is none. */
static bool scan_all(const struct http_request *request, const char *name, const char *wanted,
                     struct http_accept *found)
{
    unsigned count = http_request_header_count(request);
    bool any = false;

    for (unsigned i = 0; i < count; i++) {
        struct http_header header = http_request_header_at(request, i);
        if (!http_slice_equal_nocase(header.name, name))
            continue;
        any = true;
        http_accept_scan(header.value, wanted, found);
    }
    return any;
}

unsigned http_accept_quality(const struct http_request *request, const char *type)
{
    struct http_accept found = {0};

    return scan_all(request, "Accept", type, &found) ? found.quality : QUALITY_ONE;
}

bool http_accept_gzip(const struct http_request *request)
{
    struct http_accept found = {0};

    return scan_all(request, "Accept-Encoding", "gzip", &found) && found.quality > 0;
}
