/*
 * See run_source.h.
 */
#include "supervisor/cli/load/run_source.h"

#include "core/buffer.h"
#include "core/units.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/load/farm_run.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (256 * (size_t)MIB) /* a run of a day has 20 MB */
#define PIECE 65536u

static bool is_file(const char *source)
{
    return strpbrk(source, "./") != NULL || strcmp(source, "-") == 0;
}

static int read_all(int fd, const char *path, struct buffer *out, struct error *err)
{
    ssize_t n = 1;

    while (n > 0 && out->length <= FILE_MAX) {
        buffer_reserve(out, PIECE);
        n = read(fd, out->data + out->length, PIECE);
        if (n > 0)
            out->length += (size_t)n;
        if (n < 0 && errno == EINTR)
            n = 1;
    }
    if (n < 0)
        return error_set_errno(err, errno, "cannot read %s", path);
    if (out->length > FILE_MAX)
        return error_set(err, EFBIG, "%s: too large for a load run: over %zu MB", path, FILE_MAX / (size_t)MIB);
    return 0;
}

static int read_file(const char *path, cJSON **run, struct error *err)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct buffer text = BUFFER_EMPTY;

    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    int rc = read_all(fd, path, &text, err);
    if (!standard)
        close(fd);
    cJSON *json = rc == 0 ? cJSON_ParseWithLength(text.data, text.length) : NULL;
    buffer_done(&text);
    if (rc < 0)
        return rc;
    bool fine = cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(json, "plan")) &&
                cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(json, "result"));
    if (!fine) {
        cJSON_Delete(json);
        return error_set(err, EINVAL, "%s: is no load run; `farmd load … -o json > FILE` writes one", path);
    }
    *run = json;
    return 0;
}

int run_source_read(const struct cli_call *call, const char *source, struct client **client, cJSON **run,
                    struct error *err)
{
    int code = CLI_DONE;

    if (is_file(source))
        return read_file(source, run, err) < 0 ? CLI_USAGE : CLI_DONE;
    if (!*client)
        code = client_open(call, client, err);
    return code == CLI_DONE ? farm_run_get(*client, source, run, err) : code;
}
