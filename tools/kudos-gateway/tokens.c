/* SPDX-License-Identifier: MIT */
#include "tokens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_INTERVAL 1000 /* ms */

static const char *const names[] = {"none", "read", "write", "operate"};

const char *access_name(enum access access)
{
	return names[access];
}

static bool parse_line(struct token *token, char *line, const char **why)
{
	char *rest = NULL;
	const char *role = strtok_r(line, " \t\r\n", &rest), *text = strtok_r(NULL, " \t\r\n", &rest),
		   *name = strtok_r(NULL, " \t\r\n", &rest);
	*token = (struct token){0};
	for (int i = ACCESS_READ; i <= ACCESS_OPERATE; i++) {
		if (strcmp(role, names[i]) == 0)
			token->access = (enum access)i;
	}
	size_t size = text ? strlen(text) : 0;
	if (token->access == ACCESS_NONE)
		*why = "the role is read, write or operate";
	else if (size < TOKEN_MIN || size > TOKEN_MAX ||
		 strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") !=
		     size)
		*why = "a token is 16 to 128 letters, digits and -._~+/=";
	else if (name && strlen(name) > TOKEN_NAME_MAX)
		*why = "a name has at most 63 characters";
	else if (strtok_r(NULL, " \t\r\n", &rest))
		*why = "a line is ROLE TOKEN [NAME]";
	else {
		memcpy(token->text, text, size);
		memcpy(token->name, name ? name : "", name ? strlen(name) : 0);
		return true;
	}
	return false;
}

/* Into *t, which is empty. */
static bool read_lines(struct tokens *t, FILE *file, const char **why, unsigned *number)
{
	char line[1024];
	t->list = calloc(TOKENS_MAX, sizeof *t->list);
	if (!t->list) {
		*why = "out of memory";
		return false;
	}
	while (fgets(line, sizeof line, file)) {
		++*number;
		size_t blank = strspn(line, " \t\r\n");
		if (!line[blank] || line[blank] == '#')
			continue;
		if (t->count == TOKENS_MAX)
			*why = "at most 256 tokens";
		else if (parse_line(&t->list[t->count], line, why))
			t->count++;
		if (*why)
			return false;
	}
	if (ferror(file))
		*why = strerror(errno);
	else if (t->count == 0)
		*why = "there is no token in it";
	return !*why;
}

static bool load(struct tokens *t, char *text, size_t size)
{
	struct tokens fresh = {.file = t->file, .look_at = t->look_at};
	struct stat about;
	const char *why = NULL;
	unsigned line = 0;
	FILE *file = fopen(t->file, "re");
	if (!file || fstat(fileno(file), &about) < 0) {
		why = strerror(errno);
	} else if (about.st_mode & S_IROTH) {
		why = "everybody can read it: chmod o-r";
	} else {
		fresh.changed = about.st_ctim;
		fresh.inode = about.st_ino;
		read_lines(&fresh, file, &why, &line);
	}
	if (file)
		fclose(file);
	if (why) {
		if (line)
			snprintf(text, size, "%s:%u: %s", t->file, line, why);
		else
			snprintf(text, size, "%s: %s", t->file, why);
		free(fresh.list);
		return false;
	}
	tokens_deinit(t);
	*t = fresh;
	return true;
}

bool tokens_open(struct tokens *t, const char *file, char *why, size_t why_size)
{
	*t = (struct tokens){.file = file};
	return !file || load(t, why, why_size);
}

void tokens_deinit(struct tokens *t)
{
	if (t->list)
		explicit_bzero(t->list, TOKENS_MAX * sizeof *t->list);
	free(t->list);
	t->list = NULL;
	t->count = 0;
}

/* What cannot be read now is tried at every look, and told once for each of its states. */
int tokens_look(struct tokens *t, int64_t now, char *why, size_t why_size)
{
	struct stat about = {0};
	if (!t->file || now < t->look_at)
		return 0;
	t->look_at = now + LOOK_INTERVAL;
	(void)!stat(t->file, &about); /* gone: all 0 */
	if (about.st_ino == t->inode && about.st_ctim.tv_sec == t->changed.tv_sec &&
	    about.st_ctim.tv_nsec == t->changed.tv_nsec)
		return 0;
	t->inode = about.st_ino;
	t->changed = about.st_ctim;
	return load(t, why, why_size) ? 1 : -1;
}

static bool same(const char a[TOKEN_MAX], const char b[TOKEN_MAX])
{
	unsigned char different = 0;
	for (size_t i = 0; i < TOKEN_MAX; i++)
		different |= (unsigned char)(a[i] ^ b[i]);
	return different == 0;
}

enum access tokens_access(const struct tokens *t, const char *token, const char **name)
{
	char given[TOKEN_MAX] = {0};
	size_t size = strlen(token), found = t->count;
	if (size == 0 || size > sizeof given)
		return ACCESS_NONE;
	memcpy(given, token, size);
	for (size_t i = 0; i < t->count; i++)
		found = same(given, t->list[i].text) ? i : found;
	if (found == t->count)
		return ACCESS_NONE;
	*name = t->list[found].name;
	return t->list[found].access;
}
