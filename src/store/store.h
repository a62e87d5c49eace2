/* SPDX-License-Identifier: MIT */
/* What a server keeps: a journal of records and a checkpoint (doc/architecture.md, "store"). Four
 * implementations stand behind this interface: files (disk.c), memory (memory.c, for --memory-only), the
 * simulator's faulty one (tests/sim), and one of these with its records in a stream (shared.c).
 *
 * Journal: entries in arrival order, each a record of some origin or a meta blob (the newest counts: the
 * node's own identity and membership). Appended entries are durable once journal_commit() returned 0.
 * Checkpoint: an ordered map of byte strings, replaced or changed atomically.
 *
 * All functions return 0 or a negative errno unless said otherwise. After a failed append or commit the
 * store refuses all further work with the same error (I12). One thread at a time; the checkpoint's own
 * worker thread is hidden behind the interface. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/ids.h"
#include "core/vector.h"

enum entry_kind {
	ENTRY_META = 1,
	ENTRY_RECORD = 2,
	/* Only a replay tells it, of a record that the journal held once and does not hold: truncated, or
	 * lost to damage. There are no data. */
	ENTRY_GONE = 5,
	/* Only to append: a record that its server has written to the stream. */
	ENTRY_SHARED = 6,
};

/* What a replay tells of one entry. at is {0} for ENTRY_META. Bytes are valid during the call. A non-zero
 * answer ends the replay, which returns it. */
struct entry {
	enum entry_kind kind;
	struct position at;
	const uint8_t *data;
	size_t size;
};
typedef int (*entry_fn)(void *arg, const struct entry *entry);

/* What opening found, for the log and for the repair of damage. */
struct store_report {
	uint64_t entries;	/* whole entries found in the journal */
	uint64_t torn_bytes;	/* cut from the journal's end */
	uint64_t damaged_bytes; /* corrupt in the middle, passed over; records in them are missing */
	bool copied;		/* the newest part of the journal is a copy: not where it was written */
};

struct stream;
struct store_cursor; /* a consistent reading of the newest whole checkpoint */

struct store;
struct store_ops {
	void (*close)(struct store *s);

	int (*journal_append)(struct store *s, enum entry_kind kind, struct position at, const void *data,
			      size_t size);
	/* 1: it goes on, until journal_poll() says otherwise. */
	int (*journal_commit)(struct store *s);
	int (*journal_poll)(struct store *s); /* 1: still; 0: durable. NULL where commits never go on */
	/* Appends the newest committed meta blob to out. 1: there is none. */
	int (*journal_meta)(struct store *s, struct bytes *out);
	/* Calls fn for each entry, oldest first. */
	int (*journal_replay)(struct store *s, entry_fn fn, void *arg);
	/* Appends the record's bytes to out. 1: not held (truncated, or never had). */
	int (*journal_read)(struct store *s, struct position at, struct bytes *out);
	/* The lowest lsn from which on all of o's records that are held are without gap up to its highest; 0:
	 * none. */
	uint64_t (*journal_lowest)(struct store *s, struct origin o);
	/* May drop every leading run of records that floor covers (whole segments only). */
	int (*journal_truncate)(struct store *s, const struct vector *floor);
	/* Drops all records, durably; the newest meta stays. Nothing may be appended and not committed. */
	int (*journal_clear)(struct store *s);
	uint64_t (*journal_bytes)(const struct store *s);

	/* One checkpoint at a time: begin, any number of puts (size 0 deletes), commit. wipe: the new one
	 * starts empty. commit only starts the work; checkpoint_poll says 1 while it goes on, 0 when it is
	 * durable (or none was begun), negative when it failed: the old one is then still whole. abandon
	 * drops it. */
	int (*checkpoint_begin)(struct store *s, bool wipe);
	int (*checkpoint_put)(struct store *s, const void *key, size_t key_size, const void *value,
			      size_t value_size);
	int (*checkpoint_commit)(struct store *s);
	int (*checkpoint_poll)(struct store *s);
	void (*checkpoint_abandon)(struct store *s);

	/* Readings stay whole while newer checkpoints are made. next: 1 and the entry (valid until the next
	 * call), 0 at the end. */
	int (*cursor_open)(struct store *s, struct store_cursor **cursor);
	int (*cursor_next)(struct store_cursor *c, const uint8_t **key, size_t *key_size,
			   const uint8_t **value, size_t *value_size);
	void (*cursor_close)(struct store_cursor *c);
};

struct store {
	const struct store_ops *ops;
	struct store_report report;
	bool keep; /* what is in memory to be at hand stays there: a snapshot that is taken in rests on it */
	struct store *checkpoints; /* who has its checkpoint: itself, or what it is in front of */
	struct stream
	    *stream; /* by reference: where its records are written by several; NULL: they are its own */
};

/* Whether the journal has the record. Reads it. */
static inline bool store_holds(struct store *s, struct position at)
{
	struct bytes record = {0};
	int e = s->ops->journal_read(s, at, &record);
	bytes_deinit(&record);
	return e == 0;
}

#endif
