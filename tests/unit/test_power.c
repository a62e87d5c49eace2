/* SPDX-License-Identifier: MIT */
/* The power fails, and what was not flushed by then is on the disk in part (unit/power_disk.h). Whatever is
 * left must open. The journal must begin with all that was committed and not truncated, go on with nothing
 * but the first entries of the commit that was under way, and call nothing damaged; the checkpoint is the
 * last one or the one under way, whole. That is what the simulator's disk rests on (tests/sim/disk.c). */
#include "unit/power_disk.h"

#define KEYS 60
#define COMMITS 60

/* What the work says, and how it is counted. */
enum said {
	SAID_OPENED,	/* so many records were found */
	SAID_COMMITTED, /* so many commits */
	SAID_BEGUN,	/* so many checkpoints */
	SAID_SAVED,
	SAID_FLOOR,   /* records that may go */
	SAID_CLEARED, /* and that have gone */
};

/* ---- what is kept ---- */

static uint64_t kept[COMMITS + 2]; /* how many records after each commit */

static void plan(void)
{
	for (unsigned n = 1; n < COMMITS + 2; n++)
		kept[n] = kept[n - 1] + 1 + hash_pair(n, 0, 6) % 12;
}

/* Key i's value in checkpoint n: the number of the last one that changed it; 0: it has none. */
static unsigned value_at(unsigned key, unsigned n)
{
	while (n > 0 && n % 5 != 0 && hash_pair(key, n, 3) % 3 != 0)
		n--; /* each fifth is written anew, as a snapshot */
	return n > 0 && hash_pair(key, n, 4) % 5 == 0 ? 0 : n;
}

static void save(struct store *s, unsigned n)
{
	cr_assert(s->ops->checkpoint_begin(s, n % 5 == 0) == 0);
	for (unsigned key = 0; key < KEYS; key++) {
		unsigned value = value_at(key, n);
		char name[8], text[1200];
		if (n % 5 != 0 && value != n && !(value == 0 && value_at(key, n - 1) != 0))
			continue;
		snprintf(name, sizeof name, "k%03u", key);
		memset(text, 'a' + (int)(key % 26), sizeof text);
		memcpy(text, &value, sizeof value);
		size_t size = value ? 8 + hash_pair(key, value, 5) % (sizeof text - 8) : 0;
		if (size || n % 5 != 0)
			cr_assert(s->ops->checkpoint_put(s, name, 4, text, size) == 0);
	}
	cr_assert(s->ops->checkpoint_put(s, "n", 1, &n, sizeof n) == 0);
	say(SAID_BEGUN, n);
	cr_assert(s->ops->checkpoint_commit(s) == 0);
}

static void truncate_to(struct store *s, uint64_t records)
{
	struct position floor = at(1, records);
	say(SAID_FLOOR, records);
	cr_assert(s->ops->journal_truncate(s, &(struct vector){.at = &floor, .count = 1}) == 0);
}

/* The journal is begun anew, as when a snapshot is taken in. */
static void clear(struct store *s, uint64_t records)
{
	say(SAID_FLOOR, records);
	cr_assert(s->ops->journal_clear(s) == 0);
	say(SAID_CLEARED, records);
}

struct done {
	unsigned commits, saves;
	uint64_t records; /* more than that many commits have: the next one was torn */
};

/* Commits, checkpoints and truncations, side by side. */
static void work(struct store *s, struct done done, unsigned upto)
{
	save(s, ++done.saves);
	cr_assert(checkpoint_wait(s) == 0);
	say(SAID_SAVED, done.saves);
	for (unsigned n = done.commits + 1; n <= upto; n++) {
		while (done.records < kept[n])
			cr_assert(append(s, at(1, ++done.records)) == 0);
		cr_assert(s->ops->journal_append(s, ENTRY_META, at(0, 0), &n, sizeof n) == 0);
		cr_assert(s->ops->journal_commit(s) == 0);
		say(SAID_COMMITTED, n);
		if (n % 4 == 0) {
			save(s, ++done.saves);
			cr_assert(n % 8 != 0 || checkpoint_wait(s) == 0);
		}
		if (n % 4 == 3 && done.saves) {
			cr_assert(checkpoint_wait(s) == 0);
			say(SAID_SAVED, done.saves);
			truncate_to(s, kept[n / 2]);
		}
		if (n % 25 == 9)
			clear(s, done.records);
	}
}

/* ---- what is left ---- */

struct replayed {
	uint64_t first, last; /* nothing in between is missing */
	unsigned meta;
};

static int replay_one(void *arg, const struct entry *e)
{
	struct replayed *r = arg;
	uint8_t data[256];
	if (e->kind == ENTRY_META) {
		memcpy(&r->meta, e->data, sizeof r->meta);
		return 0;
	}
	if (e->kind == ENTRY_GONE)
		return 0; /* truncated */
	size_t size = payload(e->at, data);
	cr_assert(e->size == size && (size == 0 || memcmp(e->data, data, size) == 0));
	cr_assert(r->last == 0 || e->at.lsn == r->last + 1, "%lu after %lu", e->at.lsn, r->last);
	r->first = r->first ? r->first : e->at.lsn;
	r->last = e->at.lsn;
	return 0;
}

/* Of segments that may go the newest may be there. */
static struct replayed check_journal(struct store *s, const struct history *h, size_t over)
{
	struct replayed r = {0};
	unsigned committed = (unsigned)said_by(h, SAID_COMMITTED, over);
	uint64_t floor = said_by(h, SAID_FLOOR, over), cleared = said_by(h, SAID_CLEARED, over);
	uint64_t opened = said_by(h, SAID_OPENED, over);
	cr_assert(s->report.damaged_bytes == 0, "%lu bytes damaged", s->report.damaged_bytes);
	cr_assert(s->ops->journal_replay(s, replay_one, &r) == 0);
	cr_assert(r.first == 0 || r.first > cleared, "from %lu, cleared up to %lu", r.first, cleared);
	cr_assert(r.first <= floor + 1, "from %lu, truncated up to %lu", r.first, floor);
	cr_assert(s->ops->journal_lowest(s, (struct origin){1}) == r.first);
	for (uint64_t lsn = r.first; lsn <= r.last; lsn++)
		cr_assert(lsn == 0 || check_read(s, at(1, lsn)) == 0);
	r.last = r.last > floor ? r.last : floor;
	cr_assert(r.last >= kept[committed] && r.last >= opened && r.last <= kept[committed + 1],
		  "up to %lu, after %u commits", r.last, committed);
	cr_assert(r.meta == committed || (r.meta == committed + 1 && r.last == kept[r.meta]), "meta %u",
		  r.meta);
	return r;
}

static unsigned check_checkpoint(struct store *s, const struct history *h, size_t over)
{
	unsigned n = 0, values[KEYS] = {0};
	struct store_cursor *c;
	const uint8_t *key, *value;
	size_t key_size, size;
	int r;
	cr_assert(s->ops->cursor_open(s, &c) == 0);
	while ((r = s->ops->cursor_next(c, &key, &key_size, &value, &size)) == 1) {
		unsigned number;
		cr_assert(size >= sizeof number);
		memcpy(&number, value, sizeof number);
		if (key[0] == 'n')
			n = number;
		else
			values[(key[1] - '0') * 100 + (key[2] - '0') * 10 + (key[3] - '0')] = number;
	}
	cr_assert(r == 0, "%d", r);
	s->ops->cursor_close(c);
	cr_assert(n >= said_by(h, SAID_SAVED, over) && n <= said_by(h, SAID_BEGUN, over), "checkpoint %u", n);
	for (unsigned k = 0; k < KEYS; k++)
		cr_assert(values[k] == value_at(k, n), "k%03u is of %u in checkpoint %u", k, values[k], n);
	return n;
}

static void check_after(const struct history *h, size_t over, struct random *random)
{
	struct folder f = cut_power(h, over, random);
	for (int again = 0; again < 2; again++) { /* what opening settled is so the next time */
		struct store *s = disk_new(&f, 4096);
		check_journal(s, h, over);
		check_checkpoint(s, h, over);
		s->ops->close(s);
	}
	folder_remove(&f);
}

/* Then it is opened, works for a while, and the power fails meanwhile. */
static void open_and_fail(struct folder f, struct history *history, struct random *random)
{
	size_t begun = history->count;
	struct store *s = disk_new(&f, 4096);
	struct replayed r = check_journal(s, history, history->count);
	struct done done = {r.meta, check_checkpoint(s, history, history->count), r.last};
	say(SAID_COMMITTED, done.commits);
	say(SAID_SAVED, done.saves);
	say(SAID_OPENED, done.records);
	work(s, done, done.commits + 5 < COMMITS ? done.commits + 5 : COMMITS);
	size_t count = history->count;
	s->ops->close(s);
	stop_noting();
	folder_remove(&f);
	for (size_t over = begun; over < count; over += 1 + random_below(random, 5))
		check_after(history, over, random);
	history_free(history);
}

static void fail_again(const struct history *first, size_t over, struct random *random)
{
	struct history history;
	struct folder f = cut_power(first, over, random);
	start_noting(&f, &history);
	for (int what = SAID_COMMITTED; what <= SAID_CLEARED; what++)
		say(what, said_by(first, what, over));
	open_and_fail(f, &history, random);
}

static void fail_after_kill(const struct history *first, size_t over, struct random *random)
{
	struct history history;
	struct folder f = cut_power(first, over, NULL);
	go_on_noting(&f, &history, first, over);
	open_and_fail(f, &history, random);
}

/* step: how many more moments are left out at the most, each time. */
static void at_moments(void (*fn)(const struct history *h, size_t over, struct random *random), uint64_t step)
{
	struct random random;
	struct history history;
	struct folder f = folder_new();
	random_seed(&random, 20261125);
	plan();
	start_noting(&f, &history);
	struct store *s = disk_new(&f, 4096);
	work(s, (struct done){0}, COMMITS);
	size_t count = history.count;
	s->ops->close(s);
	stop_noting();
	folder_remove(&f);
	for (size_t over = 0; over < count; over += 1 + random_below(&random, step))
		fn(&history, over, &random);
	history_free(&history);
	assert_no_leak();
}

Test(power, whatever_was_not_flushed_may_be_there_in_part)
{
	at_moments(check_after, 5);
}

Test(power, fails_again_while_it_is_opened)
{
	at_moments(fail_again, 300);
}

Test(power, fails_after_a_killed_process_was_started_again)
{
	at_moments(fail_after_kill, 60);
}
