/* SPDX-License-Identifier: MIT */
/* Writes the elements of a message by its table (schema.h). */
#ifndef WIRE_ENCODE_H
#define WIRE_ENCODE_H

#include "wire/schema.h"
#include "wire/writer.h"

/* From the message at base, which is trusted. */
void encode_fields(struct writer *w, const struct field *fields, const void *base);

#endif
