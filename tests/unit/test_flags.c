/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/flags.h"

struct options {
	const char *leaders, *server, *key, *trust, *role, *list;
	bool quick, sure;
	int port, number, ms;
	char taken[32];
};

#define AT(field) .at = offsetof(struct options, field)

static bool take(const struct flag *flag, void *options, const char *value, char *wrong)
{
	struct options *o = options;
	strcat(strcat(o->taken, flag->name), value);
	snprintf(wrong, FLAG_WRONG, "not %s", value);
	return strcmp(value, "bad") != 0;
}

static const struct flag table[] = {
    FLAGS_CLUSTER(AT(leaders), AT(server), AT(key), AT(trust)),
    {"role", 0, "ann|bob|bert", "whose", NULL, "nobody", AT(role)},
    {"list", 0, "A[,B]", "some", NULL, NULL, FLAG_LIST, AT(list)},
    {"quick", 'q', NULL, "without pauses", "T_QUICK", NULL, FLAG_YES, AT(quick)},
    {"sure", 's', NULL, "as it says", NULL, NULL, FLAG_YES, AT(sure)},
    {"port", 'p', "PORT", "where", "T_PORT", "5001", FLAG_PORT, AT(port)},
    {"number", 0, "N", "how many", NULL, NULL, FLAG_NUMBER, AT(number), .least = 2, .most = 9},
    {"timeout", 0, "S", "how long", "T_TIMEOUT", "5", FLAG_SECONDS, AT(ms), .most = 60},
    {"second", 0, "X", "taken second", .kind = FLAG_OWN, .take = take},
    {"third", 0, "X", "taken third", .kind = FLAG_OWN, .take = take},
    {0},
};
static const struct flags flags = {
    .list = table, .usage = "[FLAGS]", .about = "About.", .after = "After.", .own = "--mine"};
static const struct flags plain = {.list = table, .usage = "[FLAGS]", .about = "About.", .after = "After."};

#define WORDS 16

struct line {
	char *words[WORDS];
	struct options options;
	struct flags_taken taken;
};

/* line: words with spaces between them. */
static void parse(struct line *l, const struct flags *f, const char *line)
{
	static char text[256], program[] = "program";
	int count = 1;
	char *rest;
	*l = (struct line){.words = {program}};
	snprintf(text, sizeof text, "%s", line);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		l->words[count++] = word;
	l->taken = flags_take(f, count, l->words, &l->options);
}

static void good(struct line *l, const char *line)
{
	parse(l, &flags, line);
	cr_assert(!*l->taken.wrong, "%s: %s", line, l->taken.wrong);
}

static void bad(const char *line, const char *wrong)
{
	struct line l;
	parse(&l, &flags, line);
	cr_assert_str_eq(l.taken.wrong, wrong);
}

Test(flags, are_taken_from_the_line)
{
	struct line l;
	good(&l, "-qp 7 --number=9 --timeout 0.0011 --role ann --role bob");
	cr_assert(l.options.quick && !l.options.sure && l.options.port == 7 && l.options.number == 9);
	cr_assert(l.options.ms == 2 && strcmp(l.options.role, "bob") == 0 && l.taken.words == 0);
	good(&l, "");
	cr_assert(!l.options.quick && l.options.port == 5001 && l.options.number == 0 &&
		  l.options.ms == 5000);
	cr_assert_str_eq(l.options.role, "nobody");
	good(&l, "--third a --second b"); /* in the table's order */
	cr_assert_str_eq(l.options.taken, "secondbthirda");
}

Test(flags, wrong_ones_are_told)
{
	bad("--nonsense", "--nonsense is no flag");
	bad("-x", "-x is no flag");
	bad("--role", "--role wants a value");
	bad("--sure=1", "--sure=1 is no flag");
	bad("--number 1", "--number: \"1\" is not a whole number from 2 to 9");
	bad("--number 10 --port 0", "--port: \"0\" is not a whole number from 1 to 65535");
	bad("--number 3x", "--number: \"3x\" is not a whole number from 2 to 9");
	bad("--port 65536", "--port: \"65536\" is not a whole number from 1 to 65535");
	for (const char *const *one =
		 (const char *const[]){"0", "60.1", "inf", "0x1", "1e1", "1s", ".", NULL};
	     *one; one++) {
		char line[32], wrong[128];
		snprintf(line, sizeof line, "--timeout %s", *one);
		snprintf(wrong, sizeof wrong,
			 "--timeout: \"%s\" is not in seconds, more than 0 and at most 60, such as 5 or 0.5",
			 *one);
		bad(line, wrong);
	}
	bad("--list a --list b", "--list is given twice: name all in one, separated by commas");
	bad("--third bad", "--third: not bad");
}

Test(flags, a_flag_beats_its_variable_and_an_empty_one_is_none)
{
	struct line l;
	setenv("T_TIMEOUT", "x", 1);
	setenv("T_PORT", "8", 1);
	bad("", "T_TIMEOUT: \"x\" is not in seconds, more than 0 and at most 60, such as 5 or 0.5");
	good(&l, "--timeout 1");
	cr_assert(l.options.ms == 1000 && l.options.port == 8);
	setenv("T_TIMEOUT", "", 1);
	setenv("T_QUICK", "1", 1);
	good(&l, "");
	cr_assert(l.options.ms == 5000 && l.options.quick);
	for (const char *const *no = (const char *const[]){"0", "no", "False", "", NULL}; *no; no++) {
		setenv("T_QUICK", *no, 1);
		good(&l, "");
		cr_assert(!l.options.quick, "\"%s\"", *no);
	}
}

static void expect_cluster(const char *line, const char *leaders, const char *server)
{
	struct line l;
	good(&l, line);
	cr_assert_str_eq(l.options.leaders ? l.options.leaders : "", leaders);
	cr_assert_str_eq(l.options.server ? l.options.server : "", server);
	cr_assert(!l.options.key && !l.options.trust);
}

Test(flags, a_leader_by_flag_beats_the_server_by_variable)
{
	unsetenv("KUDOS_LEADER");
	unsetenv("KUDOS_TRUST");
	setenv("KUDOS_KEY", "", 1);
	setenv("KUDOS_SERVER", "s", 1);
	expect_cluster("", "", "s");
	expect_cluster("--server S", "", "S");
	expect_cluster("--server=", "", "");
	expect_cluster("--leader L", "L", "");
	expect_cluster("--leader=", "", "");
	expect_cluster("--leader L --server S", "L", "S");
	expect_cluster("--server S --leader L", "L", "S");
	setenv("KUDOS_LEADER", "l", 1);
	setenv("KUDOS_SERVER", "", 1);
	expect_cluster("", "l", "");
	expect_cluster("--leader L", "L", "");
}

static void expect_words(const struct flags *f, const char *line, const char *const *words)
{
	struct line l;
	int count = 0;
	parse(&l, f, line);
	for (; words[count]; count++)
		cr_assert_str_eq(l.words[1 + count], words[count]);
	cr_assert(l.taken.words == count && !*l.taken.wrong && l.options.sure);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(flags, stand_before_and_after_words)
{
	expect_words(&flags, "like -s k -5", LIST("like", "k", "-5"));
	expect_words(&flags, "count --mine -s -- k -q --", LIST("count", "--mine", "--", "k", "-q", "--"));
	expect_words(&plain, "-s -- -q -", LIST("-q", "-"));
	struct line l;
	parse(&l, &plain, "--mine");
	cr_assert_str_eq(l.taken.wrong, "--mine is no flag");
}

Test(flags, help_and_version_come_before_what_follows)
{
	struct line l;
	good(&l, "-s --help --nonsense");
	cr_assert(l.taken.help && !l.taken.version);
	good(&l, "-V");
	cr_assert(!l.taken.help && l.taken.version);
}

static const struct flag long_table[] = {
    {"quick", 'q', NULL, "without pauses", .kind = FLAG_YES},
    {"role", 0, "ROLE",
     "whose, with more to say of it than there is room for on one line, so that it goes on in the next",
     .kind = FLAG_TEXT},
    {0},
};

Test(flags, help_is_filled, .init = cr_redirect_stdout)
{
	static char name[] = "program";
	program_invocation_short_name = name;
	flags_help(&(struct flags){.list = long_table, .usage = "[FLAGS] FILE", .about = "What it does."});
	fflush(stdout);
	cr_assert_stdout_eq_str(
	    "usage: program [FLAGS] FILE\n"
	    "What it does.\n"
	    "\n"
	    "  -q, --quick                  without pauses\n"
	    "  --role ROLE                  whose, with more to say of it than there is room\n"
	    "                               for on one line, so that it goes on in the next\n"
	    "  -h, --help                   show this help\n"
	    "  -V, --version                show the version\n");
}

static void completes(const char *before, const char *typed, bool done)
{
	cr_assert(flags_complete(&flags, before, typed) == done);
	fflush(stdout);
}

Test(flags, complete_flags, .init = cr_redirect_stdout)
{
	completes(NULL, "--t", true);
	completes("--quick", "--ro", true);
	completes("like", "--nonsense", true);
	completes(NULL, "--he", true);
	cr_assert_stdout_eq_str(
	    "--trust\tfolder with the cluster's certificate (KUDOS_TRUST)\n--timeout\thow long\n"
	    "--third\ttaken third\n--role\twhose\n--help\tshow this help\n");
}

Test(flags, complete_values, .init = cr_redirect_stdout)
{
	completes("--key", "", true);
	completes("--trust", "x", true);
	completes("--role", "b", true);
	completes("--number", "", true);
	cr_assert_stdout_eq_str("<file>\n<folder>\nbob\nbert\n");
}

Test(flags, leave_words_to_others, .init = cr_redirect_stdout)
{
	completes("--quick", "dr", false);
	completes("quick", "", false);
	completes(NULL, "", false);
	cr_assert_stdout_eq_str("");
}
