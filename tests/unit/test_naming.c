/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "core/naming.h"
#include "kudos.h"

static struct member rows[] = {
    {.node = {1}, .name = "a"},
    {.node = {2}, .name = "b"},
    {.node = {3}, .name = "b"},
    {.node = {4}, .name = "b"},
    {.node = {0xab}, .name = "a", .forgotten = true},
    {.node = {0xff}, .name = "b"}, /* stands behind the last one, and is none */
};
static const struct members members = {rows, sizeof rows / sizeof *rows - 1, 0};
static uint64_t down_nodes; /* a bit each */

static bool down(const void *arg, const struct member *m)
{
	cr_assert(arg == &down_nodes);
	return m->node.id < 8 && (down_nodes >> m->node.id & 1);
}

/* The node that is found; 0: none, and text says why. */
static uint64_t find(const char *target, bool to_forget, char text[LIMIT_TEXT])
{
	const struct naming n = {&members, down, &down_nodes, to_forget};
	const struct member *found = NULL;
	int e = naming_find(&n, target, strlen(target), &found, text, LIMIT_TEXT);
	cr_assert(e == (found ? 0 : KUDOS_UNKNOWN_NODE));
	return found ? found->node.id : 0;
}

Test(naming, by_name_or_node_id)
{
	char text[LIMIT_TEXT];
	cr_assert(find("a", true, text) == 1 && find("a", false, text) == 1);
	cr_assert(find("0000000000000003", true, text) == 3 && find("0000000000000003", false, text) == 3);
	cr_assert(find("00000000000000AB", true, text) == 0xab, "done already is done");
	cr_assert(find("00000000000000ab", false, text) == 0, "who is forgotten runs nowhere");
	cr_assert(find("c\n", true, text) == 0 && strstr(text, "\"c?\""));
	cr_assert(strstr(text, "no member has the name"));
	cr_assert(find(" !}~\x7f\x80", true, text) == 0 && strstr(text, "\"?!}~??\""));
	cr_assert(naming_means(&rows[1], "b", 1) && naming_means(&rows[1], "0000000000000002", 16));
	cr_assert(!naming_means(&rows[1], "bb", 2) && !naming_means(&rows[1], "0000000000000003", 16));
}

Test(naming, of_several_the_one_that_fits)
{
	char text[LIMIT_TEXT];
	cr_assert(find("b", true, text) == 0 && strstr(text, "3 members are named \"b\", 0 of them down"));
	down_nodes = 1 << 3;
	cr_assert(find("b", true, text) == 3 && find("b", false, text) == 0 && strstr(text, "to drain"));
	down_nodes = 1 << 3 | 1 << 2;
	cr_assert(find("b", true, text) == 0 && strstr(text, "to forget") && find("b", false, text) == 4);
	down_nodes = 0;
	rows[3].forgotten = true;
	cr_assert(find("b", true, text) == 0 && strstr(text, "2 members are named \"b\""));
	rows[2].forgotten = true;
	cr_assert(find("b", true, text) == 2, "the last");
	rows[1].forgotten = true;
	cr_assert(find("b", true, text) == 0 && strstr(text, "no member has the name"));
}
