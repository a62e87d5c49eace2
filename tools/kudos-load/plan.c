/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <kudos.h>

void plan_init(struct plan *plan)
{
	*plan = (struct plan){.clients = 10, .keys = 1000, .window = PLAN_WINDOW, .seed = 1};
}

static bool parse_number(const char *text, double low, double high, double *value)
{
	char *end;
	/* Only what is written with digits: strtod would also take "inf" and "0x10". */
	if (strspn(text, "0123456789.") != strlen(text) || !isdigit((unsigned char)text[0]))
		return false;
	const double v = strtod(text, &end);
	if (*end != '\0' || !(v >= low) || !(v <= high))
		return false;
	*value = v;
	return true;
}

static bool parse_whole(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
	char *end;
	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	const unsigned long long v = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || v < low || v > high)
		return false;
	*value = v;
	return true;
}

bool plan_time(const char *text, int64_t *time)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = {{"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"", 1e9}};
	char digits[32];
	const size_t size = strspn(text, "0123456789.");
	if (size >= sizeof(digits))
		return false;
	memcpy(digits, text, size);
	digits[size] = '\0';
	double value;
	if (!parse_number(digits, 0, 86400e3, &value))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + size, units[i].unit) != 0)
			continue;
		const double ns = value * units[i].ns;
		if (ns < 1 || ns > 86400e9)
			return false;
		*time = (int64_t)ns;
		return true;
	}
	return false;
}

static bool fail(char *error, const char *what, const char *value)
{
	snprintf(error, PLAN_ERROR, "%s, not '%.100s'", what, value);
	return false;
}

static bool complain(char *error, const char *what)
{
	snprintf(error, PLAN_ERROR, "%s", what);
	return false;
}

static bool set_distribution(struct plan *plan, const char *value, char *error)
{
	if (strcmp(value, "uniform") == 0)
		plan->zipf = 0;
	else if (strcmp(value, "zipf") == 0)
		plan->zipf = plan->zipf > 0 ? plan->zipf : 1.0;
	else
		return fail(error, "the distribution is uniform or zipf", value);
	return true;
}

static bool set_prefix(struct plan *plan, const char *value, char *error)
{
	if (strlen(value) >= PLAN_PREFIX || (value[0] && kudos_check_key(value, strlen(value)) != KUDOS_OK))
		return fail(error, "a prefix is up to 95 bytes of printable UTF-8 without spaces", value);
	strcpy(plan->prefix, value);
	plan->prefix_given = true;
	return true;
}

bool plan_set(struct plan *plan, const char *word, const char *value, char *error)
{
	uint64_t whole = 0;
	if (strcmp(word, "clients") == 0) {
		if (!parse_whole(value, 1, PLAN_CLIENTS, &whole))
			return fail(error, "clients is a number in 1..100000", value);
		plan->clients = (unsigned)whole;
	} else if (strcmp(word, "connections") == 0) {
		if (!parse_whole(value, 1, PLAN_CLIENTS, &whole))
			return fail(error, "connections is a number in 1..100000", value);
		plan->connections = (unsigned)whole;
	} else if (strcmp(word, "keys") == 0) {
		if (!parse_whole(value, 1, PLAN_KEYS, &whole))
			return fail(error, "keys is a number in 1..100000000", value);
		plan->keys = (uint32_t)whole;
	} else if (strcmp(word, "key-size") == 0) {
		if (!parse_whole(value, 1, KUDOS_KEY_MAX, &whole))
			return fail(error, "key-size is a number of bytes in 1..128", value);
		plan->key_size = (int)whole;
	} else if (strcmp(word, "window") == 0) {
		if (!parse_whole(value, 1, PLAN_WINDOW, &whole))
			return fail(error, "window is a number of likes in 1..65536", value);
		plan->window = (unsigned)whole;
	} else if (strcmp(word, "seed") == 0) {
		if (!parse_whole(value, 0, UINT64_MAX, &plan->seed))
			return fail(error, "a seed is a whole number", value);
	} else if (strcmp(word, "zipf") == 0) {
		if (!parse_number(value, 0.01, 10, &plan->zipf))
			return fail(error, "the exponent of zipf is a number in 0.01..10", value);
	} else if (strcmp(word, "distribution") == 0) {
		return set_distribution(plan, value, error);
	} else if (strcmp(word, "prefix") == 0) {
		return set_prefix(plan, value, error);
	} else {
		snprintf(error, PLAN_ERROR,
			 "unknown word '%.60s'; there are clients, connections, keys, distribution, prefix, "
			 "key-size, "
			 "window, seed, phase, after",
			 word);
		return false;
	}
	return true;
}

static bool set_name(char name[PLAN_NAME], const char *value, const char *what, char *error)
{
	if (strlen(value) >= PLAN_NAME)
		return fail(error, what, value);
	for (const char *c = value; *c; c++) {
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			return fail(error, what, value);
	}
	strcpy(name, value);
	return true;
}

bool plan_set_phase(struct plan_phase *phase, const char *word, const char *value, char *error)
{
	if (strcmp(word, "rate") == 0) {
		if (strcmp(value, "max") == 0)
			phase->rate = 0;
		else if (!parse_number(value, 0.001, PLAN_RATE, &phase->rate))
			return fail(error, "a rate is max, or likes a second in 0.001..1000000000", value);
	} else if (strcmp(word, "for") == 0) {
		if (!plan_time(value, &phase->duration))
			return fail(error, "a time looks like 10s, 500ms or 2m", value);
	} else if (strcmp(word, "count") == 0) {
		if (!parse_whole(value, 1, UINT64_C(1) << 53, &phase->count))
			return fail(error, "a count is a whole number of likes", value);
	} else {
		return fail(error, "a phase has max, rate, for and count", word);
	}
	return true;
}

/* phase NAME [max | rate R] [for T] [count N] */
static bool read_phase(struct plan *plan, char **words, size_t n, char *error)
{
	struct plan_phase phase = {.rate = 0};
	if (n < 2)
		return complain(error, "it is: phase NAME [max | rate N] [for TIME] [count N]");
	if (!set_name(phase.name, words[1], "a phase's name is up to 31 letters, digits, - and _", error))
		return false;
	for (size_t i = 2; i < n; i++) {
		if (strcmp(words[i], "max") == 0)
			phase.rate = 0;
		else if (!plan_set_phase(&phase, words[i], i + 1 < n ? words[i + 1] : "", error))
			return false;
		else
			i++;
	}
	if (phase.duration == 0 && phase.count == 0)
		return complain(error, "a phase needs an end: for TIME, count N, or both");
	if (plan->phase_count == PLAN_PHASES)
		return complain(error, "there may be 64 phases");
	plan->phases[plan->phase_count++] = phase;
	return true;
}

/* after T kill|restart NAME, after T add */
static bool read_step(struct plan *plan, char **words, size_t n, char *error)
{
	struct plan_step step = {.after = 0};
	const char *verb = n > 2 ? words[2] : "";
	if (plan->phase_count == 0)
		return complain(error, "a step belongs below a phase");
	if (n < 2 ||
	    (strcmp(words[1], "0") != 0 && strcmp(words[1], "0s") != 0 && !plan_time(words[1], &step.after)))
		return fail(error, "a time looks like 10s, 500ms or 2m", n < 2 ? "" : words[1]);
	const bool named = strcmp(verb, "kill") == 0 || strcmp(verb, "restart") == 0;
	if ((!named && strcmp(verb, "add") != 0) || n != (named ? 4 : 3))
		return fail(error, "it is: after TIME kill NAME, restart NAME, or add", verb);
	strcpy(step.verb, verb);
	if (named && !set_name(step.name, words[3], "a name is leader, s1, s2, …", error))
		return false;
	step.phase = (unsigned)plan->phase_count - 1;
	const struct plan_phase *phase = &plan->phases[step.phase];
	if (phase->duration && step.after > phase->duration)
		return fail(error, "a step comes before its phase ends", words[1]);
	const struct plan_step *last = plan->step_count ? &plan->steps[plan->step_count - 1] : NULL;
	if (last && last->phase == step.phase && last->after > step.after)
		return fail(error, "the steps of a phase stand in the order of their times", words[1]);
	if (plan->step_count == PLAN_STEPS)
		return complain(error, "there may be 256 steps");
	plan->steps[plan->step_count++] = step;
	return true;
}

static bool read_line(struct plan *plan, char *line, char *error)
{
	char *words[16], *rest = NULL;
	size_t n = 0;
	line[strcspn(line, "#")] = '\0';
	for (char *w = strtok_r(line, " \t\r\n", &rest); w; w = strtok_r(NULL, " \t\r\n", &rest)) {
		if (n == sizeof(words) / sizeof(words[0]))
			return fail(error, "too many words on this line", w);
		words[n++] = w;
	}
	if (n == 0)
		return true;
	if (strcmp(words[0], "phase") == 0)
		return read_phase(plan, words, n, error);
	if (strcmp(words[0], "after") == 0)
		return read_step(plan, words, n, error);
	if (strcmp(words[0], "distribution") == 0 && n == 3 && strcmp(words[1], "zipf") == 0)
		return plan_set(plan, "zipf", words[2], error);
	if (n == 1)
		return plan_set(plan, words[0], "", error);
	if (n > 2)
		return fail(error, "too many words on this line", words[2]);
	return plan_set(plan, words[0], words[1], error);
}

bool plan_read(struct plan *plan, const char *path, char *error)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, fault[PLAN_ERROR];
	size_t size = 0;
	unsigned number = 0;
	bool good = true;
	if (!file) {
		snprintf(error, PLAN_ERROR, "%.200s: %s", path, strerror(errno));
		return false;
	}
	while (good && getline(&line, &size, file) >= 0) {
		number++;
		good = read_line(plan, line, fault);
		if (!good)
			snprintf(error, PLAN_ERROR, "%.150s:%u: %.300s", path, number, fault);
	}
	if (good && !feof(file)) { /* an error, or no memory for a longer line */
		snprintf(error, PLAN_ERROR, "%.200s: cannot be read", path);
		good = false;
	}
	if (good && plan->phase_count == 0) {
		snprintf(error, PLAN_ERROR, "%.200s: there is no phase in it", path);
		good = false;
	}
	free(line);
	fclose(file);
	return good;
}

int plan_key_bytes(const struct plan *plan, uint32_t index)
{
	return snprintf(NULL, 0, "%skey:%u", plan->prefix, index);
}

bool plan_finish(struct plan *plan, char *error)
{
	if (!plan->prefix_given) {
		uint32_t run = 0;
		if (getrandom(&run, sizeof(run), 0) != (ssize_t)sizeof(run))
			return complain(error,
					"the kernel has no random numbers for a prefix; give --prefix");
		snprintf(plan->prefix, sizeof(plan->prefix), "%08x:", run);
	}
	if (plan_key_bytes(plan, plan->keys - 1) > KUDOS_KEY_MAX)
		return fail(error, "prefix and number make keys of over 128 bytes; shorten the prefix",
			    plan->prefix);
	return true;
}
