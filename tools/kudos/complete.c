/* SPDX-License-Identifier: MIT */
#include "complete.h"

#include <stdio.h>
#include <string.h>

#include "command.h"

#define WORD_MAX KUDOS_KEY_MAX
#define USAGE_WORD 32

/* Gathers what fits the word so far: how many, and what they all begin with. */
struct matches {
	const char *start;
	size_t start_length;
	bool print;
	size_t count;
	size_t common; /* bytes of `first` that all share */
	char first[WORD_MAX + 1];
};

static void match(void *arg, const char *word, const char *help)
{
	struct matches *m = arg;
	size_t length = strlen(word);
	(void)help;
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

/* The nth word after the command's name in its usage, "[KEY]..." as "KEY"; flags do not count. False: no
 * more. */
static bool usage_word(const char *usage, size_t nth, char word[USAGE_WORD])
{
	size_t place = 0;
	for (const char *at = usage + strcspn(usage, " "); *at && place < nth;) {
		at += strspn(at, " [");
		size_t length = strcspn(at, " ].");
		if (*at != '-' && length < USAGE_WORD) {
			snprintf(word, USAGE_WORD, "%.*s", (int)length, at);
			place = strstr(at, "...") ? nth : place + 1;
		}
		at += strcspn(at, " ");
	}
	return place == nth && nth > 0;
}

bool complete_wants_node(const char *command, size_t nth)
{
	char word[USAGE_WORD];
	for (const struct command *c = command_table(); c->name; c++) {
		if (strcmp(c->name, command) == 0 && usage_word(c->usage, nth, word))
			return strcmp(word, "NODE") == 0;
	}
	return false;
}

static void offer_set(const struct word_set *set, complete_fn offer, void *arg)
{
	for (size_t i = 0; i < set->count; i++)
		offer(arg, set->words[i], NULL);
}

static void offer_commands(complete_fn offer, void *arg)
{
	const char *last = "";
	for (const struct command *c = command_table(); c->name; c++) {
		if (strcmp(c->name, last) != 0) /* some have two lines in the table */
			offer(arg, c->name, c->help);
		last = c->name;
	}
}

static void offer_flag(const struct command *c, complete_fn offer, void *arg)
{
	char word[USAGE_WORD];
	const char *flag = strstr(c->usage, "--");
	if (!flag)
		return;
	snprintf(word, sizeof word, "%.*s", (int)strcspn(flag, " "), flag);
	offer(arg, word, c->help);
}

void complete_gather(const struct session *session, const char *command, size_t nth, complete_fn offer,
		     void *arg)
{
	bool keys = false;
	if (!command)
		offer_commands(offer, arg);
	for (const struct command *c = command_table(); command && c->name; c++) {
		char word[USAGE_WORD];
		if (strcmp(c->name, command) != 0)
			continue;
		offer_flag(c, offer, arg);
		if (!usage_word(c->usage, nth, word))
			continue;
		if (strcmp(word, "KEY") == 0)
			keys = true; /* also when two lines of the table want one */
		else if (strcmp(word, "NODE") == 0)
			offer_set(&session->nodes, offer, arg);
		else if (strcmp(word, "COMMAND") == 0)
			offer_commands(offer, arg);
		else if (word[0] >= 'a')
			offer(arg, word, c->help);
	}
	if (keys)
		offer_set(&session->keys, offer, arg);
}

unsigned char complete(EditLine *edit, struct session *session)
{
	const LineInfo *line = el_line(edit);
	const char *word = line->buffer;
	char command[USAGE_WORD] = "";
	size_t nth = 0;
	for (const char *at = line->buffer; at < line->cursor; at++) {
		if (*at != ' ' && *at != '\t')
			continue;
		if (at > word) {
			if (nth++ == 0)
				snprintf(command, sizeof command, "%.*s", (int)(at - word), word);
		}
		word = at + 1;
	}

	struct matches m = {.start = word, .start_length = (size_t)(line->cursor - word)};
	complete_gather(session, nth > 0 ? command : NULL, nth, match, &m);
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
	complete_gather(session, nth > 0 ? command : NULL, nth, match, &list);
	putchar('\n');
	return CC_REDISPLAY;
}
