/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "core/proof.h"
#include "kudos.h"

static const struct member signer = {.node = {5},
				     .secret = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}};

static struct members known(void)
{
	struct members m = {0};
	struct member silent = {.node = {6}};
	cr_assert(members_add(&m, &signer) == 1 && members_add(&m, &silent) == 1);
	return m;
}

Test(proof, of_what_was_issued)
{
	struct members m = known();
	struct session session = {900, 17};
	struct proof proof = proof_make(&signer, session);
	cr_assert(node_equal(proof.signer, signer.node));
	cr_assert(proof_check(&m, session, proof) == 0);
	members_deinit(&m);
}

Test(proof, of_another_session_or_made_up)
{
	struct members m = known();
	struct proof proof = proof_make(&signer, (struct session){900, 17});
	cr_assert(proof_check(&m, (struct session){900, 18}, proof) == KUDOS_NOT_ISSUED);
	cr_assert(proof_check(&m, (struct session){901, 17}, proof) == KUDOS_NOT_ISSUED);
	cr_assert(proof_check(&m, (struct session){17, 900}, proof) == KUDOS_NOT_ISSUED);
	for (unsigned bit = 0; bit < 64; bit++) {
		struct proof other = proof;
		other.code ^= UINT64_C(1) << bit;
		cr_assert(proof_check(&m, (struct session){900, 17}, other) == KUDOS_NOT_ISSUED);
	}
	members_deinit(&m);
}

/* Whoever is not known yet may be tomorrow: that is not the same as made up. */
Test(proof, by_who_is_not_known_here)
{
	struct members m = known();
	struct session session = {900, 17};
	struct proof proof = proof_make(&signer, session);
	proof.signer.id = 7;
	cr_assert(proof_check(&m, session, proof) == KUDOS_UNKNOWN_SESSION);
	const struct member without = {.node = {6}};
	cr_assert(proof_check(&m, session, proof_make(&without, session)) == KUDOS_UNKNOWN_SESSION,
		  "what anybody could sign proves nothing");
	cr_assert(proof_check(&m, session, (struct proof){0}) == KUDOS_UNKNOWN_SESSION);
	members_deinit(&m);
}

/* All machines and versions must agree: SipHash-2-4's own test vector, key 00 to 0f, message 00 to 0f. */
Test(proof, is_siphash)
{
	struct session session = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	cr_assert(proof_make(&signer, session).code == UINT64_C(0x3f2acc7f57c29bdb));
}
