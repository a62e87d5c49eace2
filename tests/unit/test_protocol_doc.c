/* SPDX-License-Identifier: MIT */
/* The examples of doc/protocol.md: each is what it says, is accepted, and comes out again as the same bytes;
 * and nothing that is made of one by damage does harm. */
#include <criterion/criterion.h>
#include <ctype.h>

#include "base/limits.h"
#include "unit/random.h"
#include "unit/wire_help.h"
#include "wire/schema.h"

#ifndef SOURCE_ROOT
#define SOURCE_ROOT ".."
#endif

static char *read_doc(void)
{
	const char *root = getenv("KUDOS_SOURCE_ROOT");
	char path[4096];
	snprintf(path, sizeof path, "%s/doc/protocol.md", root ? root : SOURCE_ROOT);
	FILE *file = fopen(path, "r");
	cr_assert(file != NULL, "cannot read %s (set KUDOS_SOURCE_ROOT)", path);
	char *text = NULL;
	size_t size = 0;
	cr_assert(getdelim(&text, &size, '\0', file) > 0);
	fclose(file);
	return text;
}

struct example {
	char *text; /* the first line */
	struct bytes data;
};

static const char *skip_line(const char *at)
{
	at += strcspn(at, "\n");
	return *at ? at + 1 : at;
}

/* Reads the next example from *at on; false when there is none. */
static bool next_example(const char **at, struct example *example)
{
	static const char fence[] = "\n```example\n";
	const char *found = strstr(*at, fence);
	if (!found)
		return false;
	found += strlen(fence);
	*example = (struct example){.text = strndup(found, strcspn(found, "\n"))};
	found = skip_line(found);
	while (strncmp(found, "```", 3) != 0) {
		cr_assert(isxdigit((unsigned char)found[0]) && isxdigit((unsigned char)found[1]),
			  "not hexadecimal: %.20s", found);
		char pair[3] = {found[0], found[1], 0};
		uint8_t byte = (uint8_t)strtoul(pair, NULL, 16);
		bytes_append(&example->data, &byte, 1);
		found += 2;
		found += strspn(found, " \n");
	}
	*at = found;
	return true;
}

static void example_deinit(struct example *example)
{
	free(example->text);
	bytes_deinit(&example->data);
}

static void each_example(void (*fn)(const struct example *example))
{
	char *doc = read_doc();
	const char *at = doc;
	struct example example;
	unsigned count = 0;
	for (; next_example(&at, &example); count++) {
		fn(&example);
		example_deinit(&example);
	}
	free(doc);
	cr_assert(count >= MESSAGE_TYPE_COUNT);
	assert_no_leak();
}

static void check_says(const struct example *example)
{
	char *text = render(example->data.data, example->data.size);
	cr_assert(text != NULL, "not msgpack: %s", example->text);
	cr_assert(strcmp(text, example->text) == 0, "the bytes of %s say %s", example->text, text);
	free(text);
}

Test(protocol_doc, examples_are_what_they_say)
{
	each_example(check_says);
}

static void check_recodes(const struct example *example)
{
	struct bytes out = {0};
	int error = recode(example->data.data, example->data.size, &out);
	cr_assert(error == 0, "%s: %s", example->text, kudos_error_code(error));
	cr_assert(out.size == example->data.size && memcmp(out.data, example->data.data, out.size) == 0,
		  "%s does not come out as it went in", example->text);
	bytes_deinit(&out);
}

Test(protocol_doc, examples_go_in_and_out)
{
	each_example(check_recodes);
}

Test(protocol_doc, every_message_has_a_section_and_an_example)
{
	char *doc = read_doc();
	for (int type = 0; type < MESSAGE_TYPE_COUNT; type++) {
		char heading[64], example[64];
		const char *name = message_type_name((enum message_type)type);
		snprintf(heading, sizeof heading, "\n### %s\n", name);
		snprintf(example, sizeof example, "\n```example\n[\"%s\", ", name);
		const char *section = strstr(doc, heading);
		cr_assert(section != NULL, "%s has no section", name);
		const char *first = strstr(section, example), *next = strstr(section + 1, "\n### ");
		cr_assert(first && (!next || first < next), "%s has no example in its section", name);
	}
	free(doc);
}

static char letter(enum kind kind)
{
	return kind < KIND_INT	   ? 'u'
	       : kind == KIND_INT  ? 'i'
	       : kind == KIND_BOOL ? 'b'
	       : kind < KIND_BIN   ? 's'
				   : 'x';
}

/* As the page has them: u id, [[s name, i n, …], …] */
static void render_fields(FILE *out, const struct field *fields)
{
	for (const struct field *f = fields; f->kind != KIND_END; f++) {
		fputs(f == fields ? "" : ", ", out);
		if (f->list) {
			fputs(f->list->arrays ? "[[" : "[", out);
			render_fields(out, f->list->fields);
			fputs(f->list->arrays ? "], …]" : ", …]", out);
		} else {
			fprintf(out, "%c %s", letter(f->kind), f->name);
		}
	}
}

/* What stands in the first pair of backquotes behind the heading, on one line. To be freed. */
static char *elements_in_doc(const char *doc, const char *name)
{
	char heading[64];
	snprintf(heading, sizeof heading, "\n### %s\n\n`", name);
	const char *at = strstr(doc, heading);
	cr_assert(at != NULL, "the section of %s does not begin with its elements", name);
	at += strlen(heading);
	char *found = strndup(at, strcspn(at, "`"));
	for (char *c = found; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	return found;
}

Test(protocol_doc, elements_are_those_of_the_tables)
{
	char *doc = read_doc();
	unsigned checked = 0;
	for (int type = 0; type < MESSAGE_TYPE_COUNT; type++) {
		const struct schema *schema = &schemas[type];
		if (schema->fields[0].kind == KIND_END)
			continue; /* batch and record: the examples are all that holds them */
		char *table = NULL, *said = elements_in_doc(doc, schema->name);
		size_t size;
		FILE *out = open_memstream(&table, &size);
		render_fields(out, schema->fields);
		fclose(out);
		cr_expect(strcmp(said, table) == 0, "of %s the page says\n  %s\nand the table\n  %s",
			  schema->name, said, table);
		free(table);
		free(said);
		checked++;
	}
	free(doc);
	cr_assert(checked == MESSAGE_TYPE_COUNT - 2);
}

Test(protocol_doc, limits_are_those_of_the_tables)
{
	static const struct {
		const char *row;
		int limit, further;
	} rows[] = {
	    {"| keys in a `count` | 1 to %d |", LIMIT_READ_KEYS, 0},
	    {"| keys in a `top` | 1 to %d |", LIMIT_TOP, 0},
	    {"| positions in a message | %d |", LIMIT_MESSAGE_POSITIONS, 0},
	    {"| ranges in an `ack` | %d |", LIMIT_RECORD_BATCHES, 0},
	    {"| members, servers or status rows | %d |", LIMIT_MEMBERS, 0},
	    {"| metrics in a `measured` | %d, of %d values each", LIMIT_METRICS, LIMIT_SAMPLES},
	    {"| batches in a record | %d ", LIMIT_RECORD_BATCHES, 0},
	    {"| server name | %d bytes", LIMIT_NAME, 0},
	    {"| endpoint | %d bytes", LIMIT_ENDPOINT, 0},
	    {"| explaining text, target of `forget` and `drain` | %d bytes", LIMIT_TEXT, 0},
	    {"| batches in flight | %d a session", LIMIT_IN_FLIGHT, 0},
	};
	char *doc = read_doc();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char row[128];
		snprintf(row, sizeof row, rows[i].row, rows[i].limit, rows[i].further);
		cr_expect(strstr(doc, row) != NULL, "the page has no row %s", row);
	}
	free(doc);
}

Test(protocol_doc, every_error_code_is_explained)
{
	char *doc = read_doc();
	const char *table = strstr(doc, "\n## 6. Error codes\n");
	cr_assert(table != NULL);
	for (int error = 0; error < KUDOS_ERROR_COUNT; error++) {
		char code[64];
		snprintf(code, sizeof code, "`%s`", kudos_error_code(error));
		cr_assert(strstr(table, code) != NULL, "%s is not in the table", code);
	}
	free(doc);
}

/* Copied to a block of exactly this size, so that ASan sees one byte too far. */
static int recode_exactly(const void *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	if (size)
		memcpy(copy, data, size);
	struct bytes out = {0};
	int error = recode(copy, size, &out);
	bytes_deinit(&out);
	free(copy);
	return error;
}

static void check_truncations(const struct example *example)
{
	for (size_t size = 0; size < example->data.size; size++) {
		int error = recode_exactly(example->data.data, size);
		cr_assert(error > 0, "%s cut to %zu bytes is accepted", example->text, size);
	}
}

Test(protocol_doc, no_truncation_is_accepted)
{
	each_example(check_truncations);
}

static void check_trailing(const struct example *example)
{
	for (int tail = 0; tail < 256; tail++) {
		struct bytes longer = {0};
		uint8_t byte = (uint8_t)tail;
		bytes_append(&longer, example->data.data, example->data.size);
		bytes_append(&longer, &byte, 1);
		int error = recode_exactly(longer.data, longer.size);
		cr_assert(error > 0, "%s with %02x behind it is accepted", example->text, byte);
		bytes_deinit(&longer);
	}
}

Test(protocol_doc, nothing_may_follow)
{
	each_example(check_trailing);
}

/* What is accepted all the same must be a message in its own right: canonical after one pass. */
static void check_damaged(const uint8_t *data, size_t size, const char *what)
{
	struct bytes once = {0}, twice = {0};
	int error = recode(data, size, &once);
	cr_assert(error >= 0, "%s: %d", what, error);
	if (!error) {
		error = recode(once.data, once.size, &twice);
		cr_assert(error == 0 && once.size == twice.size &&
			      memcmp(once.data, twice.data, once.size) == 0,
			  "damaged %s is accepted, and what it decodes to is not", what);
	}
	bytes_deinit(&once);
	bytes_deinit(&twice);
}

static void check_flips(const struct example *example)
{
	uint8_t *copy = malloc(example->data.size);
	memcpy(copy, example->data.data, example->data.size);
	for (size_t bit = 0; bit < 8 * example->data.size; bit++) {
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		check_damaged(copy, example->data.size, example->text);
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	free(copy);
}

Test(protocol_doc, bit_flips_do_no_harm)
{
	each_example(check_flips);
}

/* At every byte a header that declares more than there can be. */
static void check_huge_counts(const struct example *example)
{
	static const uint8_t heads[] = {0xdd, 0xdc, 0xdb, 0xda, 0xc6, 0xc5, 0xdf, 0xc9};
	for (size_t at = 0; at < example->data.size; at++) {
		for (size_t i = 0; i < sizeof heads; i++) {
			struct bytes b = {0};
			bytes_append(&b, example->data.data, at);
			bytes_append(&b, &heads[i], 1);
			bytes_append(&b, "\xff\xff\xff\xff", 4);
			bytes_append(&b, example->data.data + at, example->data.size - at);
			cr_assert(recode_exactly(b.data, b.size) > 0, "%s with %02x ffffffff at %zu",
				  example->text, heads[i], at);
			bytes_deinit(&b);
		}
	}
}

Test(protocol_doc, huge_counts_are_refused)
{
	each_example(check_huge_counts);
}

static void check_random(const struct example *example)
{
	struct random random;
	random_seed(&random, example->data.size);
	uint8_t *copy = malloc(example->data.size);
	for (int round = 0; round < 500; round++) {
		memcpy(copy, example->data.data, example->data.size);
		for (uint64_t n = 1 + random_below(&random, 4); n > 0; n--)
			copy[random_below(&random, example->data.size)] = (uint8_t)random_next(&random);
		check_damaged(copy, example->data.size, example->text);
	}
	free(copy);
}

Test(protocol_doc, random_damage_does_no_harm)
{
	each_example(check_random);
}
