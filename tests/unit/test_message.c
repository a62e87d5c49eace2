/* SPDX-License-Identifier: MIT */
/* Messages from their fields to bytes and back. What the bytes say is read by msgpack-c, so that an encoder
 * and a decoder that err alike are found out. */
#include <criterion/criterion.h>
#include <stdarg.h>

#include "base/limits.h"
#include "unit/wire_help.h"

#define TEXT(literal) ((struct text){literal, sizeof(literal) - 1})
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Encoded it says `text`; decoded and encoded again it is the same. *decoded (may be NULL) then holds it, its
 * bytes in *bytes. */
static void check(const struct message *message, const char *text, struct message *decoded,
		  struct bytes *bytes)
{
	struct bytes out = {0}, again = {0};
	message_encode(message, &out);
	char *said = render(out.data, out.size);
	cr_assert(said && strcmp(said, text) == 0, "%s instead of %s", said ? said : "nothing", text);
	free(said);
	struct message back;
	int error = message_decode(out.data, out.size, &back);
	cr_assert(error == 0, "%s: %s", text, kudos_error_code(error));
	message_encode(&back, &again);
	cr_assert(out.size == again.size && memcmp(out.data, again.data, out.size) == 0, "%s", text);
	bytes_deinit(&again);
	if (decoded) {
		*decoded = back;
		*bytes = out;
		return;
	}
	message_deinit(&back);
	bytes_deinit(&out);
}

#define CHECK(text, ...) check(&(struct message){__VA_ARGS__}, text, NULL, NULL)

Test(message, of_conversation)
{
	CHECK("[\"hello\", 3, \"server\", true, 5]", .type = MESSAGE_HELLO,
	      .hello = {.version = 3, .is_server = true, .wants_session = true, .node = {5}});
	CHECK("[\"welcome\", 3, 2, 3, \"s1\", 4, 5, 6, 7, true]", .type = MESSAGE_WELCOME,
	      .welcome = {3, {2}, {3}, TEXT("s1"), {4, 5}, {{6}, 7}, true});
	CHECK("[\"error\", 7, \"busy\", \"why\"]", .type = MESSAGE_ERROR,
	      .error = {7, KUDOS_BUSY, TEXT("why")});
	CHECK("[\"ping\", 18446744073709551615]", .type = MESSAGE_PING, .ping = {UINT64_MAX});
	CHECK("[\"pong\", 0]", .type = MESSAGE_PONG, .pong = {0});
	CHECK("[\"status\", 9]", .type = MESSAGE_STATUS, .status = {9});
	CHECK("[\"forget\", 1, \"s3\"]", .type = MESSAGE_FORGET, .forget = {1, TEXT("s3")});
	CHECK("[\"drain\", 0, \"s3\"]", .type = MESSAGE_DRAIN, .drain = {0, TEXT("s3")});
	CHECK("[\"done\", 2]", .type = MESSAGE_DONE, .done = {2});
	CHECK("[\"assign\", true, 3, 86400]", .type = MESSAGE_ASSIGN, .assign = {true, {3}, 86400});
	struct server_row servers[] = {{{1}, TEXT("a"), TEXT("b")}, {{2}, TEXT(""), TEXT("e")}};
	CHECK("[\"assigned\", 1, 2, 3, 4, [[1, \"a\", \"b\"], [2, \"\", \"e\"]]]", .type = MESSAGE_ASSIGNED,
	      .assigned = {{1, 2}, {{3}, 4}, servers, 2});
	assert_no_leak();
}

Test(message, of_likes_and_counts)
{
	struct range ranges[] = {{1, 3}, {5, 5}};
	struct position at[] = {{{9}, 12}, {{8}, 0}};
	CHECK("[\"ack\", 1, 2, [1, 3, 5, 5], [9, 12, 8, 0]]", .type = MESSAGE_ACK,
	      .ack = {{1, 2}, ranges, 2, at, 2});
	CHECK("[\"refused\", 1, 2, 3, \"conflict\", \"\"]", .type = MESSAGE_REFUSED,
	      .refused = {{1, 2}, 3, KUDOS_CONFLICT, TEXT("")});
	CHECK("[\"close\", 1, 2, 3, 4]", .type = MESSAGE_CLOSE, .close = {{1, 2}, {{3}, 4}});
	CHECK("[\"seen\", 1, 2, 3, 4, 5]", .type = MESSAGE_SEEN, .seen = {{1, 2}, {{3}, 4}, 5});
	CHECK("[\"closed\", 1, 2]", .type = MESSAGE_CLOSED, .closed = {{1, 2}});
	struct text keys[] = {TEXT("a"), TEXT("b:c")};
	CHECK("[\"count\", 1, [\"a\", \"b:c\"], [9, 12]]", .type = MESSAGE_COUNT,
	      .count = {1, keys, 2, at, 1});
	CHECK("[\"watch\", 1, [\"a\", \"b:c\"], [9, 12]]", .type = MESSAGE_WATCH,
	      .watch = {1, keys, 2, at, 1});
	CHECK("[\"watch\", 1, [], []]", .type = MESSAGE_WATCH, .watch = {.id = 1});
	int64_t counts[] = {INT64_MIN, -1, 0, INT64_MAX};
	CHECK("[\"counts\", 1, [-9223372036854775808, -1, 0, 9223372036854775807]]", .type = MESSAGE_COUNTS,
	      .counts = {1, counts, 4});
	CHECK("[\"top\", 1, 2]", .type = MESSAGE_TOP, .top = {1, 2});
	CHECK("[\"tops\", 1, [\"a\", 7, \"b:c\", 5]]", .type = MESSAGE_TOPS,
	      .tops = {1, (struct key_count[]){{keys[0], 7}, {keys[1], 5}}, 2});
	CHECK("[\"tops\", 1, []]", .type = MESSAGE_TOPS, .tops = {1, NULL, 0});
	CHECK("[\"changed\", \"a\", -5]", .type = MESSAGE_CHANGED, .changed = {TEXT("a"), -5});
	assert_no_leak();
}

Test(message, of_servers)
{
	struct position at[] = {{{9}, 12}, {{10}, 1}};
	struct load load = {1, 2, -3, 4, 5, 6, 7, true};
	CHECK("[\"heartbeat\", 1, 2, 3, true, 1, 2, -3, 4, 5, 6, 7]", .type = MESSAGE_HEARTBEAT,
	      .heartbeat = {{1}, {2}, 3, load});
	CHECK("[\"heard\", 1, 2, true]", .type = MESSAGE_HEARD, .heard = {1, 2, true});
	CHECK("[\"fetch\", 1, 2, 3]", .type = MESSAGE_FETCH, .fetch = {{1}, 2, 3});
	struct blob blobs[] = {{(const uint8_t *)"\x01\x02", 2}, {(const uint8_t *)"", 0}};
	CHECK("[\"records\", 1, 2, [h'0102', h'']]", .type = MESSAGE_RECORDS, .records = {{1}, 2, blobs, 2});
	CHECK("[\"gone\", 1, 2]", .type = MESSAGE_GONE, .gone = {{1}, 2});
	CHECK("[\"snapshot\", 1, 2]", .type = MESSAGE_SNAPSHOT, .snapshot = {1, 2});
	CHECK("[\"part\", 1, 2, true, [h'0102', h'']]", .type = MESSAGE_PART, .part = {1, 2, true, blobs, 1});
	CHECK("[\"vector\", 1, 2, 3, 4, true, 5, 6, [9, 12, 10, 1]]", .type = MESSAGE_VECTOR,
	      .vector = {{1}, {2}, 3, 4, true, 5, 6, at, 2});
	CHECK("[\"reach\", 8]", .type = MESSAGE_REACH, .reach = {{8}});
	CHECK("[\"reached\", 2, 8, true, [9, 12, 10, 1]]", .type = MESSAGE_REACHED,
	      .reached = {{2}, {8}, true, at, 2});
	struct status_row rows[] = {
	    {{{1}, TEXT("a"), TEXT("b")}, TEXT("c"), SERVER_CATCHING_UP, load},
	    {{{2}, TEXT("d"), TEXT("e")}, TEXT("f"), SERVER_DOWN, {0}},
	};
	CHECK("[\"state\", 1, 2, 3, [[1, \"a\", \"b\", \"c\", \"catching-up\", 1, 2, -3, 4, 5, 6, 7], "
	      "[2, \"d\", \"e\", \"f\", \"down\", 0, 0, 0, 0, 0, 0, 0]]]",
	      .type = MESSAGE_STATE, .state = {1, 2, 3, rows, 2});
	struct metric_sample samples[] = {{TEXT("0.1"), 2}, {TEXT("+Inf"), 3}, {TEXT(""), -4}};
	struct metric metrics[] = {
	    {TEXT("a_seconds"), METRIC_HISTOGRAM, TEXT("Of a."), TEXT("le"), 1000, samples, 3},
	    {TEXT("b2"), METRIC_GAUGE, TEXT(""), TEXT(""), 1, samples + 2, 1},
	    {TEXT("c_total"), METRIC_COUNTER, TEXT(""), TEXT("code"), 1, NULL, 0},
	};
	CHECK("[\"metrics\", 5]", .type = MESSAGE_METRICS, .metrics = {5});
	CHECK("[\"measured\", 5, [[\"a_seconds\", \"histogram\", \"Of a.\", \"le\", 1000, [\"0.1\", 2, "
	      "\"+Inf\", 3, "
	      "\"\", -4]], [\"b2\", \"gauge\", \"\", \"\", 1, [\"\", -4]], [\"c_total\", \"counter\", \"\", "
	      "\"code\", 1, []]]]",
	      .type = MESSAGE_MEASURED, .measured = {5, metrics, 3});
	struct member members[] = {
	    {{1}, {2}, -3, false, true, "a", "b", "c", {{0xab, [15] = 0xcd}}},
	    {{4}, {0}, 0, true, false, "", "", "", {{0}}},
	};
	CHECK("[\"members\", 1, [[1, 2, -3, false, true, \"a\", \"b\", \"c\", "
	      "h'ab0000000000000000000000000000cd'], "
	      "[4, 0, 0, true, false, \"\", \"\", \"\", h'']]]",
	      .type = MESSAGE_MEMBERS, .members = {{1}, members, 2});
	assert_no_leak();
}

Test(message, decodes_into_the_fields_it_came_from)
{
	struct member row = {
	    {1}, {2}, 3, true, true, "s1", "tcp://127.0.0.1:5100", "tcp://127.0.0.1:5101", {{9, 8, 7}}};
	memset(row.name, 'n', LIMIT_NAME);
	struct bytes out = {0};
	struct message m = {.type = MESSAGE_MEMBERS, .members = {.from = {7}, .rows = &row, .row_count = 1}};
	message_encode(&m, &out);
	struct message back;
	cr_assert(message_decode(out.data, out.size, &back) == 0);
	const struct member *got = &back.members.rows[0];
	cr_assert(back.members.from.id == 7 && back.members.row_count == 1);
	cr_assert(got->node.id == 1 && got->origin.id == 2 && got->since == 3 && got->forgotten &&
		  got->ephemeral);
	cr_assert(strcmp(got->name, row.name) == 0);
	cr_assert(strcmp(got->client_endpoint, row.client_endpoint) == 0);
	cr_assert(strcmp(got->notify_endpoint, row.notify_endpoint) == 0);
	cr_assert(memcmp(&got->secret, &row.secret, sizeof row.secret) == 0);
	message_deinit(&back);
	bytes_deinit(&out);
	assert_no_leak();
}

/* As data folders hold it that were written before nodes had secrets. */
Test(message, a_row_of_before_has_no_secret)
{
	static const uint8_t old[] = "\x94\xa7members\x04\x91\x98\x04\x4d\x05\xc2\xc2\xa0\xa0\xa0\x90";
	struct message m;
	cr_assert(message_decode(old, sizeof old - 1, &m) == 0 && m.members.row_count == 1);
	cr_assert(m.members.rows[0].since == 5 && secret_is_none(&m.members.rows[0].secret));
	message_deinit(&m);
	assert_no_leak();
}

/* What decoding the hexadecimal digits gives, from a block of that size and no larger. */
static int decode_hex(const char *hex)
{
	size_t size = strlen(hex) / 2;
	uint8_t *data = malloc(size ? size : 1);
	for (size_t i = 0; i < size; i++) {
		char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
		data[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	struct bytes out = {0};
	int error = recode(data, size, &out);
	bytes_deinit(&out);
	free(data);
	return error;
}

Test(message, any_width_is_accepted)
{
	static const char *const pings[] = {
	    "92a470696e6705",	      "dc0002a470696e6705",
	    "dd00000002a470696e6705", "92d90470696e6705",
	    "92da000470696e6705",     "92db0000000470696e6705",
	    "92a470696e67cc05",	      "92a470696e67cd0005",
	    "92a470696e67ce00000005", "92a470696e67cf0000000000000005",
	    "92a470696e67d005",	      "92a470696e67d10005",
	    "92a470696e67d200000005", "92a470696e67d30000000000000005",
	};
	for (size_t i = 0; i < COUNT_OF(pings); i++)
		cr_assert(decode_hex(pings[i]) == 0, "%s", pings[i]);
}

Test(message, other_shapes_are_not_of_the_protocol)
{
	static const char *const wrong[] = {
	    "",
	    "c0",
	    "90",
	    "00",
	    "91a470696e67",
	    "81a470696e6705",
	    "93a470696e670505",
	    "92c40470696e6705",
	    "92a470696e67c0",
	    "92a470696e67c3",
	    "92a470696e67ff",
	    "92a470696e67d3ffffffffffffffff",
	    "92a470696e67ca3f800000",
	    "92a470696e679105",
	    "92a470696e6fcf",
	    "92a470696e6805",
	    "92a0",
	    "c1",
	    "92a47069",
	};
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		cr_assert(decode_hex(wrong[i]) == KUDOS_PROTOCOL, "%s", wrong[i]);
}

Test(message, deep_nesting_is_refused_at_once)
{
	struct bytes deep = {0};
	memset(bytes_extend(&deep, LIMIT_MESSAGE), 0x91, LIMIT_MESSAGE);
	struct message m;
	cr_assert(message_decode(deep.data, deep.size, &m) == KUDOS_PROTOCOL);
	memcpy(deep.data,
	       "\x93\xa6"
	       "counts\x01",
	       9);
	cr_assert(message_decode(deep.data, deep.size, &m) == KUDOS_PROTOCOL);
	bytes_append(&deep, "", 1);
	cr_assert(message_decode(deep.data, deep.size, &m) == KUDOS_TOO_LARGE);
	bytes_deinit(&deep);
}

Test(message, another_version_is_told_apart)
{
	static const uint8_t hello[] = "\x92\xa5hello\x01", longer[] = "\x94\xa5hello\x01\x80\x90";
	struct message m;
	cr_assert(message_decode(hello, sizeof hello - 1, &m) == 0 && m.hello.version == 1);
	cr_assert(message_decode(longer, sizeof longer - 1, &m) == 0 && m.hello.version == 1);
	static const uint8_t ours[] = "\x92\xa5hello\x03";
	cr_assert(message_decode(ours, sizeof ours - 1, &m) == KUDOS_PROTOCOL);
}

static int code_of(const char *code)
{
	struct bytes out = {0};
	struct message m = {.type = MESSAGE_ERROR, .error = {0, KUDOS_BUSY, TEXT("")}};
	message_encode(&m, &out);
	struct bytes edited = {0};
	bytes_append(&edited, out.data, 8); /* 94 a5 error 00 */
	uint8_t head = (uint8_t)(0xa0 | strlen(code));
	bytes_append(&edited, &head, 1);
	bytes_append(&edited, code, strlen(code));
	bytes_append(&edited, "\xa0", 1);
	cr_assert(message_decode(edited.data, edited.size, &m) == 0, "%s", code);
	bytes_deinit(&edited);
	bytes_deinit(&out);
	return m.error.code;
}

Test(message, codes)
{
	for (int code = KUDOS_OK + 1; code < KUDOS_ERROR_COUNT; code++)
		cr_assert(code_of(kudos_error_code(code)) == code);
	cr_assert(code_of("ok") == KUDOS_PROTOCOL);
	cr_assert(code_of("brand-new") == KUDOS_PROTOCOL);
	cr_assert(code_of("") == KUDOS_PROTOCOL);
}

static int recode_message(const struct message *m)
{
	struct bytes out = {0};
	message_encode(m, &out);
	struct message back;
	int error = message_decode(out.data, out.size, &back);
	if (!error)
		message_deinit(&back);
	bytes_deinit(&out);
	return error;
}

#define RECODE(...) recode_message(&(struct message){__VA_ARGS__})

Test(message, limits)
{
	char word[LIMIT_ENDPOINT + 2];
	memset(word, 'w', sizeof word);
	struct server_row row = {{1}, {word, LIMIT_NAME}, {word, LIMIT_ENDPOINT}};
	cr_assert(RECODE(.type = MESSAGE_ASSIGNED, .assigned = {{0, 0}, {{0}, 0}, &row, 1}) == 0);
	row.name.size++;
	cr_assert(RECODE(.type = MESSAGE_ASSIGNED, .assigned = {{0, 0}, {{0}, 0}, &row, 1}) == KUDOS_LIMIT);
	row.name = (struct text){"a b", 3};
	cr_assert(RECODE(.type = MESSAGE_ASSIGNED, .assigned = {{0, 0}, {{0}, 0}, &row, 1}) ==
		  KUDOS_PROTOCOL);
	row.name.size = 1;
	row.client_endpoint.size++;
	cr_assert(RECODE(.type = MESSAGE_ASSIGNED, .assigned = {{0, 0}, {{0}, 0}, &row, 1}) == KUDOS_LIMIT);

	struct text *keys = calloc(LIMIT_READ_KEYS + 1, sizeof *keys);
	for (size_t i = 0; i <= LIMIT_READ_KEYS; i++)
		keys[i] = TEXT("k");
	cr_assert(RECODE(.type = MESSAGE_COUNT, .count = {1, keys, LIMIT_READ_KEYS, NULL, 0}) == 0);
	cr_assert(RECODE(.type = MESSAGE_COUNT, .count = {1, keys, LIMIT_READ_KEYS + 1, NULL, 0}) ==
		  KUDOS_LIMIT);
	cr_assert(RECODE(.type = MESSAGE_COUNT, .count = {1, keys, 0, NULL, 0}) == KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_WATCH, .watch = {1, keys, LIMIT_WATCHES, NULL, 0}) == 0);
	cr_assert(RECODE(.type = MESSAGE_WATCH, .watch = {1, keys, LIMIT_WATCHES + 1, NULL, 0}) ==
		  KUDOS_LIMIT);
	keys[5] = TEXT("k k");
	cr_assert(RECODE(.type = MESSAGE_COUNT, .count = {1, keys, 6, NULL, 0}) == KUDOS_BAD_KEY);
	free(keys);

	struct position *at = calloc(LIMIT_MESSAGE_POSITIONS + 1, sizeof *at);
	for (size_t i = 0; i <= LIMIT_MESSAGE_POSITIONS; i++)
		at[i] = (struct position){{i + 1}, i + 1};
	struct message vector = {
	    .type = MESSAGE_VECTOR,
	    .vector = {.node = {1}, .origin = {1}, .at = at, .count = LIMIT_MESSAGE_POSITIONS}};
	cr_assert(recode_message(&vector) == 0);
	vector.vector.count++;
	cr_assert(recode_message(&vector) == KUDOS_LIMIT);
	vector.vector.count = 10;
	at[7].origin = at[6].origin;
	cr_assert(recode_message(&vector) == KUDOS_PROTOCOL);
	free(at);
	assert_no_leak();
}

Test(message, what_makes_no_sense_is_refused)
{
	struct range backwards = {2, 1}, zero = {0, 1};
	struct position nowhere = {{0}, 1};
	cr_assert(RECODE(.type = MESSAGE_ACK, .ack = {{1, 1}, &backwards, 1, NULL, 0}) == KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_ACK, .ack = {{1, 1}, &zero, 1, NULL, 0}) == KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_ACK, .ack = {{1, 1}, NULL, 0, &nowhere, 1}) == KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_ACK, .ack = {{1, 0}, NULL, 0, NULL, 0}) == KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_CLOSE, .close = {.session = {0, 1}}) == KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_SEEN, .seen = {{1, 2}, {{3}, 4}, 0}) == KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_SEEN, .seen = {{1, 2}, {{3}, 4}, UINT64_MAX}) == KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_ASSIGNED, .assigned = {{0, 1}, {{0}, 0}, NULL, 0}) ==
		  KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_FETCH, .fetch = {{1}, 2, 1}) == KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_FETCH, .fetch = {{1}, 0, 1}) == KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_FETCH, .fetch = {{0}, 1, 1}) == KUDOS_PROTOCOL);
	cr_assert(RECODE(.type = MESSAGE_CHANGED, .changed = {TEXT(""), 1}) == KUDOS_BAD_KEY);
}

static int recode_metric(struct metric metric)
{
	return RECODE(.type = MESSAGE_MEASURED, .measured = {1, &metric, 1});
}

Test(message, a_metric_is_as_prometheus_has_it)
{
	struct metric_sample one = {TEXT("x"), 1}, spaced = {TEXT("a b"), 1}, many[LIMIT_SAMPLES + 1] = {0};
	const struct metric good = {TEXT("a_9"), METRIC_GAUGE, TEXT("any text"), TEXT("l"), 1, &one, 1};
	struct metric m = good;
	cr_assert(recode_metric(m) == 0);
	static const char *const bad[] = {"", "9a", "A", "a-b", "a{", "\xc3\xa9"};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		m.name = (struct text){bad[i], strlen(bad[i])};
		cr_assert(recode_metric(m) == KUDOS_PROTOCOL, "%s", bad[i]);
	}
	m = good;
	m.label = TEXT("a=");
	cr_assert(recode_metric(m) == KUDOS_PROTOCOL);
	m.label = TEXT(""); /* but its sample is of something */
	cr_assert(recode_metric(m) == KUDOS_PROTOCOL);
	m = good;
	m.samples = &spaced;
	cr_assert(recode_metric(m) == KUDOS_PROTOCOL);
	m = good;
	m.per = 0;
	cr_assert(recode_metric(m) == KUDOS_PROTOCOL);
	m = good;
	m.samples = many;
	m.count = LIMIT_SAMPLES;
	cr_assert(recode_metric(m) == 0);
	m.count++;
	cr_assert(recode_metric(m) == KUDOS_LIMIT);
	struct metric *list = calloc(LIMIT_METRICS + 1, sizeof *list);
	for (size_t i = 0; i <= LIMIT_METRICS; i++)
		list[i] = good;
	cr_assert(RECODE(.type = MESSAGE_MEASURED, .measured = {1, list, LIMIT_METRICS}) == 0);
	cr_assert(RECODE(.type = MESSAGE_MEASURED, .measured = {1, list, LIMIT_METRICS + 1}) == KUDOS_LIMIT);
	free(list);
	assert_no_leak();
}

Test(message, long_explanations_are_cut_between_characters)
{
	char text[2 * LIMIT_TEXT];
	for (size_t i = 0; i < sizeof text; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[0] = 'x'; /* so that the cut falls into a character */
	text[1] = 'x';
	memmove(text + 1, text + 2, sizeof text - 2);
	struct bytes out = {0};
	struct message m = {.type = MESSAGE_ERROR, .error = {0, KUDOS_BUSY, {text, sizeof text - 1}}};
	message_encode(&m, &out);
	struct message back;
	cr_assert(message_decode(out.data, out.size, &back) == 0);
	cr_assert(back.error.text.size == LIMIT_TEXT - 1, "%zu", back.error.text.size);
	bytes_deinit(&out);
}
