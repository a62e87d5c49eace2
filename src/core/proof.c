/* SPDX-License-Identifier: MIT */
#include "core/proof.h"

#include "base/mac.h"
#include "kudos.h"

struct proof proof_make(const struct member *signer, struct session session)
{
	return (struct proof){signer->node, mac_pair(signer->secret.bytes, session.issuer, session.number)};
}

int proof_check(const struct members *members, struct session session, struct proof proof)
{
	const struct member *signer = members_find(members, proof.signer);
	if (!signer || secret_is_none(&signer->secret))
		return KUDOS_UNKNOWN_SESSION;
	return proof_make(signer, session).code == proof.code ? 0 : KUDOS_NOT_ISSUED;
}
