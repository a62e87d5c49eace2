/* SPDX-License-Identifier: MIT */
/* Reads the elements of a message by its table (schema.h) from bytes that anyone may have written. */
#ifndef WIRE_DECODE_H
#define WIRE_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/reader.h"
#include "wire/schema.h"

/* Begins as {.r = reader_over(…)}. */
struct decoder {
	struct reader r; /* what is wrong is its error */
	void *memory;	 /* what the lists are in: for decode_free(), also after an error */
	bool foreign; /* a greeting in another version, of which nothing else was read: its receiver answers
			 with KUDOS_BAD_VERSION, and what else it holds is not to be judged here */
	/* What a later element is checked against. */
	uint64_t before; /* the number before it */
	uint64_t above;	 /* what a KIND_RISING must be above */
	bool labelled;	 /* the metric has a label */
};

/* To the message, all zero, at base. */
void decode_fields(struct decoder *d, const struct field *fields, void *base);
void decode_free(void *memory); /* takes NULL */

#endif
