/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "client/token.h"

static struct position at(uint64_t origin, uint64_t lsn)
{
	return (struct position){.origin = {origin}, .lsn = lsn};
}

Test(token, what_is_printed_is_parsed)
{
	struct position in[LIMIT_POSITIONS], out[LIMIT_POSITIONS];
	char text[TOKEN_SIZE];
	size_t count;
	for (size_t n = 0; n <= LIMIT_POSITIONS; n++) {
		for (size_t i = 0; i < n; i++)
			in[i] = at(UINT64_MAX - i, UINT64_MAX - i); /* the longest there are */
		token_print(in, n, text, sizeof text);
		cr_assert(token_parse(text, out, &count));
		cr_assert(count == n && memcmp(in, out, n * sizeof *in) == 0);
	}
	cr_assert(strlen(text) == sizeof text - 2, "TOKEN_SIZE is what the longest needs, and one more");
}

Test(token, is_cut_at_a_whole_position)
{
	const struct position in[] = {at(77, 12), at(78, 3)};
	struct position out[LIMIT_POSITIONS];
	char text[38]; /* the second would need 39 */
	size_t count;
	token_print(in, 2, text, sizeof text);
	cr_assert(token_parse(text, out, &count) && count == 1);
	token_print(in, 2, text, 1);
	cr_assert_str_eq(text, "");
}

Test(token, refuses_what_it_did_not_print)
{
	static const char *const bad[] = {
	    "x",
	    ".",
	    "-",
	    "4d.12",
	    "000000000000004d",
	    "000000000000004d.",
	    "000000000000004d.0",
	    "0000000000000000.1",
	    "000000000000004D.1",
	    "000000000000004d.1-",
	    "-000000000000004d.1",
	    "000000000000004d.1 ",
	    "000000000000004d.18446744073709551616",
	    "000000000000004d.1,000000000000004e.1",
	};
	struct position out[LIMIT_POSITIONS];
	size_t count = 7;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert(!token_parse(bad[i], out, &count), "%s", bad[i]);
	char long_one[2 * TOKEN_SIZE] = "000000000000004d.1";
	for (size_t i = 0; i < LIMIT_POSITIONS; i++)
		strcat(long_one, "-000000000000004d.1");
	cr_assert(!token_parse(long_one, out, &count));
	cr_assert(count == 7, "outputs stay as they were");
}
