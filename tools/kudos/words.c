/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPACE " \t\r\n\v\f"
#define SECONDS_MAX 86400.0

bool words_split(char *line, const char ***words, size_t *count)
{
	/* At most every second byte begins a word. */
	const char **list = calloc(strlen(line) / 2 + 1, sizeof(*list));
	if (!list)
		return false;
	size_t n = 0;
	char *rest;
	for (char *word = strtok_r(line, SPACE, &rest); word; word = strtok_r(NULL, SPACE, &rest))
		list[n++] = word;
	*words = list;
	*count = n;
	return true;
}

bool words_integer(const char *word, int64_t *number)
{
	if (strspn(word, "+-0123456789") != strlen(word))
		return false;
	char *end;
	errno = 0;
	long long value = strtoll(word, &end, 10);
	if (end == word || *end || errno)
		return false;
	*number = value;
	return true;
}

bool words_seconds(const char *word, double *seconds)
{
	/* strtod alone would take "inf", "nan" and "0x10". */
	if (strspn(word, "0123456789.") != strlen(word))
		return false;
	char *end;
	double value = strtod(word, &end);
	if (end == word || *end || !(value <= SECONDS_MAX))
		return false;
	*seconds = value;
	return true;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

#define SLIP_MAX 16

size_t words_distance(const char *a, const char *b)
{
	size_t height = strlen(a), width = strlen(b);
	if (height > SLIP_MAX || width > SLIP_MAX)
		return SIZE_MAX;
	size_t d[SLIP_MAX + 1][SLIP_MAX + 1];
	for (size_t i = 0; i <= height; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= width; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= height; i++) {
		for (size_t j = 1; j <= width; j++) {
			size_t changed = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			d[i][j] = least(changed, least(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[height][width];
}

void word_set_add(struct word_set *set, const char *word)
{
	if (set->count == WORD_SET_MAX)
		return;
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->words[i], word) == 0)
			return;
	/* Completion is a convenience: what memory there is none for is not completed. */
	if (!set->words)
		set->words = calloc(WORD_SET_MAX, sizeof(*set->words));
	char *copy = set->words ? strdup(word) : NULL;
	if (copy)
		set->words[set->count++] = copy;
}

void word_set_deinit(struct word_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->words[i]);
	free(set->words);
	*set = (struct word_set){0};
}
