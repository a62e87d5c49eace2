/* SPDX-License-Identifier: MIT */
/* Every message as a table: its elements after the type name, in order, by the names of doc/protocol.md, each
 * with its kind, its limit and its place in struct message. The decoder and the encoder walk these tables; a
 * test reads that page against them. A batch and a record, which every like takes, have a codec of their own
 * (batch.c). */
#ifndef WIRE_SCHEMA_H
#define WIRE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"

/* What an element is on the wire, what else is wrong with it, and what it is in memory. */
enum kind {
	KIND_END, /* of a table */

	/* u; uint64_t, or a struct of base/ids.h around one */
	KIND_UINT,
	KIND_ID,      /* not 0 */
	KIND_SEQ,     /* neither 0 nor SEQ_LAPSE */
	KIND_COUNT,   /* from 1 to limit */
	KIND_BOTH,    /* 0 if the number before it is, and only then */
	KIND_TO,      /* no less than the number before it */
	KIND_AFTER,   /* any: what those of KIND_RISING in this message are above */
	KIND_RISING,  /* above the one in the row before */
	KIND_VERSION, /* in another's, nothing beyond it is read */

	KIND_INT,  /* i; int64_t */
	KIND_BOOL, /* b; bool */

	/* s, of limit bytes at most; struct text */
	KIND_TEXT,	  /* any bytes */
	KIND_EXPLANATION, /* the same, and cut to the limit when it is sent */
	KIND_WORD,	  /* printable ASCII without spaces, maybe empty */
	KIND_CHARS,	  /* the same; char[limit + 1], ending in NUL */
	KIND_METRIC,	  /* what Prometheus takes for a name */
	KIND_LABEL,	  /* the same, or empty */
	KIND_OF,	  /* a word, and empty where the label before it is */
	KIND_KEY,	  /* passes key_check() */
	KIND_CODE,	  /* of an error, KUDOS_PROTOCOL for one that is not known; int */
	/* s, one of kind_words */
	KIND_ROLE,  /* bool is_server */
	KIND_STATE, /* enum server_state */
	KIND_TYPE,  /* enum metric_type */

	/* x */
	KIND_BIN,    /* struct blob */
	KIND_SECRET, /* of its size, or empty: none; struct secret */

	KIND_LIST, /* […]; a pointer to rows, and how many in a size_t */
	KINDS
};

struct field {
	const char *name; /* NULL: a list */
	enum kind kind;
	uint32_t limit;
	size_t at;	 /* within struct message, or within the row of a list */
	size_t count_at; /* of a list */
	const struct list *list;
};

#define FIELDS 13 /* room for as many, and for one of KIND_END behind them */

struct list {
	size_t size;		     /* of a row in memory */
	size_t least, most;	     /* rows */
	bool arrays;		     /* each row is an array of its own: [[a, b], …]; else [a, b, …] */
	size_t added;		     /* fields at the end of such a row that older data folders lack */
	struct field fields[FIELDS]; /* of a row */
};

struct schema {
	const char *name;
	struct field fields[FIELDS]; /* what follows the name; none: has a codec of its own */
	bool asks;		     /* begins with an id that an error answers */
};

extern const struct schema schemas[MESSAGE_TYPE_COUNT];
extern const char *const kind_words[KINDS][4]; /* by their value; NULL at the end */

static inline size_t fields_count(const struct field *fields)
{
	size_t count = 0;
	while (fields[count].kind != KIND_END)
		count++;
	return count;
}

#endif
