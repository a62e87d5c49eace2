/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>

#include "flag.h"

static const struct flag table[] = {
    {"key", 256, "FILE", "a key"},	    {"keys", 257, "N", "how many"},
    {"trust", 258, "DIR", "whom"},	    {"role", 259, "ann|bob|bert", "whose\nmore of it"},
    {"quick", 'q', NULL, "without pauses"}, {0},
};

Test(flag, getopt_gets_the_same_table)
{
	struct option options[sizeof table / sizeof *table];
	flag_options(table, options);
	cr_assert_str_eq(options[0].name, "key");
	cr_assert(options[0].val == 256 && options[0].has_arg == required_argument && !options[0].flag);
	cr_assert(options[4].val == 'q' && options[4].has_arg == no_argument);
	cr_assert(!options[5].name);
	cr_assert(flag_find(table, "--keys") == &table[1]);
	cr_assert(!flag_find(table, "keys") && !flag_find(table, "--ke") && !flag_find(table, "--"));
}

Test(flag, help_has_a_line_each, .init = cr_redirect_stdout)
{
	flag_help(table + 3);
	fflush(stdout);
	cr_assert_stdout_eq_str("  --role ann|bob|bert          whose\nmore of it\n"
				"  -q, --quick                  without pauses\n");
}

static void completes(const char *before, const char *typed, bool done)
{
	cr_assert(flag_complete(table, before, typed) == done);
	fflush(stdout);
}

Test(flag, completes_flags, .init = cr_redirect_stdout)
{
	completes(NULL, "--k", true);
	completes("--quick", "--r", true);
	completes("like", "--nonsense", true);
	cr_assert_stdout_eq_str("--key\ta key\n--keys\thow many\n--role\twhose\n");
}

Test(flag, completes_values, .init = cr_redirect_stdout)
{
	completes("--key", "", true);
	completes("--trust", "x", true);
	completes("--role", "b", true);
	completes("--keys", "", true);
	cr_assert_stdout_eq_str("<file>\n<folder>\nbob\nbert\n");
}

Test(flag, leaves_words_to_others, .init = cr_redirect_stdout)
{
	completes("--quick", "dr", false);
	completes(NULL, "", false);
	cr_assert_stdout_eq_str("");
}

/* Flags are taken in any order. */
static void expect_cluster(const char *flags, const char *leaders, const char *server)
{
	struct kudos_options o = {0};
	flag_cluster_begin(&o);
	for (; *flags; flags++)
		cr_assert(
		    flag_cluster(&o, *flags == 'l' ? FLAG_LEADER : FLAG_SERVER, *flags == 'l' ? "L" : "S"));
	cr_assert_str_eq(o.leaders ? o.leaders : "", leaders);
	cr_assert_str_eq(o.server ? o.server : "", server, "%s", o.server);
	cr_assert(!o.key_file && !o.trust_dir);
}

Test(flag, a_flag_beats_its_variable_and_a_leader_by_flag_the_server_by_variable)
{
	unsetenv("KUDOS_LEADER");
	unsetenv("KUDOS_TRUST");
	setenv("KUDOS_KEY", "", 1);
	setenv("KUDOS_SERVER", "s", 1);
	expect_cluster("", "", "s");
	expect_cluster("S", "", "S");
	expect_cluster("l", "L", "");
	expect_cluster("lS", "L", "S");
	expect_cluster("Sl", "L", "S");
	setenv("KUDOS_LEADER", "l", 1);
	setenv("KUDOS_SERVER", "", 1);
	expect_cluster("", "l", "");
	expect_cluster("l", "L", "");
	cr_assert(!flag_cluster(&(struct kudos_options){0}, FLAG_OWN, "x"));
}
