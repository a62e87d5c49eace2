/* SPDX-License-Identifier: MIT */
/* What stands in a checkpoint, which is an ordered map:
 *
 *   'a'                 how many keys there are, 8 bytes
 *   'b' block number    [count 8, size of the key 1, key] …               counts
 *   'r' chunk number    [origin, lsn] …                                   V as it was some time ago
 *   'v' chunk number    [origin, lsn] …                                   what differs from that in V now
 *   's' chunk number    [issuer, number, closed origin, closed lsn, n, (lo, hi) × n] …   seen
 *   'f' chunk number    [issuer, lo, hi] …                                forgotten sessions
 *   'l' chunk number    [issuer, number, origin, lsn] …                   lapses that not all have agreed on
 *
 * all numbers 64-bit little-endian, chunk and block numbers 32-bit big-endian. Blocks are written when
 * they changed, and so is 'r', which is V's lower layer; the other tables are written whole. */
#ifndef SERVER_TABLES_H
#define SERVER_TABLES_H

#include "core/replica.h"
#include "store/store.h"
#include "wire/message.h"

#define TABLES 5

struct tables {
	size_t chunks[TABLES]; /* of each in the newest checkpoint */
	size_t next[TABLES];   /* … in the one being made */
};

/* All but the blocks, into the checkpoint that the store has begun. base_stands: 'r' there is V's lower layer
 * already. 0 or a negative errno. */
int tables_write(struct tables *t, struct store *store, const struct replica *r, bool base_stands);
int tables_write_block(struct store *store, const struct block *block);
void tables_written(struct tables *t); /* it is durable */
void tables_failed(struct tables *t);

/* Loads one entry of the newest checkpoint. 0 or a negative errno. */
int tables_load(struct tables *t, struct replica *r, int64_t now, const uint8_t *key, size_t key_size,
		const uint8_t *value, size_t value_size);
/* Whether that would take the entry; *blocks is how many blocks came before it. */
bool tables_entry_ok(const struct blob *key, const struct blob *value, uint32_t *blocks);
/* Adds what the entry says of the checkpoint's own vector, if it does. 0 or -ENOMEM. */
int tables_note_vector(struct vector *v, const struct blob *key, const struct blob *value);

#endif
