/* SPDX-License-Identifier: MIT */
#include "core/naming.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kudos.h"

/* The node id that target spells in 16 hex digits, or 0. */
static struct node parse_node(const char *target, size_t size)
{
	char digits[17] = "";
	if (size != 16)
		return (struct node){0};
	memcpy(digits, target, size);
	if (strspn(digits, "0123456789abcdefABCDEF") != size)
		return (struct node){0};
	return (struct node){strtoull(digits, NULL, 16)};
}

static bool has_name(const struct member *m, const char *name, size_t size)
{
	return strlen(m->name) == size && memcmp(m->name, name, size) == 0;
}

bool naming_means(const struct member *m, const char *target, size_t size)
{
	return has_name(m, target, size) || node_equal(m->node, parse_node(target, size));
}

/* What the user typed, fit to be shown: as long as a name, any byte that is not printable ASCII as '?'. */
static void show(const char *target, size_t size, char shown[LIMIT_NAME + 1])
{
	size_t length = size < LIMIT_NAME ? size : LIMIT_NAME;
	for (size_t i = 0; i < length; i++)
		shown[i] = (char)(target[i] > ' ' && target[i] <= '~' ? target[i] : '?');
	shown[length] = '\0';
}

int naming_find(const struct naming *n, const char *target, size_t size, const struct member **found,
		char *text, size_t text_size)
{
	char shown[LIMIT_NAME + 1];
	const struct member *last = NULL, *fit = members_find(n->members, parse_node(target, size));
	if (fit && (n->to_forget || !fit->forgotten)) {
		*found = fit;
		return 0;
	}
	size_t count = 0, down = 0;
	for (size_t i = 0; i < n->members->count; i++) {
		const struct member *m = &n->members->list[i];
		if (m->forgotten || !has_name(m, target, size))
			continue;
		bool is_down = n->down(n->arg, m);
		count++;
		down += is_down;
		last = m;
		fit = is_down == n->to_forget ? m : fit;
	}
	if (count == 1 || (n->to_forget ? down : count - down) == 1) {
		*found = count == 1 ? last : fit;
		return 0;
	}
	show(target, size, shown);
	if (count > 1)
		snprintf(text, text_size,
			 "%zu members are named \"%s\", %zu of them down: give the node id that status shows "
			 "for the one to %s",
			 count, shown, down, n->to_forget ? "forget" : "drain");
	else
		snprintf(text, text_size, "no member has the name or node id \"%s\": status lists them",
			 shown);
	return KUDOS_UNKNOWN_NODE;
}
