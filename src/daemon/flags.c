/* SPDX-License-Identifier: MIT */
#include "daemon/flags.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2
#define COLUMN 31 /* where help begins */
#define WIDTH 79

static const struct flag added[] = {
    {"help", 'h', NULL, "show this help", .kind = FLAG_YES},
    {"version", 'V', NULL, "show the version", .kind = FLAG_YES},
    {0},
};

/* ---- values ---- */

struct parsing {
	const struct flags *flags;
	void *options;
	const char *given[FLAGS_MOST]; /* the value of each; NULL: not given */
	struct flags_taken taken;
};

/* The first is told. */
__attribute__((format(printf, 2, 3))) static void complain(struct parsing *p, const char *format, ...)
{
	va_list arguments;
	if (*p->taken.wrong)
		return;
	va_start(arguments, format);
	vsnprintf(p->taken.wrong, sizeof p->taken.wrong, format, arguments);
	va_end(arguments);
}

static int whole(struct parsing *p, const char *name, const char *value, long least, long most)
{
	char *end;
	long number = strtol(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != '\0' || number < least || number > most)
		complain(p, "%s: \"%s\" is not a whole number from %ld to %ld", name, value, least, most);
	return (int)number;
}

static int milliseconds(struct parsing *p, const char *name, const char *value, long most)
{
	char *end;
	double seconds = strtod(value, &end);
	/* strtod alone would take "inf", "nan" and "0x10". */
	if (*end || value[strspn(value, "0123456789.")] || !(seconds > 0 && seconds <= (double)most)) {
		complain(p, "%s: \"%s\" is not in seconds, more than 0 and at most %ld, such as 5 or 0.5",
			 name, value, most);
		return 0;
	}
	int whole_ms = (int)(seconds * 1000);
	return whole_ms + (whole_ms < seconds * 1000);
}

static bool is_no(const char *value)
{
	return strcmp(value, "0") == 0 || strcasecmp(value, "no") == 0 || strcasecmp(value, "false") == 0;
}

/* name: what the user wrote the value in, for messages. */
static void set(struct parsing *p, const struct flag *f, const char *name, const char *value)
{
	void *at = (char *)p->options + f->at;
	char wrong[FLAG_WRONG] = "";
	switch (f->kind) {
	case FLAG_TEXT:
	case FLAG_MAYBE:
	case FLAG_LIST:
		value = f->kind != FLAG_MAYBE || *value ? value : NULL;
		memcpy(at, &value, sizeof value);
		break;
	case FLAG_YES:
		*(bool *)at = !is_no(value);
		break;
	case FLAG_PORT:
		*(int *)at = whole(p, name, value, 1, 65535);
		break;
	case FLAG_NUMBER:
		*(int *)at = whole(p, name, value, f->least, f->most);
		break;
	case FLAG_SECONDS:
		*(int *)at = milliseconds(p, name, value, f->most);
		break;
	case FLAG_OWN:
		if (!f->take(f, p->options, value, wrong))
			complain(p, "%s: %s", name, wrong);
		break;
	}
}

static const struct flag *find(const struct flag *list, const char *name)
{
	for (; list->name; list++) {
		if (strcmp(list->name, name) == 0)
			return list;
	}
	return NULL;
}

void flags_env_string(const char **value, const char *variable)
{
	const char *found = getenv(variable);
	if (!*value && found && *found)
		*value = found;
}

static void set_all(struct parsing *p)
{
	const struct flag *list = p->flags->list;
	char name[64];
	for (size_t i = 0; list[i].name; i++) {
		const struct flag *f = &list[i];
		const char *value = p->given[i];
		snprintf(name, sizeof name, "%s%s", value ? "--" : "",
			 value || !f->variable ? f->name : f->variable);
		if (f->variable && !(f->unless && p->given[find(list, f->unless) - list]))
			flags_env_string(&value, f->variable);
		if (value || f->otherwise)
			set(p, f, name, value ? value : f->otherwise);
	}
}

/* ---- help and completion ---- */

/* From `indent` on, in lines up to WIDTH. */
static void put_filled(const char *text, int indent)
{
	int column = indent;
	while (*text) {
		const int size = (int)strcspn(text, " \n");
		if (column > indent && column + 1 + size > WIDTH) {
			printf("\n%*s", indent, "");
			column = indent;
		}
		column += printf("%s%.*s", column > indent ? " " : "", size, text);
		text += size;
		text += *text != '\0';
	}
	putchar('\n');
}

static void put_flags(const struct flag *f)
{
	for (; f->name; f++) {
		char left[64], letter[8] = "";
		if (f->letter)
			snprintf(letter, sizeof letter, "-%c, ", f->letter);
		snprintf(left, sizeof left, "%s--%s%s%s", letter, f->name, f->value ? " " : "",
			 f->value ? f->value : "");
		printf("  %-*s ", COLUMN - 3, left);
		put_filled(f->help, COLUMN);
	}
}

void flags_help(const struct flags *flags)
{
	printf("usage: %s %s\n", program_invocation_short_name, flags->usage);
	put_filled(flags->about, 0);
	putchar('\n');
	put_flags(flags->list);
	put_flags(added);
}

void flags_offer(const char *typed, const char *word, const char *help)
{
	if (strncmp(word, typed, strlen(typed)) == 0)
		printf("%s%s%s\n", word, help ? "\t" : "", help ? help : "");
}

/* "A|B" is what it says; the rest of the names for values is for people. */
static void offer_values(const char *value, const char *typed)
{
	char words[64], *rest;
	if (strcmp(value, "FILE") == 0)
		puts("<file>");
	else if (strcmp(value, "DIR") == 0)
		puts("<folder>");
	if (!strchr(value, '|'))
		return;
	snprintf(words, sizeof words, "%s", value);
	for (char *word = strtok_r(words, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
		flags_offer(typed, word, NULL);
}

static void offer_flags(const struct flag *f, const char *typed)
{
	for (; f->name; f++) {
		char word[64];
		snprintf(word, sizeof word, "--%s", f->name);
		flags_offer(typed, word, f->help);
	}
}

bool flags_complete(const struct flags *flags, const char *before, const char *typed)
{
	const struct flag *asks =
	    before && strncmp(before, "--", 2) == 0 ? find(flags->list, before + 2) : NULL;
	if (asks && asks->value) {
		offer_values(asks->value, typed);
		return true;
	}
	if (typed[0] != '-')
		return false;
	offer_flags(flags->list, typed);
	offer_flags(added, typed);
	return true;
}

/* ---- the command line ---- */

/* The table as getopt wants it, with the flags that every table has behind it. Values: 256 and on. */
static void tell_getopt(const struct flag *list, struct option *options, char *letters)
{
	const struct flag *const tables[] = {list, added};
	int value = 256;
	letters = stpcpy(letters, "+:"); /* what begins with no dash ends nothing, see walk() */
	for (int t = 0; t < 2; t++) {
		for (const struct flag *f = tables[t]; f->name; f++, value++) {
			assert(value < 256 + FLAGS_MOST);
			*options++ = (struct option){f->name, f->value ? required_argument : no_argument,
						     NULL, f->letter ? f->letter : value};
			if (f->letter)
				letters += sprintf(letters, "%c%s", f->letter, f->value ? ":" : "");
		}
	}
	*options = (struct option){0};
}

static void take(struct parsing *p, int key, const char *argument)
{
	const struct flag *list = p->flags->list;
	size_t i = 0;
	while (list[i].name && key != (list[i].letter ? list[i].letter : 256 + (int)i))
		i++;
	if (key == 'h' || key == 'V') {
		p->taken.help = key == 'h';
		p->taken.version = key == 'V';
	} else if (!list[i].name) {
		complain(p, key == ':' ? "%s wants a value" : "%s is no flag", argument);
	} else if (list[i].kind == FLAG_LIST && p->given[i]) {
		complain(p, "--%s is given twice: name all in one, separated by commas", list[i].name);
	} else {
		p->given[i] = optarg ? optarg : "1";
	}
}

/* "-5" is not for getopt: amounts may be negative. */
static bool is_word(const struct flags *flags, const char *argument)
{
	return argument[0] != '-' || argument[1] == '\0' || (argument[1] >= '0' && argument[1] <= '9') ||
	       (flags->own && strcmp(argument, flags->own) == 0);
}

static void walk(struct parsing *p, int argc, char **argv)
{
	struct option options[FLAGS_MOST + 1];
	char letters[2 * FLAGS_MOST + 3];
	bool rest = false;
	tell_getopt(p->flags->list, options, letters);
	opterr = optind = 0;
	getopt_long(1, argv, letters, options, NULL); /* begins anew; optind is 1 */
	while (optind < argc && !*p->taken.wrong && !p->taken.help && !p->taken.version) {
		char *argument = argv[optind];
		if (!rest && strcmp(argument, "--") == 0) {
			rest = true;
			optind += !p->flags->own;
		} else if (rest || is_word(p->flags, argument)) {
			argv[++p->taken.words] = argument;
			optind++;
		} else {
			take(p, getopt_long(argc, argv, letters, options, NULL), argument);
		}
	}
}

struct flags_taken flags_take(const struct flags *flags, int argc, char **argv, void *options)
{
	struct parsing p = {.flags = flags, .options = options};
	walk(&p, argc, argv);
	if (!p.taken.help && !p.taken.version)
		set_all(&p);
	return p.taken;
}

int flags_parse(const struct flags *flags, int argc, char **argv, void *options)
{
	if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		const char *typed = argc > 2 ? argv[argc - 1] : "";
		if (!flags_complete(flags, argc > 3 ? argv[argc - 2] : NULL, typed) && flags->words)
			puts("<file>");
		exit(EXIT_SUCCESS);
	}
	struct flags_taken taken = flags_take(flags, argc, argv, options);
	if (taken.help) {
		flags_help(flags);
		putchar('\n');
		put_filled(flags->after, 0);
	}
	if (taken.version)
		printf("%s " KUDOS_VERSION "\n", program_invocation_short_name);
	if (taken.help || taken.version)
		exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	if (*taken.wrong)
		flags_wrong("%s", taken.wrong);
	if (taken.words > 0 && !flags->words)
		flags_wrong("%s: not a flag", argv[1]);
	if (flags->check)
		flags->check(options);
	return taken.words;
}

void flags_wrong(const char *format, ...)
{
	va_list arguments;
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\nTry: %s --help\n", program_invocation_short_name);
	exit(EXIT_USAGE);
}

void flags_check_keys(const char *key, const char *trust)
{
	if (!key != !trust)
		flags_wrong("--key and --trust go together: %s (%s) is missing", key ? "--trust" : "--key",
			    key ? "KUDOS_TRUST" : "KUDOS_KEY");
}

void flags_check_address(const char *address, bool insecure)
{
	struct in_addr in;
	if (inet_pton(AF_INET, address, &in) != 1)
		flags_wrong("--bind: \"%s\" is not an IPv4 address; 127.0.0.1 is one", address);
	if (ntohl(in.s_addr) >> 24 != 127 && !insecure)
		flags_wrong(
		    "--bind %s: refused, because whoever reaches that address may like and forget; bind to "
		    "127.0.0.1, give --key and --trust (see kudos keygen), or add --insecure if the network "
		    "keeps others away",
		    address);
}
