/*
 * The image of farm-worker is made from its static program, without a registry: one file in a tar, handed to the Engine. Its
 * tag is a digest of the program, so that another build is another image.
 */
#include "supervisor/runtime/docker/image.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "supervisor/runtime/docker/container.h"
#include "supervisor/runtime/process/spawn.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAR_BLOCK 512
#define TAR_END ((size_t)2 * TAR_BLOCK)
#define IMPORT_TIMEOUT_MS 120000
#define NOBODY "65534:65534"

/* --- the program --- */

struct program {
    const char *bytes;
    size_t size;
};

static int map_program(struct program *program, struct error *err)
{
    struct stat status;
    char path[64];
    cleanup_close int found = spawn_open_worker(err); /* without the right to read */

    if (found < 0)
        return found;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "cannot read farm-worker");
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return error_set_errno(err, errno, "cannot read farm-worker");
    *program = (struct program){bytes, (size_t)status.st_size};
    return 0;
}

static uint64_t digest(const struct program *program)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < program->size; i++)
        hash = (hash ^ (unsigned char)program->bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* --- the tar: POSIX ustar, one file --- */

static void tar_head(char head[TAR_BLOCK], size_t size)
{
    unsigned sum = 0;

    memset(head, 0, TAR_BLOCK);
    snprintf(head, 100, "farm-worker");
    snprintf(head + 100, 8, "%07o", 0755);
    snprintf(head + 108, 8, "%07o", 0);
    snprintf(head + 116, 8, "%07o", 0);
    snprintf(head + 124, 12, "%011zo", size);
    snprintf(head + 136, 12, "%011o", 0);
    memset(head + 148, ' ', 8);
    head[156] = '0';
    memcpy(head + 257, "ustar\00000", 8);
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)head[i];
    snprintf(head + 148, 8, "%06o", sum);
}

static void make_tar(const struct program *program, struct buffer *out)
{
    char head[TAR_BLOCK];
    static const char zeros[TAR_END];
    size_t odd = program->size % TAR_BLOCK;

    tar_head(head, program->size);
    buffer_append(out, head, sizeof(head));
    buffer_append(out, program->bytes, program->size);
    buffer_append(out, zeros, odd > 0 ? TAR_BLOCK - odd : 0);
    buffer_append(out, zeros, sizeof(zeros));
}

/* --- the image --- */

static int import(const struct engine_address *address, const char *image, const struct program *program,
                  struct error *err)
{
    const char *colon = strrchr(image, ':');
    cleanup_free char *path =
        xasprintf("/images/create?fromSrc=-&repo=%.*s&tag=%s&changes=ENTRYPOINT%%20%%5B%%22%%2Ffarm-worker%%22%%5D"
                  "&changes=USER%%20" NOBODY "&changes=EXPOSE%%20%d&message=farmd",
                  (int)(colon - image), image, colon + 1, CONTAINER_PORT);
    struct buffer tar = BUFFER_EMPTY;

    make_tar(program, &tar);
    const struct engine_call call = {
        .method = "POST",
        .path = path,
        .body = tar.data,
        .body_length = tar.length,
        .content_type = "application/x-tar",
        .timeout_ms = IMPORT_TIMEOUT_MS,
    };
    struct error why;
    int code = engine_ask(address, &call, NULL, &why);
    buffer_done(&tar);
    return code == 0 ? 0
                     : error_set(err, -code,
                                 "the Docker Engine does not take the image %s: %s\n"
                                 "  fix: where its disk is full, make room (docker system df, docker system prune)",
                                 image, why.message);
}

/* Fills image->id: another build under the same name is another image. */
static int find_id(const struct engine_address *address, struct docker_image *image, struct error *err)
{
    cleanup_free char *path = xasprintf("/images/%s/json", image->name);
    const struct engine_call call = {.method = "GET", .path = path};
    cJSON *json = NULL;
    int code = engine_ask(address, &call, &json, err);
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(json, "Id");

    if (code == 0)
        snprintf(image->id, sizeof(image->id), "%s", cJSON_IsString(id) ? id->valuestring : image->name);
    cJSON_Delete(json);
    return code;
}

/* Somebody else has made it: docker compose, or make docker-image. */
static int find_given(const struct engine_address *address, struct docker_image *image, struct error *err)
{
    int code = find_id(address, image, err);

    if (code == -ENOENT)
        return error_set(err, ENOENT,
                         "the Docker Engine has no image %s\n"
                         "  fix: build it (docker compose build, make docker-image) or docker pull it; without "
                         "docker.image farmd makes one of its own farm-worker",
                         image->name);
    return code;
}

int image_ensure(const struct engine_address *address, const char *given, struct docker_image *image, struct error *err)
{
    struct program program;

    if (given) {
        snprintf(image->name, sizeof(image->name), "%s", given);
        return find_given(address, image, err);
    }
    int code = map_program(&program, err);
    if (code < 0)
        return code;
    snprintf(image->name, sizeof(image->name), "farm-worker:" FARMD_VERSION "-%08" PRIx32, (uint32_t)digest(&program));
    code = find_id(address, image, err);
    if (code == -ENOENT)
        code = import(address, image->name, &program, err);
    if (code == 0)
        code = find_id(address, image, err); /* an import that went wrong is told inside a 200 */
    munmap((void *)program.bytes, program.size);
    return code;
}
