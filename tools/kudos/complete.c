/* SPDX-License-Identifier: MIT */
#include "complete.h"

#include <stdio.h>
#include <string.h>

#include "command.h"

#define WORD_MAX KUDOS_KEY_MAX

/* Gathers what fits the word so far: how many, and what they all begin with. */
struct matches {
	const char *start;
	size_t start_length;
	bool print;
	size_t count;
	size_t common; /* bytes of `first` that all share */
	char first[WORD_MAX + 1];
};

static void offer(struct matches *m, const char *word)
{
	size_t length = strlen(word);
	if (length > WORD_MAX || length < m->start_length || strncmp(word, m->start, m->start_length) != 0)
		return;
	if (m->print)
		printf("%s  ", word);
	if (m->count++ == 0) {
		memcpy(m->first, word, length + 1);
		m->common = length;
	}
	size_t same = 0;
	while (same < m->common && m->first[same] == word[same])
		same++;
	m->common = same;
}

static void offer_set(struct matches *m, const struct word_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		offer(m, set->words[i]);
}

static void offer_commands(struct matches *m)
{
	const char *last = "";
	for (const struct command *c = command_table(); c->name; c++) {
		if (strcmp(c->name, last) != 0) /* some have two lines in the table */
			offer(m, c->name);
		last = c->name;
	}
}

static bool is(const char *command, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(command, name, length) == 0;
}

/* command: the line's first word; NULL while that is the one being typed. nth: which word after it. */
static void gather(struct matches *m, const struct session *session, const char *command, size_t length,
		   size_t nth)
{
	bool single = command && (is(command, length, "like") || is(command, length, "unlike"));
	if (!command || (is(command, length, "help") && nth == 1))
		offer_commands(m);
	else if ((is(command, length, "forget") || is(command, length, "drain")) && nth == 1)
		offer_set(m, &session->nodes);
	else if (is(command, length, "count") || is(command, length, "watch") || (single && nth == 1))
		offer_set(m, &session->keys);
	if (command && is(command, length, "like") && nth == 1)
		offer(m, "many");
	if (command && is(command, length, "count"))
		offer(m, "--everywhere");
}

unsigned char complete(EditLine *edit, struct session *session)
{
	const LineInfo *line = el_line(edit);
	const char *command = NULL, *word = line->buffer;
	size_t length = 0, nth = 0;
	for (const char *at = line->buffer; at < line->cursor; at++) {
		if (*at != ' ' && *at != '\t')
			continue;
		if (at > word) {
			if (nth++ == 0) {
				command = word;
				length = (size_t)(at - word);
			}
		}
		word = at + 1;
	}

	struct matches m = {.start = word, .start_length = (size_t)(line->cursor - word)};
	gather(&m, session, command, length, nth);
	if (m.count == 0)
		return CC_REFRESH_BEEP;
	/* A shared beginning may end inside a character: only whole ones go onto the line. */
	while (m.common > m.start_length && ((unsigned char)m.first[m.common] & 0xc0) == 0x80)
		m.common--;
	m.first[m.common] = '\0';
	if (m.common > m.start_length || m.count == 1) {
		el_insertstr(edit, m.first + m.start_length);
		if (m.count == 1)
			el_insertstr(edit, " ");
		return CC_REFRESH;
	}
	struct matches list = {.start = m.start, .start_length = m.start_length, .print = true};
	putchar('\n');
	gather(&list, session, command, length, nth);
	putchar('\n');
	return CC_REDISPLAY;
}
