/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <histedit.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "command.h"
#include "complete.h"
#include "session.h"

#define HISTORY_LINES 1000

struct input {
	bool terminal;
	bool nul;
	char *text;
	size_t capacity;
	const char *prompt;
	struct session *session;
	EditLine *edit; /* NULL: plain lines */
	History *history;
	char *history_file;	    /* NULL: not kept */
	struct interrupt interrupt; /* while lines are edited */
};

/* Makes the folders above path; whether that worked shows when the file is written. */
static void make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
}

/* KUDOS_HISTORY (empty: none), else by the XDG rules, which ignore a state folder that is not absolute. */
static char *history_path(void)
{
	const char *given = getenv("KUDOS_HISTORY"), *state = getenv("XDG_STATE_HOME"),
		   *home = getenv("HOME");
	char *path = NULL;
	int length;
	if (given)
		return *given ? strdup(given) : NULL;
	if (state && state[0] == '/')
		length = asprintf(&path, "%s/kudos/history", state);
	else if (home && home[0] == '/')
		length = asprintf(&path, "%s/.local/state/kudos/history", home);
	else
		return NULL;
	if (length < 0)
		return NULL;
	make_parents(path);
	return path;
}

/* The keys of earlier sessions are worth completing too. */
static void remember_keys(struct input *input)
{
	HistEvent event;
	for (int more = history(input->history, &event, H_FIRST); more >= 0;
	     more = history(input->history, &event, H_NEXT)) {
		const char **words;
		size_t count;
		char *line = strdup(event.str);
		if (line && words_split(line, &words, &count)) {
			command_remember(input->session, words, count);
			free(words);
		}
		free(line);
	}
}

static void start_history(struct input *input)
{
	HistEvent event;
	input->history = history_init();
	if (!input->history)
		return;
	history(input->history, &event, H_SETSIZE, HISTORY_LINES);
	history(input->history, &event, H_SETUNIQUE, 1);
	el_set(input->edit, EL_HIST, history, input->history);
	input->history_file = history_path();
	if (input->history_file)
		history(input->history, &event, H_LOAD, input->history_file);
	remember_keys(input);
}

static char *show_prompt(EditLine *edit)
{
	void *data;
	el_get(edit, EL_CLIENTDATA, &data);
	/* libedit's prompt function returns char * and never writes to it. */
	union {
		const char *given;
		char *wanted;
	} prompt = {.given = ((struct input *)data)->prompt};
	return prompt.wanted;
}

static unsigned char complete_key(EditLine *edit, int character)
{
	(void)character;
	void *data;
	el_get(edit, EL_CLIENTDATA, &data);
	return complete(edit, ((struct input *)data)->session);
}

/* libedit's own reading of a character, and of Ctrl-C (EL_SIGNAL), loses a Ctrl-C that comes just before its
 * read(), and leaves the terminal in the wrong mode then. Here it is one more descriptor to wait for. */
static int get_character(EditLine *edit, wchar_t *character)
{
	void *data;
	el_get(edit, EL_CLIENTDATA, &data);
	const struct input *input = data;
	mbstate_t state = {0};
	for (;;) {
		struct pollfd watched[] = {
		    {.fd = STDIN_FILENO, .events = POLLIN},
		    {.fd = input->interrupt.fd, .events = POLLIN},
		};
		if (poll(watched, 2, -1) < 0 && errno != EINTR)
			return -1;
		if (interrupt_pressed(&input->interrupt)) {
			errno = EINTR;
			return -1;
		}
		if (!watched[0].revents)
			continue;
		char byte;
		ssize_t size = read(STDIN_FILENO, &byte, 1);
		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			return (int)size;
		if (byte ==
		    '\0') /* a Ctrl-D typed ahead of the prompt; libedit takes it for "quote the next" */
			continue;
		size_t length = mbrtowc(character, &byte, 1, &state);
		if (length <= 1)
			return 1;
		if (length == (size_t)-1) /* not of this locale: dropped */
			state = (mbstate_t){0};
	}
}

static bool start_editing(struct input *input)
{
	if (!interrupt_begin(&input->interrupt, &input->session->out))
		return false;
	input->edit = el_init("kudos", stdin, stdout, stderr);
	if (!input->edit) {
		interrupt_end(&input->interrupt);
		return false;
	}
	el_set(input->edit, EL_CLIENTDATA, input);
	el_set(input->edit, EL_PROMPT, show_prompt);
	el_set(input->edit, EL_EDITOR, "emacs");
	el_set(input->edit, EL_GETCFN, get_character);
	el_set(input->edit, EL_ADDFN, "kudos-complete", "Complete commands and keys", complete_key);
	el_set(input->edit, EL_BIND, "^I", "kudos-complete", NULL);
	el_set(input->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
	start_history(input);
	el_source(input->edit, NULL);
	return true;
}

struct input *input_new(struct session *session, bool edit)
{
	struct input *input = calloc(1, sizeof(*input));
	if (!input)
		return NULL;
	input->session = session;
	input->terminal = isatty(STDIN_FILENO) == 1;
	if (edit && !start_editing(input)) {
		input_free(input);
		return NULL;
	}
	return input;
}

void input_free(struct input *input)
{
	if (!input)
		return;
	if (input->edit) {
		el_end(input->edit);
		interrupt_end(&input->interrupt);
	}
	if (input->history)
		history_end(input->history);
	free(input->history_file);
	free(input->text);
	free(input);
}

bool input_is_terminal(const struct input *input)
{
	return input->terminal;
}

static enum input_result read_edited(struct input *input)
{
	int length = 0;
	errno = 0;
	const char *line = el_gets(input->edit, &length);
	if (!line || length <= 0) {
		if (length < 0 && errno == EINTR) {
			el_reset(input->edit);
			putchar('\n');
			return INPUT_INTERRUPTED;
		}
		putchar('\n');
		return INPUT_END;
	}
	char *copy = strndup(line, (size_t)length);
	if (!copy)
		return INPUT_FAILED;
	copy[strcspn(copy, "\n")] = '\0';
	free(input->text);
	input->text = copy;
	return INPUT_LINE;
}

enum input_result input_line(struct input *input, const char *prompt)
{
	input->prompt = prompt;
	if (input->edit)
		return read_edited(input);
	if (input->terminal) /* on stderr, for stdout may be a file */
		fputs(prompt, stderr);
	ssize_t length = getline(&input->text, &input->capacity, stdin);
	if (length < 0)
		return feof(stdin) ? INPUT_END : INPUT_FAILED;
	input->nul = strlen(input->text) != (size_t)length;
	input->text[strcspn(input->text, "\n")] = '\0';
	return INPUT_LINE;
}

char *input_text(struct input *input)
{
	return input->text;
}

bool input_has_nul(const struct input *input)
{
	return input->nul;
}

const char *input_word(struct input *input)
{
	char *rest;
	const char *word = strtok_r(input->text, " \t\r\n\v\f", &rest);
	return word ? word : "";
}

void input_remember(struct input *input, const char *line)
{
	HistEvent event;
	if (!input->history)
		return;
	history(input->history, &event, H_ENTER, line);
	/* After every line: a session that is killed keeps what was typed. */
	if (input->history_file)
		history(input->history, &event, H_SAVE, input->history_file);
}
