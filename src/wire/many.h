/* SPDX-License-Identifier: MIT */
/* Several messages to one receiver as one, `many`: what each costs on its way besides its bytes (two frames,
 * a queue, a waking) is paid once. They gather here until they are taken. */
#ifndef WIRE_MANY_H
#define WIRE_MANY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct many {
	struct bytes encoded; /* room for what stands before them, then each as many's list has it */
	size_t count, first;  /* how many; where the first one's own bytes begin */
};

void many_deinit(struct many *m);
/* Whether it was added; else take first what has gathered: there is no room beside it, or no memory, and by
 * itself it is always added but for want of memory. */
bool many_add(struct many *m, const void *data, size_t size);
/* What is to be sent for all that has gathered: one as it is, several as a message `many`. Valid until the
 * next is added, and then nothing has gathered. False: there was none. */
bool many_take(struct many *m, const uint8_t **data, size_t *size);

#endif
