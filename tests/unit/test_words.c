/* SPDX-License-Identifier: MIT */
/* tools/kudos/words: taking a command line apart. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

Test(words, split_at_any_white_space)
{
	static const struct {
		const char *line;
		size_t count;
		const char *joined;
	} cases[] = {
	    {"", 0, ""},
	    {" \t\r\n", 0, ""},
	    {"a", 1, "a|"},
	    {"a b", 2, "a|b|"},
	    {"  like\tpost:1   5\r\n", 3, "like|post:1|5|"},
	    {"x \"y z\"", 3, "x|\"y|z\"|"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[64], joined[64] = "";
		snprintf(line, sizeof(line), "%s", cases[i].line);
		const char **words;
		size_t count;
		cr_assert(words_split(line, &words, &count));
		for (size_t w = 0; w < count; w++)
			strcat(strcat(joined, words[w]), "|");
		cr_assert(count == cases[i].count && strcmp(joined, cases[i].joined) == 0,
			  "\"%s\" became %zu words, %s", cases[i].line, count, joined);
		free(words);
	}
}

Test(words, integers_are_whole_and_alone)
{
	static const char *const bad[] = {"",	"-",   "+-1", "1.0", "5x",
					  " 5", "0x1", "5 ",  "--5", "9223372036854775808"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t number = 77;
		cr_assert(!words_integer(bad[i], &number) && number == 77, "\"%s\"", bad[i]);
	}
	static const struct {
		const char *word;
		int64_t number;
	} good[] = {{"0", 0},	{"5", 5},   {"+5", 5},
		    {"-3", -3}, {"007", 7}, {"-9223372036854775808", INT64_MIN}};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t number = 77;
		cr_assert(words_integer(good[i].word, &number) && number == good[i].number, "\"%s\"",
			  good[i].word);
	}
}

Test(words, seconds_take_fractions_only)
{
	static const char *const bad[] = {"",	 ".",	 "-1",	  "1e3",     "inf",
					  "nan", "0x10", "1.2.3", "86400.1", "1s"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		double seconds = 77;
		cr_assert(!words_seconds(bad[i], &seconds) && seconds > 76, "\"%s\"", bad[i]);
	}
	double seconds;
	cr_assert(words_seconds("0.25", &seconds) && seconds > 0.24 && seconds < 0.26);
	cr_assert(words_seconds("0", &seconds) && seconds < 0.001);
	cr_assert(words_seconds(".5", &seconds) && seconds > 0.49);
	cr_assert(words_seconds("86400", &seconds) && seconds > 86399);
}

Test(words, distance_counts_slips)
{
	cr_assert(words_distance("like", "like") == 0);
	cr_assert(words_distance("liek", "like") == 1);
	cr_assert(words_distance("cuont", "count") == 1);
	cr_assert(words_distance("forgot", "forget") == 1);
	cr_assert(words_distance("", "exit") == 4);
	cr_assert(words_distance("watches", "watch") == 2);
	cr_assert(words_distance("a word much too long", "like") == SIZE_MAX);
}

Test(words, sets_keep_each_word_once_and_have_a_limit)
{
	struct word_set set = {0};
	word_set_add(&set, "a");
	word_set_add(&set, "a");
	word_set_add(&set, "b");
	cr_assert(set.count == 2);
	for (int i = 0; i < 2 * WORD_SET_MAX; i++) {
		char word[32];
		snprintf(word, sizeof(word), "key:%d", i);
		word_set_add(&set, word);
	}
	cr_assert(set.count == WORD_SET_MAX);
	word_set_deinit(&set);
	cr_assert(set.count == 0 && !set.words);
	word_set_deinit(&set);
}
