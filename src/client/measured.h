/* SPDX-License-Identifier: MIT */
/* Metrics as the library's users have them. */
#ifndef CLIENT_MEASURED_H
#define CLIENT_MEASURED_H

#include "kudos.h"
#include "wire/message.h"

/* All in one block, to be freed; NULL: out of memory. */
struct kudos_metric *measured_copy(const struct message *m);

#endif
