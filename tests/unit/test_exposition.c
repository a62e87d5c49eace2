/* SPDX-License-Identifier: MIT */
/* Families of metrics, gathered in any order and told one after the other. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "exposition.h"
#include "unit/leak.h"

static void expect(struct exposition *e, const char *text)
{
	char *written = NULL;
	size_t size;
	FILE *out = open_memstream(&written, &size);
	exposition_write(e, out);
	cr_assert(fclose(out) == 0);
	cr_assert_str_eq(written, text);
	free(written);
}

Test(exposition, what_belongs_together_is_told_together)
{
	struct exposition e;
	exposition_init(&e);
	expect(&e, "");
	for (int server = 1; server <= 2; server++) {
		fprintf(exposition_family(&e, "a", "gauge", "A."), "a{s=\"%d\"} 1\n", server);
		fprintf(exposition_family(&e, "b_total", "counter", "B."), "b_total{s=\"%d\"} 2\n", server);
	}
	fprintf(exposition_family(&e, "a", "counter", "of another version"), "a{s=\"3\"} 1\n");
	expect(&e, "# HELP a A.\n# TYPE a gauge\na{s=\"1\"} 1\na{s=\"2\"} 1\na{s=\"3\"} 1\n"
		   "# HELP b_total B.\n# TYPE b_total counter\nb_total{s=\"1\"} 2\nb_total{s=\"2\"} 2\n");
	exposition_deinit(&e);
	expect(&e, "");
	assert_no_leak();
}

/* A server chooses its name, and what it says for help. */
Test(exposition, what_others_say_stays_where_it_belongs)
{
	struct exposition e;
	exposition_init(&e);
	FILE *out = exposition_family(&e, "a", "gauge", "one\ntwo \\ \"three\"");
	fprintf(out, "a{");
	exposition_label(out, true, "server", "s\"1\\\n");
	exposition_label(out, false, "node", "01");
	fprintf(out, "} 1\n");
	expect(
	    &e,
	    "# HELP a one\\ntwo \\\\ \"three\"\n# TYPE a gauge\na{server=\"s\\\"1\\\\\\n\",node=\"01\"} 1\n");
	exposition_deinit(&e);
	assert_no_leak();
}
