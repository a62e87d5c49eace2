/* SPDX-License-Identifier: MIT */
/* status: the servers as a table, or as one JSON object whose shape scripts rely on. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum { COLUMNS = 9, CELL = 136 };

static const struct {
	const char *title;
	bool number;
} columns[COLUMNS] = {
    {"NAME", false}, {"STATE", false},	{"CLIENTS", true},
    {"KEYS", true},  {"LIKES", true},	{"EVENTS/S", true},
    {"LAG", true},   {"JOURNAL", true}, {"CLIENT ENDPOINT", false},
};

static void print_bytes(char *cell, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;
	for (; value >= 1024 && unit < 4; unit++)
		value /= 1024;
	snprintf(cell, CELL, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void fill_row(const struct kudos_server_status *server, char row[COLUMNS][CELL])
{
	snprintf(row[0], CELL, "%s", printable(server->name).text);
	snprintf(row[1], CELL, "%s", printable(server->state).text);
	snprintf(row[2], CELL, "%" PRIu64, server->clients);
	snprintf(row[3], CELL, "%" PRIu64, server->keys);
	snprintf(row[4], CELL, "%" PRId64, server->likes_total);
	snprintf(row[5], CELL, "%" PRIu64, server->events_per_s);
	snprintf(row[6], CELL, "%" PRIu64, server->lag_records);
	print_bytes(row[7], server->journal_bytes);
	snprintf(row[8], CELL, "%s", printable(server->client_endpoint).text);
}

static const char *colour_of(const struct output *out, const char *state)
{
	if (strcmp(state, "up") == 0)
		return output_colour(out, COLOUR_GREEN);
	return output_colour(out, strcmp(state, "down") == 0 ? COLOUR_RED : COLOUR_YELLOW);
}

static void print_cell(size_t column, int width, const char *text)
{
	bool last = column == COLUMNS - 1;
	if (columns[column].number)
		printf("%*s", width, text);
	else
		printf("%-*s", last ? 0 : width, text);
}

static void print_table(const struct output *out, const struct kudos_status *status)
{
	char row[COLUMNS][CELL];
	int width[COLUMNS];
	for (size_t c = 0; c < COLUMNS; c++)
		width[c] = (int)strlen(columns[c].title);
	for (size_t i = 0; i < status->server_count; i++) {
		fill_row(&status->servers[i], row);
		for (size_t c = 0; c < COLUMNS; c++)
			if ((int)strlen(row[c]) > width[c])
				width[c] = (int)strlen(row[c]);
	}

	fputs(output_colour(out, COLOUR_BOLD), stdout);
	for (size_t c = 0; c < COLUMNS; c++) {
		print_cell(c, width[c], columns[c].title);
		fputs(c + 1 < COLUMNS ? "  " : output_plain(out), stdout);
	}
	putchar('\n');
	for (size_t i = 0; i < status->server_count; i++) {
		fill_row(&status->servers[i], row);
		for (size_t c = 0; c < COLUMNS; c++) {
			const char *colour = c == 1 ? colour_of(out, row[c]) : "";
			fputs(colour, stdout);
			print_cell(c, width[c], row[c]);
			if (*colour)
				fputs(output_plain(out), stdout);
			fputs(c + 1 < COLUMNS ? "  " : "\n", stdout);
		}
	}
}

static void print_people(const struct output *out, const struct kudos_status *status)
{
	if (*status->leader_endpoint)
		printf("leader %s, incarnation %s, %" PRIu64 " members\n",
		       printable(status->leader_endpoint).text, printable(status->leader_incarnation).text,
		       status->members);
	else
		printf("no leader asked; %" PRIu64 " members\n", status->members);
	if (status->server_count > 0)
		print_table(out, status);
	else
		puts("no servers");
}

static void set_text(json_t **object, const char *name, const char *text)
{
	output_set(object, name, output_json_text(text));
}

static void set_number(json_t **object, const char *name, uint64_t number)
{
	output_set(object, name, json_integer((json_int_t)number));
}

static json_t *server_json(const struct kudos_server_status *server)
{
	json_t *object = json_object();
	set_text(&object, "name", server->name);
	set_text(&object, "node", server->node);
	set_text(&object, "state", server->state);
	set_text(&object, "client_endpoint", server->client_endpoint);
	set_text(&object, "notify_endpoint", server->notify_endpoint);
	set_number(&object, "clients", server->clients);
	set_number(&object, "keys", server->keys);
	output_set(&object, "likes_total", json_integer(server->likes_total));
	set_number(&object, "events_per_s", server->events_per_s);
	set_number(&object, "lag_records", server->lag_records);
	set_number(&object, "journal_bytes", server->journal_bytes);
	set_number(&object, "malformed", server->malformed);
	return object;
}

static json_t *status_json(const struct kudos_status *status)
{
	json_t *leader = json_object(), *servers = json_array(), *object = json_object();
	set_text(&leader, "endpoint", status->leader_endpoint);
	set_text(&leader, "incarnation", status->leader_incarnation);
	set_number(&leader, "members", status->members);
	for (size_t i = 0; i < status->server_count; i++)
		if (json_array_append_new(servers, server_json(&status->servers[i])) != 0)
			goto no_memory;
	output_set(&object, "leader", leader);
	output_set(&object, "servers", servers);
	return object;
no_memory:
	json_decref(leader);
	json_decref(servers);
	json_decref(object);
	return NULL;
}

enum outcome command_status(struct session *session, const struct arguments *arguments)
{
	(void)arguments;
	enum outcome outcome;
	kudos *handle = session_handle(session, &outcome);
	if (!handle)
		return outcome;
	struct kudos_status *status;
	int error = kudos_status(handle, &status);
	if (error)
		return session_failed(session, handle, error, "");
	for (size_t i = 0; i < status->server_count; i++)
		word_set_add(&session->nodes, status->servers[i].name);
	outcome = DONE;
	if (!session->out.json)
		print_people(&session->out, status);
	else if (!output_json(&session->out, status_json(status)))
		outcome = FAILED;
	free(status);
	return outcome;
}
