/* SPDX-License-Identifier: MIT */
/* Prometheus' text format: families of metrics, all samples of one together, whoever told them in whatever
 * order. */
#ifndef GATEWAY_EXPOSITION_H
#define GATEWAY_EXPOSITION_H

#include <stdbool.h>
#include <stdio.h>

struct exposition_family;

struct exposition {
	struct exposition_family *first, **end;
};

void exposition_init(struct exposition *e);
void exposition_deinit(struct exposition *e);
/* Where samples of that family go, as lines; the type and help of who came first count. NULL: out of memory,
 * and it is left out. Valid until deinit. */
FILE *exposition_family(struct exposition *e, const char *name, const char *type, const char *help);
/* Writes all of it. */
void exposition_write(struct exposition *e, FILE *out);

/* The line of a family's name, help and type, where all its samples follow at once. */
void exposition_head(FILE *out, const char *name, const char *type, const char *help);
/* ,name="value" with what has to be escaped; without the comma when first. */
void exposition_label(FILE *out, bool first, const char *name, const char *value);

#endif
