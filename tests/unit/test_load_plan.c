/* SPDX-License-Identifier: MIT */
/* tools/kudos-load/plan.h: the scripts. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plan.h"

/* Reads text as a script; the fault ends up in error without the file's name before it. */
static bool read_text(struct plan *plan, const char *text, char *error)
{
	char path[] = "/tmp/test_load_plan.XXXXXX", fault[PLAN_ERROR] = "";
	const int fd = mkstemp(path);
	cr_assert(fd >= 0);
	cr_assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	plan_init(plan);
	const bool good = plan_read(plan, path, fault);
	unlink(path);
	const size_t skip = strncmp(fault, path, strlen(path)) == 0 ? strlen(path) + 1 : 0;
	strcpy(error, fault + skip);
	return good;
}

Test(load_plan, times)
{
	int64_t t = 7;
	cr_assert(plan_time("10s", &t) && t == INT64_C(10000000000));
	cr_assert(plan_time("1.5", &t) && t == INT64_C(1500000000));
	cr_assert(plan_time("500ms", &t) && t == INT64_C(500000000));
	cr_assert(plan_time("2m", &t) && t == INT64_C(120000000000));
	static const char *const bad[] = {"",	 "s",	 "-1s", "0",	     "1h", "inf",
					  "nan", "1..2", "1e3", "99999999m", "1 s"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		t = 7;
		cr_assert(!plan_time(bad[i], &t), "'%s' was taken", bad[i]);
		cr_assert(t == 7);
	}
}

Test(load_plan, a_whole_script)
{
	struct plan plan;
	char error[PLAN_ERROR];
	const bool good = read_text(&plan,
				    "# a comment\n\n"
				    "clients 20\nkeys 50 # and another\ndistribution zipf 1.1\nprefix x:\n"
				    "phase one rate 5000 for 10s\n"
				    "\tafter 0 add\n\tafter 2s kill s2\n\tafter 4s restart leader\n"
				    "phase two count 100000 rate max\nphase three max for 500ms count 3",
				    error);
	cr_assert(good, "%s", error);
	cr_assert(plan.clients == 20 && plan.keys == 50);
	cr_assert(plan.zipf > 1.09 && plan.zipf < 1.11);
	cr_assert_str_eq(plan.prefix, "x:");
	cr_assert(plan.phase_count == 3 && plan.step_count == 3);
	cr_assert(plan.phases[0].rate > 4999 && plan.phases[0].duration == INT64_C(10000000000));
	cr_assert(plan.phases[1].rate < 1 && plan.phases[1].count == 100000 && plan.phases[1].duration == 0);
	cr_assert(plan.phases[2].count == 3 && plan.phases[2].duration == INT64_C(500000000));
	cr_assert_str_eq(plan.steps[0].verb, "add");
	cr_assert_str_eq(plan.steps[1].name, "s2");
	cr_assert(plan.steps[1].phase == 0 && plan.steps[1].after == INT64_C(2000000000));
	cr_assert_str_eq(plan.steps[2].name, "leader");
}

Test(load_plan, faults_name_the_line)
{
	static const struct {
		const char *text, *line, *word;
	} faults[] = {
	    {"clients 0", "1:", "'0'"},
	    {"\n\nclients -1", "3:", "'-1'"},
	    {"keys", "1:", "keys"},
	    {"keys 1 2", "1:", "'2'"},
	    {"bogus 1", "1:", "'bogus'"},
	    {"distribution normal", "1:", "'normal'"},
	    {"distribution zipf x", "1:", "'x'"},
	    {"prefix a\x01", "1:", "prefix"},
	    {"phase", "1:", "phase NAME"},
	    {"phase a", "1:", "end"},
	    {"phase a/b for 1s", "1:", "'a/b'"},
	    {"phase a rate fast for 1s", "1:", "'fast'"},
	    {"phase a for", "1:", "time"},
	    {"after 1s kill s1", "1:", "phase"},
	    {"phase a for 1s\nafter 2s kill s1", "2:", "'2s'"},
	    {"phase a for 9s\nafter 2s kill s1\nafter 1s kill s1", "3:", "'1s'"},
	    {"phase a for 9s\nafter 2s kill", "2:", "kill NAME"},
	    {"phase a for 9s\nafter 2s run reboot", "2:", "'run'"},
	    {"phase a for 9s\nafter 2s kill $(reboot)", "2:", "name"},
	    {"# nothing", "", "no phase"},
	};
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct plan plan;
		char error[PLAN_ERROR] = "";
		cr_assert(!read_text(&plan, faults[i].text, error), "taken: %s", faults[i].text);
		cr_assert(strncmp(error, faults[i].line, strlen(faults[i].line)) == 0, "'%s' for: %s", error,
			  faults[i].text);
		cr_assert(strstr(error, faults[i].word) != NULL, "'%s' for: %s", error, faults[i].text);
	}
}

Test(load_plan, a_missing_file_is_named)
{
	struct plan plan;
	char error[PLAN_ERROR];
	plan_init(&plan);
	cr_assert(!plan_read(&plan, "/nonexistent/x.load", error));
	cr_assert(strstr(error, "/nonexistent/x.load") != NULL);
}

Test(load_plan, prefixes_differ_from_run_to_run_and_keys_fit)
{
	struct plan one, two;
	char error[PLAN_ERROR], prefix[91];
	plan_init(&one);
	plan_init(&two);
	cr_assert(plan_finish(&one, error) && plan_finish(&two, error));
	cr_assert(strcmp(one.prefix, two.prefix) != 0);
	memset(prefix, 'p', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = '\0';
	cr_assert(plan_set(&one, "prefix", prefix, error) && plan_finish(&one, error));
	cr_assert(plan_key_bytes(&one, one.keys - 1) <= 128);
}
