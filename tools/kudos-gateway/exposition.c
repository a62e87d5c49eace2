/* SPDX-License-Identifier: MIT */
#include "exposition.h"

#include <stdlib.h>
#include <string.h>

struct exposition_family {
	struct exposition_family *next;
	char *name, *text;
	size_t size;
	FILE *out;
};

void exposition_init(struct exposition *e)
{
	e->first = NULL;
	e->end = &e->first;
}

static void family_free(struct exposition_family *f)
{
	if (f->out)
		fclose(f->out);
	free(f->text);
	free(f->name);
	free(f);
}

void exposition_deinit(struct exposition *e)
{
	for (struct exposition_family *f = e->first, *next; f; f = next) {
		next = f->next;
		family_free(f);
	}
	exposition_init(e);
}

/* A backslash and an end of line are escaped, in a label's value a quotation mark, too. */
static void escaped(FILE *out, const char *text, bool quoted)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else
			fprintf(out, *text == '\\' || (quoted && *text == '"') ? "\\%c" : "%c", *text);
	}
}

void exposition_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s ", name);
	escaped(out, help, false);
	fprintf(out, "\n# TYPE %s %s\n", name, type);
}

void exposition_label(FILE *out, bool first, const char *name, const char *value)
{
	fprintf(out, "%s%s=\"", first ? "" : ",", name);
	escaped(out, value, true);
	putc('"', out);
}

FILE *exposition_family(struct exposition *e, const char *name, const char *type, const char *help)
{
	for (struct exposition_family *f = e->first; f; f = f->next) {
		if (strcmp(f->name, name) == 0)
			return f->out;
	}
	struct exposition_family *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->name = strdup(name);
	f->out = f->name ? open_memstream(&f->text, &f->size) : NULL;
	if (!f->out) {
		family_free(f);
		return NULL;
	}
	exposition_head(f->out, name, type, help);
	*e->end = f;
	e->end = &f->next;
	return f->out;
}

void exposition_write(struct exposition *e, FILE *out)
{
	for (struct exposition_family *f = e->first; f; f = f->next) {
		if (fflush(f->out) == 0)
			fwrite(f->text, 1, f->size, out);
	}
}
