/* SPDX-License-Identifier: MIT */
/* Whether a session was issued, or made up. Each node has a secret, which rides with its member row to all
 * leaders and servers and to nobody else. Whoever issues a session signs it with the secret of a member; the
 * signature travels with the session's name, and everyone who knows that member can check it, having heard
 * neither of the issuer nor of the session before. To check costs a few dozen nanoseconds and no memory. */
#ifndef CORE_PROOF_H
#define CORE_PROOF_H

#include "base/ids.h"
#include "core/members.h"

struct proof proof_make(const struct member *signer, struct session session);

/* 0; KUDOS_UNKNOWN_SESSION: the signer or its secret is not known here, or not yet; KUDOS_NOT_ISSUED. */
int proof_check(const struct members *members, struct session session, struct proof proof);

#endif
