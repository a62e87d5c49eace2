/* SPDX-License-Identifier: MIT */
/* Words of a command line, numbers in them, and the sets of words that completion draws on. */
#ifndef KUDOS_TOOL_WORDS_H
#define KUDOS_TOOL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Splits line at white space, in place: the words point into it. Keys hold no spaces, so there is no quoting.
 * The array is to be freed with free(); false when out of memory. */
bool words_split(char *line, const char ***words, size_t *count);

/* A whole decimal number, sign allowed, nothing else in the word. */
bool words_integer(const char *word, int64_t *number);

/* Seconds, fractions allowed, from 0 to a day. */
bool words_seconds(const char *word, double *seconds);

/* How many letters must be added, dropped, changed or swapped with their neighbour to turn one word into the
 * other (Damerau, restricted); SIZE_MAX for a word too long to be a slip of the keyboard. */
size_t words_distance(const char *a, const char *b);

/* A set with a limit, beyond which nothing more is taken: completion need not know every key there is. */
#define WORD_SET_MAX 1000

struct word_set {
	char **words;
	size_t count;
};

void word_set_add(struct word_set *set, const char *word);
void word_set_deinit(struct word_set *set);

#endif
