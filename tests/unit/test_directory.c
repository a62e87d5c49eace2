/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/directory.h"
#include "core/proof.h"
#include "kudos.h"

static const struct load serving = {.serving = true};

static struct member member(uint64_t node, uint64_t origin, int64_t since, const char *name)
{
	struct member m = {.node = {node}, .origin = {origin}, .since = since, .secret = {{(uint8_t)node}}};
	snprintf(m.name, sizeof m.name, "%s", name);
	snprintf(m.client_endpoint, sizeof m.client_endpoint, "tcp://127.0.0.1:%d", 5100 + (int)node);
	return m;
}

static int register_one(struct directory *d, int64_t now, uint64_t node, const char *name)
{
	struct member row = member(node, node * 100, 1, name);
	return directory_register(d, now, row.node, &row, 1);
}

static int beat(struct directory *d, int64_t now, uint64_t node, uint64_t clients)
{
	struct load load = {.serving = true, .clients = clients};
	return directory_heartbeat(d, now, (struct node){node}, (struct origin){node * 100}, &load);
}

/* Servers s1, s2, … of nodes 1, 2, … that are up and have no clients. */
static void start(struct directory *d, uint64_t count)
{
	directory_init(d, 0xfeed);
	for (uint64_t i = 1; i <= count; i++) {
		char name[16];
		snprintf(name, sizeof name, "s%u", (unsigned)i);
		cr_assert(register_one(d, 0, i, name) == 0);
		cr_assert(beat(d, 0, i, 0) == 0);
	}
	d->changed = false;
}

/* The nodes a client is sent to, best first, as digits: "213". "" when none is up. */
static const char *assign(struct directory *d, int64_t now, uint64_t lost, char text[16])
{
	const struct member *order[LIMIT_MEMBERS];
	struct session session;
	struct proof proof;
	size_t count = 0;
	int r = directory_assign(d, now, &(struct wish){.lost = {lost}}, &session, &proof, order, &count);
	cr_assert(r == (count ? 0 : KUDOS_NO_SERVER));
	for (size_t i = 0; i < count; i++)
		text[i] = (char)('0' + order[i]->node.id);
	text[count] = '\0';
	return text;
}

Test(directory, assigns_to_least_clients_those_just_sent_counted)
{
	struct directory d;
	char text[16];
	start(&d, 3);
	beat(&d, 0, 1, 2);
	beat(&d, 0, 2, 0);
	beat(&d, 0, 3, 1);
	cr_assert_str_eq(assign(&d, 0, 0, text), "231");
	cr_assert_str_eq(assign(&d, 0, 0, text), "321", "one each: 3 has waited longer");
	cr_assert_str_eq(assign(&d, 0, 0, text), "213");
	cr_assert_str_eq(assign(&d, 0, 0, text), "132");
	beat(&d, 0, 1, 9);
	cr_assert_str_eq(assign(&d, 0, 0, text), "321", "a heartbeat replaces what was counted");
	directory_deinit(&d);
}

Test(directory, ties_rotate)
{
	struct directory d;
	char text[16];
	start(&d, 3);
	/* Heartbeats that have not yet seen the new clients must not send all of them to one server. */
	for (int round = 0; round < 3; round++) {
		static const char *const expected[] = {"123", "231", "312"};
		cr_assert_str_eq(assign(&d, 0, 0, text), expected[round]);
		for (uint64_t i = 1; i <= 3; i++)
			beat(&d, 0, i, 0);
	}
	directory_deinit(&d);
}

Test(directory, the_lost_server_goes_last)
{
	struct directory d;
	char text[16];
	start(&d, 3);
	cr_assert_str_eq(assign(&d, 0, 1, text), "231");
	beat(&d, 0, 2, 50);
	beat(&d, 0, 3, 50);
	cr_assert_str_eq(assign(&d, 0, 1, text), "321", "even with the least clients");
	directory_deinit(&d);

	start(&d, 1);
	cr_assert_str_eq(assign(&d, 0, 1, text), "1", "but better than none");
	directory_deinit(&d);
}

Test(directory, sessions_count_up_and_are_only_made_when_wanted)
{
	struct directory d;
	const struct member *order[LIMIT_MEMBERS];
	struct session s = {7, 7};
	struct proof proof;
	size_t count = 77;
	directory_init(&d, 0xfeed);
	cr_assert(directory_assign(&d, 0, &(struct wish){.session = true}, &s, &proof, order, &count) ==
		  KUDOS_NO_SERVER);
	cr_assert(s.issuer == 7 && count == 77, "outputs are untouched on failure");
	directory_deinit(&d);
	start(&d, 1);
	for (uint64_t i = 1; i < 4; i++) {
		cr_assert(
		    directory_assign(&d, 0, &(struct wish){.session = true}, &s, &proof, order, &count) == 0);
		cr_assert(s.issuer == 0xfeed && s.number == i);
		cr_assert(node_equal(proof.signer, order[0]->node) && proof_check(&d.members, s, proof) == 0);
		cr_assert(directory_assign(&d, 0, &(struct wish){0}, &s, &proof, order, &count) == 0);
		cr_assert(s.issuer == 0 && s.number == 0 && proof.signer.id == 0 && proof.code == 0);
	}
	directory_deinit(&d);
}

Test(directory, down_after_three_missed_heartbeats_and_back_on_return)
{
	struct directory d;
	char text[16];
	enum server_state state;
	start(&d, 2);
	while (directory_next_change(&d, 0, &state))
		cr_assert(state == SERVER_UP);
	beat(&d, 1000 * MS, 2, 0);
	cr_assert(directory_deadline(&d) == 1500 * MS + 1);
	cr_assert_str_eq(assign(&d, 1500 * MS, 0, text), "12");
	cr_assert_null(directory_next_change(&d, 1500 * MS, &state));
	cr_assert_str_eq(assign(&d, 1500 * MS + 1, 0, text), "2");
	cr_assert(directory_state(&d, 1500 * MS + 1, (struct node){1}, NULL) == SERVER_DOWN);
	cr_assert(members_alive(&d.members) == 2, "it stays a member");

	cr_assert_str_eq(directory_next_change(&d, 1500 * MS + 1, &state)->name, "s1");
	cr_assert(state == SERVER_DOWN);
	cr_assert_null(directory_next_change(&d, 1500 * MS + 1, &state));
	cr_assert(directory_deadline(&d) == 2500 * MS + 1);

	cr_assert(beat(&d, 1600 * MS, 1, 0) == 0, "it need not register again");
	cr_assert(directory_next_change(&d, 1600 * MS, &state) && state == SERVER_UP);
	cr_assert(strlen(assign(&d, 1600 * MS, 0, text)) == 2);
	directory_deinit(&d);
}

Test(directory, no_clients_while_catching_up)
{
	struct directory d;
	char text[16];
	directory_init(&d, 1);
	register_one(&d, 0, 1, "s1");
	cr_assert(directory_state(&d, 0, (struct node){1}, NULL) == SERVER_CATCHING_UP, "no heartbeat yet");
	cr_assert_str_eq(assign(&d, 0, 0, text), "");
	beat(&d, 0, 1, 3);
	cr_assert_str_eq(assign(&d, 0, 0, text), "1");
	struct load load = serving;
	load.serving = false;
	directory_heartbeat(&d, 0, (struct node){1}, (struct origin){100}, &load);
	cr_assert_str_eq(assign(&d, 0, 0, text), "");

	beat(&d, 0, 1, 3);
	register_one(&d, 0, 1, "s1");
	cr_assert_str_eq(assign(&d, 0, 0, text), "1", "registering again is not a new run");
	struct member restarted = member(1, 101, 2, "s1");
	cr_assert(directory_register(&d, 0, restarted.node, &restarted, 1) == 0);
	cr_assert_str_eq(assign(&d, 0, 0, text), "", "a new run is");
	directory_deinit(&d);
}

Test(directory, heartbeats_count_only_from_the_registered_run)
{
	struct directory d;
	start(&d, 1);
	cr_assert(beat(&d, 0, 2, 0) == KUDOS_UNKNOWN_NODE);
	cr_assert(directory_heartbeat(&d, 0, (struct node){1}, (struct origin){5}, &serving) ==
		  KUDOS_UNKNOWN_NODE);
	directory_deinit(&d);
}

Test(directory, a_restarted_leader_learns_all_members_from_one_server)
{
	struct directory d;
	char text[16];
	struct member rows[] = {member(1, 100, 5, "s1"), member(2, 200, 5, "s2"), member(3, 300, 5, "s3")};
	rows[2].forgotten = true;
	directory_init(&d, 2);
	cr_assert(directory_register(&d, 0, (struct node){2}, rows, 3) == 0);
	cr_assert(d.changed);
	cr_assert(d.members.count == 3 && members_alive(&d.members) == 2);
	cr_assert(directory_state(&d, 0, (struct node){1}, NULL) == SERVER_DOWN, "not heard itself");
	cr_assert(beat(&d, 0, 1, 0) == KUDOS_UNKNOWN_NODE);
	cr_assert(beat(&d, 0, 2, 0) == 0);
	cr_assert_str_eq(assign(&d, 0, 0, text), "2");

	d.changed = false;
	cr_assert(directory_register(&d, 0, (struct node){1}, rows, 3) == 0);
	cr_assert(!d.changed, "nothing new: no push");
	beat(&d, 0, 1, 0);
	cr_assert(strlen(assign(&d, 0, 0, text)) == 2);
	cr_assert(directory_register(&d, 0, (struct node){3}, rows, 3) == KUDOS_FORGOTTEN);
	directory_deinit(&d);
}

Test(directory, a_registration_must_hold_its_own_row)
{
	struct directory d;
	struct member rows[] = {member(1, 100, 1, "s1"), member(0, 1, 1, "none")};
	directory_init(&d, 1);
	cr_assert(directory_register(&d, 0, (struct node){2}, rows, 1) == KUDOS_PROTOCOL);
	cr_assert(directory_register(&d, 0, (struct node){1}, rows, 2) == KUDOS_PROTOCOL);
	cr_assert(directory_register(&d, 0, (struct node){1}, NULL, 0) == KUDOS_PROTOCOL);
	cr_assert(d.members.count == 0 && !d.changed);
	directory_deinit(&d);
}

Test(directory, what_a_server_says_of_itself_wins_though_its_clock_went_back)
{
	struct directory d;
	struct member old = member(1, 100, 1000, "s1"), restarted = member(1, 101, 10, "s1");
	directory_init(&d, 1);
	directory_register(&d, 0, old.node, &old, 1);
	d.changed = false;
	cr_assert(directory_register(&d, 0, old.node, &restarted, 1) == 0);
	cr_assert(d.members.list[0].origin.id == 101);
	cr_assert(d.members.list[0].since == 1001, "so that it wins elsewhere too");
	cr_assert(d.changed);
	d.changed = false;
	cr_assert(directory_register(&d, 0, old.node, &restarted, 1) == 0);
	cr_assert(!d.changed && d.members.list[0].since == 1001, "and settles");

	struct member rumour[] = {member(2, 200, 1, "s2"), old};
	cr_assert(directory_register(&d, 0, (struct node){2}, rumour, 2) == 0);
	cr_assert(d.members.list[0].origin.id == 101, "others' word does not bring the old run back");
	directory_deinit(&d);
}

Test(directory, refuses_members_over_the_limit)
{
	struct directory d;
	directory_init(&d, 1);
	for (uint64_t i = 1; i <= LIMIT_MEMBERS; i++)
		cr_assert(register_one(&d, 0, i, "s") == 0);
	cr_assert(register_one(&d, 0, LIMIT_MEMBERS + 1, "s") == KUDOS_LIMIT);
	directory_deinit(&d);
}

static int forget(struct directory *d, int64_t now, const char *target, char text[LIMIT_TEXT])
{
	text[0] = '\0';
	return directory_forget(d, now, target, strlen(target), text, LIMIT_TEXT);
}

Test(directory, forgets_by_name_or_node_id)
{
	struct directory d;
	char text[LIMIT_TEXT], order[16];
	start(&d, 3);
	cr_assert(forget(&d, 0, "s2", text) == 0);
	cr_assert(d.changed);
	cr_assert_str_eq(assign(&d, 0, 0, order), "13", "no clients are sent there any more");
	cr_assert(beat(&d, 0, 2, 0) == KUDOS_FORGOTTEN);
	cr_assert(register_one(&d, 0, 2, "s2") == KUDOS_FORGOTTEN);
	cr_assert(forget(&d, 0, "0000000000000003", text) == 0);
	cr_assert(forget(&d, 0, "0000000000000003", text) == 0 && d.changed, "nobody was told yet");
	d.changed = false;
	cr_assert(forget(&d, 0, "0000000000000003", text) == 0, "done already is done");
	cr_assert(!d.changed);

	cr_assert(forget(&d, 0, "s2", text) == KUDOS_UNKNOWN_NODE, "the name is free again");
	cr_assert_not_null(strstr(text, "\"s2\""));
	cr_assert(forget(&d, 0, "bad \x01\xff", text) == KUDOS_UNKNOWN_NODE);
	cr_assert_not_null(strstr(text, "\"bad???\""));
	cr_assert(forget(&d, 0, "", text) == KUDOS_UNKNOWN_NODE);
	cr_assert(forget(&d, 0, "0000000000000000", text) == KUDOS_UNKNOWN_NODE);
	directory_deinit(&d);
}

Test(directory, forgets_the_one_that_is_down_of_two_with_a_name)
{
	struct directory d;
	char text[LIMIT_TEXT];
	directory_init(&d, 1);
	register_one(&d, 0, 1, "s1"); /* its folder was wiped, so it came back as node 2 */
	register_one(&d, 2000 * MS, 2, "s1");
	cr_assert(forget(&d, 1000 * MS, "s1", text) == KUDOS_UNKNOWN_NODE, "both up");
	cr_assert_not_null(strstr(text, "2 members"));
	cr_assert(forget(&d, 2000 * MS, "s1", text) == 0);
	cr_assert(members_find(&d.members, (struct node){1})->forgotten);
	cr_assert(!members_find(&d.members, (struct node){2})->forgotten);
	register_one(&d, 2000 * MS, 3, "s1");
	cr_assert(forget(&d, 9000 * MS, "s1", text) == KUDOS_UNKNOWN_NODE, "both down");
	directory_deinit(&d);
}

/* The node that a drain is for; 0: none, and text says why. */
static uint64_t to_drain(struct directory *d, int64_t now, const char *target, char text[LIMIT_TEXT])
{
	const struct member *found = NULL;
	text[0] = '\0';
	int r = directory_find_running(d, now, target, strlen(target), &found, text, LIMIT_TEXT);
	cr_assert((r == 0) == (found != NULL));
	return found ? found->node.id : 0;
}

Test(directory, drains_the_one_that_runs_of_two_with_a_name)
{
	struct directory d;
	char text[LIMIT_TEXT];
	directory_init(&d, 1);
	register_one(&d, 0, 1, "s1");
	cr_assert(to_drain(&d, 1000 * MS, "s1", text) == 1 && to_drain(&d, 0, "0000000000000001", text) == 1);
	cr_assert(to_drain(&d, 9000 * MS, "s1", text) == 0 && strstr(text, "is down"));
	cr_assert(to_drain(&d, 0, "s2", text) == 0 && strstr(text, "no member has"));
	cr_assert(to_drain(&d, 0, "", text) == 0 && strstr(text, "no member has"));
	cr_assert(to_drain(&d, 0, "a~ \x7f", text) == 0 && strstr(text, "\"a~??\""));
	register_one(&d, 2000 * MS, 2, "s1");
	cr_assert(to_drain(&d, 2000 * MS, "s1", text) == 2, "the other is down");
	register_one(&d, 2000 * MS, 3, "s1");
	cr_assert(to_drain(&d, 2000 * MS, "s1", text) == 0 && strstr(text, "3 members are named"));
	cr_assert(to_drain(&d, 2000 * MS, "0000000000000003", text) == 3);
	members_find(&d.members, (struct node){3})->forgotten = true;
	cr_assert(to_drain(&d, 2000 * MS, "0000000000000003", text) == 0, "who is forgotten runs nowhere");
	cr_assert(to_drain(&d, 2000 * MS, "s1", text) == 2);
	char long_name[2 * LIMIT_NAME];
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	cr_assert(to_drain(&d, 0, long_name, text) == 0);
	long_name[LIMIT_NAME] = '"';
	long_name[LIMIT_NAME + 1] = '\0';
	cr_assert(strstr(text, long_name), "no more is shown than a name has: %s", text);
	directory_deinit(&d);
}

Test(directory, tells_when_the_next_goes_down)
{
	struct directory d;
	enum server_state state;
	start(&d, 2);
	cr_assert(beat(&d, 500 * MS, 2, 0) == 0);
	while (directory_next_change(&d, 500 * MS, &state))
		;
	int64_t first = directory_deadline(&d);
	cr_assert(first == DIRECTORY_DOWN_AFTER + 1 && !directory_next_change(&d, first - 1, &state));
	cr_assert(directory_next_change(&d, first, &state)->node.id == 1 && state == SERVER_DOWN);
	cr_assert(directory_deadline(&d) == 500 * MS + DIRECTORY_DOWN_AFTER + 1);
	directory_deinit(&d);
}

Test(directory, lists_members_by_name)
{
	struct directory d;
	const struct member *rows[LIMIT_MEMBERS];
	char text[LIMIT_TEXT];
	directory_init(&d, 1);
	register_one(&d, 0, 1, "s3");
	register_one(&d, 0, 2, "s1");
	register_one(&d, 0, 3, "s2");
	register_one(&d, 0, 4, "s1");
	forget(&d, 0, "s2", text);
	cr_assert(directory_list(&d, rows) == 3);
	cr_assert(rows[0]->node.id == 2 && rows[1]->node.id == 4 && rows[2]->node.id == 1);
	struct load load;
	beat(&d, 0, 4, 12);
	cr_assert(directory_state(&d, 0, (struct node){4}, &load) == SERVER_UP && load.clients == 12);
	cr_assert(directory_state(&d, 0, (struct node){99}, &load) == SERVER_DOWN && load.clients == 0);
	directory_deinit(&d);
}

/* Whatever it says anew, be it one thing alone, and at the same time as before. */
Test(directory, each_attribute_is_taken_over)
{
	for (int i = 0; i < 5; i++) {
		struct directory d;
		struct member row = member(1, 100, 5, "s1");
		start(&d, 0);
		cr_assert(directory_register(&d, 0, row.node, &row, 1) == 0);
		row.ephemeral = i == 0;
		row.name[1] = i == 1 ? 'x' : row.name[1];
		row.client_endpoint[0] = i == 2 ? 'x' : row.client_endpoint[0];
		row.notify_endpoint[0] = i == 3 ? 'x' : row.notify_endpoint[0];
		row.origin.id += i == 4;
		cr_assert(directory_register(&d, 0, row.node, &row, 1) == 0);
		const struct member *held = members_find(&d.members, row.node);
		cr_assert(held->since == 6 && held->ephemeral == row.ephemeral &&
			  strcmp(held->name, row.name) == 0 && origin_equal(held->origin, row.origin) &&
			  strcmp(held->client_endpoint, row.client_endpoint) == 0 &&
			  strcmp(held->notify_endpoint, row.notify_endpoint) == 0);
		cr_assert(directory_register(&d, 0, row.node, &row, 1) == 0 && held->since == 6);
		members_find(&d.members, row.node)->since = row.since = INT64_MAX;
		row.origin.id++;
		cr_assert(directory_register(&d, 0, row.node, &row, 1) == 0 && held->since == INT64_MAX);
		cr_assert(origin_equal(held->origin, row.origin));
		directory_deinit(&d);
	}
}

Test(directory, refuses_who_says_that_it_is_forgotten)
{
	struct directory d;
	struct member rows[3];
	start(&d, 0);
	rows[0] = member(1, 100, 5, "s1");
	rows[0].forgotten = true;
	cr_assert(directory_register(&d, 0, rows[0].node, rows, 1) == KUDOS_FORGOTTEN);
	rows[0].forgotten = false;
	for (uint64_t i = 1; i <= LIMIT_MEMBERS; i++) {
		struct member row = member(i, i, 5, "s");
		cr_assert(directory_register(&d, 0, row.node, &row, 1) == 0);
	}
	rows[1] = member(LIMIT_MEMBERS + 1, 1, 1, "one too many");
	rows[2] = member(2, 2, 5, "s");
	cr_assert(directory_register(&d, 0, rows[0].node, rows, 3) == KUDOS_LIMIT,
		  "though what comes after is known");
	directory_deinit(&d);
}

Test(directory, names_order_and_forgotten_nodes_have_none)
{
	struct directory d;
	const struct member *rows[LIMIT_MEMBERS], *found;
	char text[256];
	start(&d, 0);
	cr_assert(register_one(&d, 0, 1, "b") == 0 && register_one(&d, 0, 2, "a") == 0 &&
		  register_one(&d, 0, 3, "a") == 0);
	cr_assert(directory_list(&d, rows) == 3 && rows[0]->node.id == 2 && rows[1]->node.id == 3 &&
		  rows[2]->node.id == 1);
	cr_assert(directory_forget(&d, 0, "0000000000000001", 16, text, sizeof text) == 0);
	cr_assert(directory_find_running(&d, 0, "0000000000000001", 16, &found, text, sizeof text) ==
		  KUDOS_UNKNOWN_NODE);
	directory_deinit(&d);
}
