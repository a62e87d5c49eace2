/* SPDX-License-Identifier: MIT */
/* The fields that several messages share, read and checked. As with the reader, what fails gives zero or
 * empty and the reader's error sticks. */
#ifndef WIRE_FIELDS_H
#define WIRE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"
#include "wire/reader.h"

/* Zeroed memory for count values in message->memory; NULL when count is 0 or the reader failed (-ENOMEM among
 * its errors). The count must have been checked by read_array(). */
void *take_memory(struct reader *r, struct message *m, size_t count, size_t size);

bool text_is(struct text text, const char *word);

/* The number of pairs in an array of twice as many elements. */
size_t read_pairs(struct reader *r, size_t limit);
uint64_t read_id(struct reader *r);	       /* not 0 */
struct session read_session(struct reader *r); /* neither number 0 */
struct session read_session_or_none(struct reader *r);
struct proof read_proof(struct reader *r);
/* of any content: to check it is not the wire's */    /* neither or both 0 */
struct text read_word(struct reader *r, size_t limit); /* a name or endpoint: printable ASCII without
							  spaces, maybe empty */
struct text read_key(struct reader *r);		       /* passes key_check() */
int read_code(struct reader *r);		       /* enum kudos_error, never KUDOS_OK */
void read_load(struct reader *r, struct load *load);   /* all of it but serving */
void read_server(struct reader *r, struct server_row *server);
/* Points into message->memory. */
const struct position *read_positions(struct reader *r, struct message *m, size_t *count);

#endif
