/* SPDX-License-Identifier: MIT */
/* Sessions that the caller keeps: they are asked for, presented and closed by name, and a batch of one is
 * counted once, whoever presents it, as often as one likes. The handle's own session (the courier's) is
 * another. */
#ifndef CLIENT_KEPT_H
#define CLIENT_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "core/relay.h"
#include "kudos.h"

struct agent;

/* Asks for one; io.answer tells its name. lifetime: the seconds that it may rest; 0: ten minutes.
 * KUDOS_LIMIT (over a week; or of a server, which gives usual ones only), KUDOS_BUSY, -ENOMEM. */
int kept_open_session(struct agent *a, int64_t now, uint64_t lifetime, uint64_t *id);
/* A batch of such a session, or its close; io.answer tells what became of it, until then it is sent again.
 * KUDOS_BAD_SESSION, KUDOS_BAD_NUMBER, KUDOS_BAD_KEY, KUDOS_BAD_AMOUNT, KUDOS_TOO_LARGE, KUDOS_BUSY, -ENOMEM.
 */
int kept_put(struct agent *a, const char *session, uint64_t number, const struct kudos_event *events,
	     size_t n, uint64_t *id);
/* Whether such a batch was counted; io.answer tells: KUDOS_OK, KUDOS_NOT_COUNTED, … */
int kept_counted(struct agent *a, const char *session, uint64_t number, uint64_t *id);
int kept_close_session(struct agent *a, const char *session, uint64_t *id);

/* For the agent: what the courier wants, and what came. */
void kept_send(void *arg, const struct relayed *item); /* goes out with kept_send_gathered() */
void kept_send_gathered(struct agent *a);
void kept_relayed(void *arg, struct relayed *item, int error);
void kept_offer(struct agent *a, struct session session, struct proof proof);
void kept_free_all(struct agent *a);

#endif
