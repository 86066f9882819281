/*
 * The image of farm-worker in an Engine, made from this farmd's own farm-worker where it isn't there yet.
 */
#ifndef SUPERVISOR_RUNTIME_DOCKER_IMAGE_H
#define SUPERVISOR_RUNTIME_DOCKER_IMAGE_H

#include "supervisor/runtime/docker/engine.h"

#define DOCKER_IMAGE_MAX 160

/* `id` is what the name stands for now. */
struct docker_image {
    char name[DOCKER_IMAGE_MAX];
    char id[DOCKER_IMAGE_MAX];
};

/* Fills `image`: the one named `given`, which must be there, or farmd's own where that is NULL. Waits for the Engine, so it is
 * for before the loop runs. */
int image_ensure(const struct engine_address *address, const char *given, struct docker_image *image,
                 struct error *err);

#endif
