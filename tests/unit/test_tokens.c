/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tokens.h"
#include "unit/leak.h"

#define READ "read-0123456789a"
#define WRITE "write/0123456789+=="

struct fixture {
	struct tokens tokens;
	char path[64], why[256];
};

/* Another file takes its place, as who changes one should do it. */
static void put(struct fixture *f, const char *text, mode_t mode)
{
	char other[80];
	snprintf(other, sizeof other, "%s.new", f->path);
	FILE *file = fopen(other, "we");
	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
	cr_assert(chmod(other, mode) == 0 && rename(other, f->path) == 0);
}

static bool start(struct fixture *f, const char *text, mode_t mode)
{
	*f = (struct fixture){0};
	snprintf(f->path, sizeof f->path, "/tmp/kudos-tokens-%d", (int)getpid());
	put(f, text, mode);
	return tokens_open(&f->tokens, f->path, f->why, sizeof f->why);
}

static void stop(struct fixture *f)
{
	unlink(f->path);
	tokens_deinit(&f->tokens);
	assert_no_leak();
}

Test(tokens, who_may_what)
{
	struct fixture f;
	const char *name = NULL;
	cr_assert(start(&f, "# all\n\n read " READ " page \r\nwrite\t" WRITE "\n", 0640), "%s", f.why);
	cr_assert(tokens_access(&f.tokens, READ, &name) == ACCESS_READ && strcmp(name, "page") == 0);
	cr_assert(tokens_access(&f.tokens, WRITE, &name) == ACCESS_WRITE && !*name);
	static const char *const wrong[] = {"",	     "read", READ "b", "read-0123456789", "Read-0123456789a",
					    READ " "};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		cr_assert(tokens_access(&f.tokens, wrong[i], &name) == ACCESS_NONE, "%s", wrong[i]);
	char longest[TOKEN_MAX + 2];
	memset(longest, 'a', sizeof longest);
	longest[TOKEN_MAX + 1] = '\0';
	cr_assert(tokens_access(&f.tokens, longest, &name) == ACCESS_NONE);
	stop(&f);
}

Test(tokens, what_is_wrong_with_a_file)
{
	static const struct {
		const char *text, *why;
		mode_t mode;
	} files[] = {
	    {"read " READ "\n", "chmod o-r", 0644},
	    {"", "no token", 0600},
	    {"# read " READ "\n", "no token", 0600},
	    {"read " READ "\nown " WRITE "\n", ":2: the role", 0600},
	    {"none " READ "\n", ":1: the role", 0600},
	    {"read\n", ":1: a token is", 0600},
	    {"read short\n", ":1: a token is", 0600},
	    {"read " READ "!\n", ":1: a token is", 0600},
	    {"read " READ " a b\n", ":1: a line is", 0600},
	    {"read " READ " 0123456789012345678901234567890123456789012345678901234567890123\n", "63", 0600},
	};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct fixture f;
		cr_assert(!start(&f, files[i].text, files[i].mode), "%zu", i);
		cr_assert(strstr(f.why, files[i].why), "%s: %s", files[i].why, f.why);
		stop(&f);
	}
}

Test(tokens, a_file_that_changes)
{
	struct fixture f;
	const char *name;
	cr_assert(start(&f, "read " READ "\n", 0600));
	cr_assert(tokens_look(&f.tokens, 0, f.why, sizeof f.why) == 0);
	put(&f, "write " WRITE "\n", 0600);
	cr_assert(tokens_look(&f.tokens, 999, f.why, sizeof f.why) == 0, "once a second");
	cr_assert(tokens_look(&f.tokens, 1000, f.why, sizeof f.why) == 1);
	cr_assert(tokens_access(&f.tokens, READ, &name) == ACCESS_NONE);
	cr_assert(tokens_access(&f.tokens, WRITE, &name) == ACCESS_WRITE);
	put(&f, "nonsense\n", 0600);
	cr_assert(tokens_look(&f.tokens, 2000, f.why, sizeof f.why) == -1);
	cr_assert(tokens_look(&f.tokens, 3000, f.why, sizeof f.why) == 0, "told once");
	unlink(f.path);
	cr_assert(tokens_look(&f.tokens, 4000, f.why, sizeof f.why) == -1);
	cr_assert(tokens_look(&f.tokens, 5000, f.why, sizeof f.why) == 0);
	cr_assert(tokens_access(&f.tokens, WRITE, &name) == ACCESS_WRITE, "those from before stay");
	put(&f, "read " READ "\n", 0600);
	cr_assert(tokens_look(&f.tokens, 6000, f.why, sizeof f.why) == 1);
	cr_assert(tokens_access(&f.tokens, READ, &name) == ACCESS_READ);
	stop(&f);
}
