/* SPDX-License-Identifier: MIT */
/* The bytes of a fuzzer as a row of decisions. At their end everything is 0, so that each prefix of an input
 * is one, too. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A broken promise: said with its place, and fatal in every build. */
#define must(condition)        \
	((condition) ? (void)0 \
		     : (fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition), abort()))

struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t input_byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

/* A number of two bytes, little-endian. */
static inline unsigned input_short(struct input *in)
{
	unsigned low = input_byte(in);
	return low | (unsigned)input_byte(in) << 8;
}

static inline unsigned input_below(struct input *in, unsigned n)
{
	return input_byte(in) % n;
}

/* The next size bytes, or as many as there are; *got says how many. */
static inline const uint8_t *input_run(struct input *in, size_t size, size_t *got)
{
	const uint8_t *at = in->at;
	*got = size < in->left ? size : in->left;
	in->at += *got;
	in->left -= *got;
	return at;
}

#endif
