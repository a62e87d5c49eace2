/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool command_keys(struct session *session, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int error = kudos_check_key(keys[i], strlen(keys[i]));
		if (error) {
			output_error(&session->out, kudos_error_code(error), "bad key \"%s\": %s",
				     printable(keys[i]).text, kudos_error_text(error));
			return false;
		}
		word_set_add(&session->keys, keys[i]);
	}
	return true;
}

static enum outcome add(struct session *session, const struct arguments *arguments, int sign)
{
	const char *key = arguments->count > 0 ? arguments->words[0] : KUDOS_DEFAULT_KEY;
	int64_t n = 1;
	if (!command_keys(session, &key, 1))
		return USAGE;
	if (arguments->count > 1 &&
	    (!words_integer(arguments->words[1], &n) || kudos_check_amount(n) != KUDOS_OK)) {
		output_error(&session->out, kudos_error_code(KUDOS_BAD_AMOUNT), "bad amount \"%s\": %s",
			     printable(arguments->words[1]).text, kudos_error_text(KUDOS_BAD_AMOUNT));
		return USAGE;
	}

	enum outcome outcome;
	kudos *handle = session_handle(session, &outcome);
	if (!handle)
		return outcome;
	int error = kudos_like(handle, key, sign * n);
	if (error)
		return session_failed(session, handle, error, "");
	int64_t count;
	error = kudos_count(handle, &key, 1, &count);
	if (error) {
		/* The like itself must not look as if it had failed: nobody should send it again. */
		char prefix[KUDOS_KEY_MAX + 64];
		snprintf(prefix, sizeof(prefix), "%s: acknowledged, but the count cannot be read", key);
		return session_failed(session, handle, error, prefix);
	}
	output_count(&session->out, NULL, key, count);
	return DONE;
}

static enum outcome run_like(struct session *session, const struct arguments *arguments)
{
	if (arguments->count == 1 && strcmp(arguments->words[0], "many") == 0)
		return command_many(session);
	return add(session, arguments, 1);
}

static enum outcome run_unlike(struct session *session, const struct arguments *arguments)
{
	return add(session, arguments, -1);
}

/* forget and drain: what is asked of the library, and what became of the node. */
static enum outcome run_on_node(struct session *session, const struct arguments *arguments,
				const char *command, int (*ask)(kudos *handle, const char *node),
				const char *done)
{
	if (arguments->count != 1) {
		output_error(&session->out, "usage", "%s wants the name or the id of one node", command);
		return USAGE;
	}
	enum outcome outcome;
	kudos *handle = session_handle(session, &outcome);
	if (!handle)
		return outcome;
	const char *node = arguments->words[0];
	int error = ask(handle, node);
	if (error)
		return session_failed(session, handle, error,
				      error == KUDOS_UNKNOWN_NODE ? printable(node).text : "");
	if (!session->out.json) {
		printf("%s %s\n", printable(node).text, done);
		return DONE;
	}
	json_t *line = json_object();
	output_set(&line, done, output_json_text(node));
	return output_json(&session->out, line) ? DONE : FAILED;
}

static enum outcome run_forget(struct session *session, const struct arguments *arguments)
{
	return run_on_node(session, arguments, "forget", kudos_forget, "forgotten");
}

static enum outcome run_drain(struct session *session, const struct arguments *arguments)
{
	return run_on_node(session, arguments, "drain", kudos_drain, "draining");
}

static enum outcome run_exit(struct session *session, const struct arguments *arguments)
{
	(void)arguments;
	session->quit = true;
	return DONE;
}

static enum outcome run_help(struct session *session, const struct arguments *arguments);

static const struct command commands[] = {
    {"like", "like [KEY] [N]", "send N likes of KEY (1 of \"" KUDOS_DEFAULT_KEY "\"); print the count", 2,
     run_like},
    {"like", "like many", "ask for a pause in seconds and an amount, then send that many likes", 2, run_like},
    {"unlike", "unlike [KEY] [N]", "take N likes of KEY back; print the count", 2, run_unlike},
    {"count", "count [KEY]...", "print the count of each key", SIZE_MAX, command_count},
    {"count", "count --everywhere [KEY]...", "print the count on every server", SIZE_MAX, command_count},
    {"watch", "watch [KEY]...", "print a line at every change, until Ctrl-C", SIZE_MAX, command_watch},
    {"top", "top [N]", "show the N keys with the most likes (10); on a terminal live, until Ctrl-C", 1,
     command_top},
    {"status", "status", "show the servers and how they are", 0, command_status},
    {"drain", "drain NODE", "stop a server in order: its clients move, nothing is lost", 1, run_drain},
    {"forget", "forget NODE", "remove a server that will not come back", 1, run_forget},
    {"help", "help [COMMAND]", "list the commands", 1, run_help},
    {"exit", "exit", "leave (also: quit, Ctrl-D)", 0, run_exit},
    {"quit", "quit", "leave", 0, run_exit},
    {NULL, NULL, NULL, 0, NULL},
};

const struct command *command_table(void)
{
	return commands;
}

static const struct command *find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static enum outcome unknown(struct session *session, const char *word)
{
	const char *nearest = NULL;
	size_t best = SIZE_MAX;
	for (const struct command *c = commands; c->name; c++) {
		size_t distance = words_distance(word, c->name);
		bool beginning = *word && strncmp(c->name, word, strlen(word)) == 0;
		if (beginning)
			distance = 0;
		if (distance < best && distance * 2 <= strlen(c->name)) {
			best = distance;
			nearest = c->name;
		}
	}
	if (nearest)
		output_error(&session->out, "usage",
			     "unknown command \"%s\"; did you mean \"%s\"? \"help\" lists the commands",
			     printable(word).text, nearest);
	else
		output_error(&session->out, "usage", "unknown command \"%s\"; \"help\" lists the commands",
			     printable(word).text);
	return USAGE;
}

static enum outcome run_help(struct session *session, const struct arguments *arguments)
{
	const char *only = arguments->count ? arguments->words[0] : NULL;
	if (only && !find(only))
		return unknown(session, only);
	for (const struct command *c = commands; c->name; c++) {
		if (only && strcmp(c->name, only) != 0)
			continue;
		if (!session->out.json) {
			printf("  %-28s %s\n", c->usage, c->help);
			continue;
		}
		json_t *line = json_object();
		output_set(&line, "command", output_json_text(c->name));
		output_set(&line, "usage", output_json_text(c->usage));
		output_set(&line, "help", output_json_text(c->help));
		if (!output_json(&session->out, line))
			return FAILED;
	}
	return DONE;
}

void command_remember(struct session *session, const char *const *words, size_t count)
{
	if (count < 2)
		return;
	bool one = strcmp(words[0], "like") == 0 || strcmp(words[0], "unlike") == 0;
	if (!one && strcmp(words[0], "count") != 0 && strcmp(words[0], "watch") != 0)
		return;
	for (size_t i = 1; i < count && !(one && i > 1); i++)
		if (words[i][0] != '-' && kudos_check_key(words[i], strlen(words[i])) == KUDOS_OK)
			word_set_add(&session->keys, words[i]);
}

/* Takes the flags out of words; what follows "--" is words only. */
static bool parse(struct session *session, const char *const *words, size_t count, const char **kept,
		  struct arguments *arguments)
{
	bool flags = true;
	*arguments = (struct arguments){.words = kept};
	for (size_t i = 1; i < count; i++) {
		if (!flags || strncmp(words[i], "--", 2) != 0) {
			kept[arguments->count++] = words[i];
		} else if (words[i][2] == '\0') {
			flags = false;
		} else if (strcmp(words[i], "--json") == 0) {
			session->out.json = true;
		} else if (strcmp(words[i], "--everywhere") == 0 && strcmp(words[0], "count") == 0) {
			arguments->everywhere = true;
		} else {
			output_error(&session->out, "usage",
				     "%s has no option \"%s\" (a key that begins so goes after \"--\")",
				     words[0], printable(words[i]).text);
			return false;
		}
	}
	return true;
}

static enum outcome run(struct session *session, const struct command *command, const char *const *words,
			size_t count)
{
	const char **kept = calloc(count, sizeof(*kept));
	if (!kept)
		return session_failed(session, NULL, KUDOS_NO_MEMORY, "");
	struct arguments arguments;
	enum outcome outcome = USAGE;
	if (!parse(session, words, count, kept, &arguments))
		goto out;
	if (arguments.count > command->most) {
		output_error(&session->out, "usage", "\"%s\" is too much; the command is: %s",
			     printable(arguments.words[command->most]).text, command->usage);
		goto out;
	}
	outcome = command->run(session, &arguments);
out:
	free(kept);
	return outcome;
}

enum outcome command_run(struct session *session, const char *const *words, size_t count)
{
	const struct command *command = find(words[0]);
	if (!command)
		return unknown(session, words[0]);
	bool json = session->out.json;
	enum outcome outcome = run(session, command, words, count);
	if (!output_flush(&session->out) && outcome == DONE)
		outcome = FAILED;
	session->out.json = json; /* --json after a command is for that command */
	return outcome;
}
