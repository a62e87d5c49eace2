/* SPDX-License-Identifier: MIT */
/* Script files of kudos-load: whatever is in the file, a plan that is accepted keeps within the limits that
 * its header names, and one that is not says why. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/input.h"
#include "kudos.h"
#include "plan.h"
#include "wire/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libkudos's, without the rest of it. */
int kudos_check_key(const char *key, size_t size)
{
	return key_check(key, size);
}

/* A day in nanoseconds. */
#define LONGEST INT64_C(86400000000000)

static void check_phase(const struct plan_phase *p)
{
	must(memchr(p->name, 0, sizeof p->name));
	must(p->name[0] != '\0');
	must(p->rate >= 0 && p->rate <= PLAN_RATE);
	must(p->duration >= 0 && p->duration <= LONGEST);
	must(p->duration > 0 || p->count > 0);
	must(p->count <= UINT64_C(1) << 53);
}

static void check_step(const struct plan *plan, size_t i)
{
	const struct plan_step *s = &plan->steps[i];
	must(s->phase < plan->phase_count);
	must(s->after >= 0 && s->after <= LONGEST);
	bool add = strcmp(s->verb, "add") == 0;
	must(add || strcmp(s->verb, "kill") == 0 || strcmp(s->verb, "restart") == 0);
	must(memchr(s->name, 0, sizeof s->name));
	must(add == (s->name[0] == '\0'));
	int64_t duration = plan->phases[s->phase].duration;
	must(duration == 0 || s->after <= duration);
	const struct plan_step *last = i > 0 ? s - 1 : NULL;
	must(!last || last->phase < s->phase || (last->phase == s->phase && last->after <= s->after));
}

static void check(const struct plan *plan)
{
	must(plan->clients >= 1 && plan->clients <= PLAN_CLIENTS);
	must(plan->keys >= 1 && plan->keys <= PLAN_KEYS);
	must(plan->window >= 1 && plan->window <= PLAN_WINDOW);
	must(isfinite(plan->zipf) && plan->zipf >= 0 && plan->zipf <= 10);
	must(plan->key_size >= 0 && plan->key_size <= KUDOS_KEY_MAX);
	size_t prefix = strnlen(plan->prefix, sizeof plan->prefix);
	must(prefix < sizeof plan->prefix);
	must(prefix == 0 || kudos_check_key(plan->prefix, prefix) == KUDOS_OK);
	must(plan->phase_count >= 1 && plan->phase_count <= PLAN_PHASES);
	must(plan->step_count <= PLAN_STEPS);
	for (size_t i = 0; i < plan->phase_count; i++)
		check_phase(&plan->phases[i]);
	for (size_t i = 0; i < plan->step_count; i++)
		check_step(plan, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int file = -1;
	char path[64], error[PLAN_ERROR];
	struct plan plan;
	if (file < 0)
		file = memfd_create("script", MFD_CLOEXEC);
	must(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	memset(error, 'x', sizeof error);
	plan_init(&plan);
	bool good = plan_read(&plan, path, error);
	if (good) {
		check(&plan);
		good = plan_finish(&plan, error);
	}
	if (good)
		must(plan_key_bytes(&plan, plan.keys - 1) <= KUDOS_KEY_MAX);
	else
		must(memchr(error, 0, sizeof error) && error[0] != '\0');
	return 0;
}
