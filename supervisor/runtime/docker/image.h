/*
 * The image of farm-worker in an Engine, made from this farmd's own farm-worker where it isn't there yet.
 */
#ifndef SUPERVISOR_RUNTIME_DOCKER_IMAGE_H
#define SUPERVISOR_RUNTIME_DOCKER_IMAGE_H

#include "supervisor/runtime/docker/engine.h"

#define DOCKER_IMAGE_MAX 160

/* Fills `image` with its name. Waits for the Engine, so it is for before the loop runs. */
int image_ensure(const struct engine_address *address, char image[DOCKER_IMAGE_MAX], struct error *err);

#endif
