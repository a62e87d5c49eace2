/* SPDX-License-Identifier: MIT */
/* What the files of src/wire share: how a message begins. */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include <stddef.h>

#include "wire/message.h"
#include "wire/reader.h"

/* Elements of the message's array, its type name included. */
size_t message_elements(enum message_type type);

/* Reads the array header and the type name; MESSAGE_TYPE_COUNT and the reader's error when that fails. */
enum message_type read_type(struct reader *r, size_t *count);
/* The same, for a message that must be of this type and have its number of elements. */
void read_type_of(struct reader *r, enum message_type type);

#endif
