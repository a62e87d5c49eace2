/* SPDX-License-Identifier: MIT */
/* Metrics gathered for an answer: what comes out at the other end, and what is too much. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kudos.h"
#include "unit/wire_help.h"
#include "wire/metric_table.h"

/* The answer, as msgpack-c reads it; to be freed. */
static char *said(struct metric_table *t)
{
	struct message m;
	struct bytes out = {0};
	cr_assert(metric_table_message(t, 7, &m) == 0);
	message_encode(&m, &out);
	char *text = render(out.data, out.size);
	bytes_deinit(&out);
	metric_table_deinit(t);
	return text;
}

Test(metric_table, says_what_was_put_in)
{
	static const struct histogram_bound bounds[] = {{10, "0.01"}, {20, "0.02"}};
	struct histogram h = {.bounds = bounds, .bound_count = 2};
	struct metric_table t;
	for (int64_t value = 9; value <= 30; value += 7) /* 9, 16, 23, 30 */
		histogram_add(&h, value);
	histogram_add(&h, 10);
	metric_table_init(&t);
	metric_gauge(&t, "a", "A.", -3);
	metric_counter(&t, "b_total", "B.", 4);
	metric_per(&t, 100);
	metric_histogram(&t, "c_seconds", "C.", 1000, &h);
	metric_begin(&t, METRIC_GAUGE, "e", "peer", "E.");
	char *text = said(&t);
	cr_assert_str_eq(text, "[\"measured\", 7, [[\"a\", \"gauge\", \"A.\", \"\", 1, [\"\", -3]], "
			       "[\"b_total\", \"counter\", \"B.\", \"\", 100, [\"\", 4]], "
			       "[\"c_seconds\", \"histogram\", \"C.\", \"le\", 1000, "
			       "[\"0.01\", 2, \"0.02\", 3, \"+Inf\", 5, \"\", 88]], "
			       "[\"e\", \"gauge\", \"E.\", \"peer\", 1, []]]]");
	free(text);
	assert_no_leak();
}

/* All that a process tells of itself is accepted by who reads it. */
Test(metric_table, of_the_process)
{
	struct metric_table t;
	struct message m, back;
	struct bytes out = {0};
	uint64_t types[MESSAGE_TYPE_COUNT] = {[MESSAGE_HELLO] = 1, [MESSAGE_METRICS] = 5};
	const uint64_t codes[KUDOS_ERROR_COUNT] = {[KUDOS_BUSY] = 2};
	metric_table_init(&t);
	metric_process(&t);
	metric_by_type(&t, "messages_total", "M.", types);
	metric_by_code(&t, "errors_total", "E.", codes);
	cr_assert(metric_table_message(&t, 1, &m) == 0);
	message_encode(&m, &out);
	cr_assert(message_decode(out.data, out.size, &back) == 0);
	const struct metric *memory = &back.measured.metrics[1], *processor = memory + 1,
			    *messages = memory + 2;
	cr_assert(memory->name.size == 21 && memory->samples[0].value > 1 << 20);
	cr_assert(processor->per == 1000000 && processor->samples[0].value > 0);
	cr_assert(messages->count == 2 && messages->samples[1].of.size == 7 &&
		  messages->samples[1].value == 5);
	/* Of codes those that may be sent, whether they were or not; not the client library's own. */
	const struct metric *errors = messages + 1;
	int64_t busy = 0;
	cr_assert(errors->count == KUDOS_ERROR_COUNT - 9);
	for (size_t i = 0; i < errors->count; i++) {
		const struct metric_sample *s = &errors->samples[i];
		cr_assert(s->of.size != 7 || memcmp(s->of.data, "timeout", 7) != 0);
		busy += s->of.size == 4 && memcmp(s->of.data, "busy", 4) == 0 ? s->value : 0;
	}
	cr_assert(busy == 2);
	message_deinit(&back);
	bytes_deinit(&out);
	metric_table_deinit(&t);
	assert_no_leak();
}

Test(metric_table, too_much_is_remembered)
{
	struct metric_table t;
	struct message m;
	metric_table_init(&t);
	for (int i = 0; i < LIMIT_METRICS; i++)
		metric_gauge(&t, "a", "", 1);
	cr_assert(metric_table_message(&t, 1, &m) == 0);
	metric_gauge(&t, "a", "", 1);
	cr_assert(metric_table_message(&t, 1, &m) == -ENOMEM);
	metric_table_deinit(&t);
	metric_begin(&t, METRIC_GAUGE, "a", "l", "");
	for (int i = 0; i < LIMIT_SAMPLES; i++)
		metric_sample(&t, "x", i);
	cr_assert(metric_table_message(&t, 1, &m) == 0);
	metric_sample(&t, "x", 0);
	cr_assert(metric_table_message(&t, 1, &m) == -ENOMEM);
	metric_table_deinit(&t);
	assert_no_leak();
}
