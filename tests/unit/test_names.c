/* SPDX-License-Identifier: MIT */
/* What is kept in files is found after a power failure by its name: a data folder and those that it is in, a
 * pair of keys, how far an import is. */
#include "unit/power_disk.h"

#include "net/certificate.h"
#include "state.h"

#define DONE 1 /* is said: so much has been done */

/* Does the next thing, or checks that so many are done, in the folder. */
typedef void (*names_fn)(const struct folder *f, unsigned done);

static void do_some(names_fn next, const struct folder *f, unsigned done, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		next(f, ++done);
		say(DONE, done);
	}
	stop_noting();
}

static void check_all(names_fn check, const struct history *h, size_t from, struct random *random)
{
	for (size_t over = from; over < h->count; over += 1 + random_below(random, 3)) {
		struct folder f = cut_power(h, over, random);
		check(&f, (unsigned)said_by(h, DONE, over));
		folder_remove(&f);
	}
}

/* The power fails at every moment, and at every moment of a process after one that was killed. */
static void at_all_moments(names_fn next, names_fn check)
{
	struct random random;
	struct history history, later;
	struct folder f = folder_new();
	random_seed(&random, 20261126);
	start_noting(&f, &history);
	do_some(next, &f, 0, 3);
	folder_remove(&f);
	check_all(check, &history, 0, &random);
	for (size_t over = 0; over < history.count; over += 1 + random_below(&random, 3)) {
		f = cut_power(&history, over, NULL);
		go_on_noting(&f, &later, &history, over);
		do_some(next, &f, (unsigned)said_by(&history, DONE, over), 2);
		folder_remove(&f);
		check_all(check, &later, over, &random);
		history_free(&later);
	}
	history_free(&history);
}

/* ---- a data folder ---- */

static struct folder data_folder(const struct folder *f)
{
	struct folder data;
	snprintf(data.path, sizeof data.path, "%.40s/var/lib/s1", f->path);
	return data;
}

static void like(const struct folder *f, unsigned done)
{
	struct folder data = data_folder(f);
	struct store *s = disk_new(&data, 4096);
	for (uint64_t lsn = s->report.entries + 1; lsn <= done; lsn++)
		append_commit(s, at(1, lsn));
	s->ops->close(s);
}

static void check_likes(const struct folder *f, unsigned done)
{
	struct folder data = data_folder(f);
	struct store *s = disk_new(&data, 4096);
	cr_assert(s->report.entries >= done, "%lu of %u", s->report.entries, done);
	s->ops->close(s);
}

Test(names, of_a_data_folder_are_on_disk)
{
	at_all_moments(like, check_likes);
}

/* ---- keys ---- */

static void make_keys(const struct folder *f, unsigned done)
{
	char path[400], why[200] = "";
	folder_path(f, "keys/a.cert", path);
	zcert_t *c = certificate_new(ROLE_SERVER, "s1");
	int r = certificate_write(c, path, done != 2, why, sizeof why);
	cr_assert(r == 0 || r == -EEXIST, "%s", why);
	zcert_destroy(&c);
}

static void check_keys(const struct folder *f, unsigned done)
{
	char path[400], why[200] = "";
	zcert_t *c = NULL;
	folder_path(f, "keys/a.cert", path);
	if (access(path, F_OK) == 0)
		cr_assert(certificate_read_own(&c, path, why, sizeof why) == 0, "%s", why);
	cr_assert(done == 0 || c != NULL);
	zcert_destroy(&c);
}

Test(names, of_keys_are_on_disk)
{
	at_all_moments(make_keys, check_keys);
}

/* ---- an import ---- */

/* Before a batch is sent it says so. */
static void import(const struct folder *f, unsigned done)
{
	struct state_file file;
	struct state state = {
	    .session = "s", .making = {.input.hash = "0", .key_column = 1, .count_column = 2}, .batches = 9};
	char path[400], why[200] = "";
	folder_path(f, "rows.csv.state", path);
	cr_assert(state_open(&file, path, &state, why, sizeof why) >= 0, "%s", why);
	say(DONE, state.sent);
	state.sent = done;
	cr_assert(state_save(&file, &state) == 0);
	state_close(&file);
}

static void check_import(const struct folder *f, unsigned done)
{
	struct state_file file;
	struct state state = {0};
	char path[400], why[200] = "";
	folder_path(f, "rows.csv.state", path);
	cr_assert(state_open(&file, path, &state, why, sizeof why) >= 0, "%s", why);
	cr_assert(state.sent >= done, "%lu of %u", state.sent, done);
	state_close(&file);
}

Test(names, of_an_import_are_on_disk)
{
	at_all_moments(import, check_import);
}
