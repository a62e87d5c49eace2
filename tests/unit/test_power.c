/* SPDX-License-Identifier: MIT */
/* The power fails: whatever was not flushed by then is on the disk in part, sector by sector, in no order.
 * The store works on real files while every write and flush to them is noted, libmdb's too; then folders are
 * put together as a disk could hold them at some moment, and opened. The journal must begin with all that was
 * committed, go on with nothing but the first entries of the commit that was under way, and call nothing
 * damaged; the checkpoint is the last one or the one under way, whole. That is what the simulator's disk
 * rests on (tests/sim/disk.c). */
/* Else pwrite would be another name for pwrite64 here, and both are wanted. */
#undef _FILE_OFFSET_BITS
#include "unit/random.h"
#include "unit/store_folder.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define SECTOR 512
#define FILES 64
#define KEYS 60
#define COMMITS 60

/* ---- what is noted ---- */

enum step_type {
	STEP_WRITE,
	STEP_SIZE,
	STEP_FLUSH,
	STEP_REMOVE,
	STEP_RENAME,
	STEP_COMMITTED,
	STEP_BEGUN,
	STEP_SAVED
};

struct step {
	enum step_type type;
	char file[64], to[64];
	uint64_t offset; /* or the size; or how many entries or checkpoints by now */
	uint8_t *data;
	size_t size;
	bool durable; /* once it is over, by itself (O_DSYNC) */
};

static struct {
	pthread_mutex_t mutex;
	char folder[64]; /* "": nothing is noted */
	struct step *steps;
	size_t count, capacity;
} noted = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void note(struct step step)
{
	if (noted.count == noted.capacity) {
		noted.capacity = noted.capacity ? 2 * noted.capacity : 1024;
		noted.steps = realloc(noted.steps, noted.capacity * sizeof *noted.steps);
		cr_assert(noted.steps != NULL);
	}
	noted.steps[noted.count++] = step;
}

static void mark(enum step_type type, uint64_t number)
{
	pthread_mutex_lock(&noted.mutex);
	note((struct step){.type = type, .offset = number});
	pthread_mutex_unlock(&noted.mutex);
}

/* The name of the store's file that fd is; NULL: it is none. */
static bool is_noted(int fd, char file[64])
{
	char link[40], path[400];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, sizeof path - 1);
	size_t folder = strlen(noted.folder);
	if (size < 0 || folder == 0)
		return false;
	path[size] = '\0';
	if (strncmp(path, noted.folder, folder) != 0 || path[folder] != '/')
		return false;
	snprintf(file, 64, "%.63s", path + folder + 1);
	return strcmp(file, "lock") != 0;
}

static void note_write(int fd, const void *data, size_t size, off_t offset)
{
	struct step step = {.type = STEP_WRITE, .offset = (uint64_t)offset, .size = size};
	if (!is_noted(fd, step.file))
		return;
	step.durable = fcntl(fd, F_GETFL) & O_DSYNC;
	step.data = malloc(size);
	cr_assert(step.data != NULL);
	memcpy(step.data, data, size);
	note(step);
}

/* Each of these stands before the C library's, for the store and for libmdb. */
#define INSTEAD __attribute__((visibility("default")))

INSTEAD ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	pthread_mutex_lock(&noted.mutex);
	ssize_t n = syscall(SYS_pwrite64, fd, data, size, offset);
	if (n > 0)
		note_write(fd, data, (size_t)n, offset);
	pthread_mutex_unlock(&noted.mutex);
	return n;
}

INSTEAD ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
	return pwrite(fd, data, size, offset);
}

INSTEAD ssize_t write(int fd, const void *data, size_t size)
{
	pthread_mutex_lock(&noted.mutex);
	off_t offset = lseek(fd, 0, SEEK_CUR);
	ssize_t n = syscall(SYS_write, fd, data, size);
	if (n > 0 && offset >= 0)
		note_write(fd, data, (size_t)n, offset);
	pthread_mutex_unlock(&noted.mutex);
	return n;
}

INSTEAD ssize_t writev(int fd, const struct iovec *parts, int count)
{
	ssize_t all = 0;
	for (int i = 0; i < count; i++) {
		ssize_t n = write(fd, parts[i].iov_base, parts[i].iov_len);
		if (n < 0)
			return all ? all : n;
		all += n;
	}
	return all;
}

static int note_done(int fd, int r, struct step step)
{
	if (r == 0 && is_noted(fd, step.file))
		note(step);
	pthread_mutex_unlock(&noted.mutex);
	return r;
}

static int flush(int fd, long number)
{
	pthread_mutex_lock(&noted.mutex);
	return note_done(fd, (int)syscall(number, fd), (struct step){.type = STEP_FLUSH});
}

INSTEAD int fdatasync(int fd)
{
	return flush(fd, SYS_fdatasync);
}

INSTEAD int fsync(int fd)
{
	return flush(fd, SYS_fsync);
}

INSTEAD int ftruncate(int fd, off_t size)
{
	pthread_mutex_lock(&noted.mutex);
	return note_done(fd, (int)syscall(SYS_ftruncate, fd, size),
			 (struct step){.type = STEP_SIZE, .offset = (uint64_t)size});
}

INSTEAD int ftruncate64(int fd, off_t size)
{
	return ftruncate(fd, size);
}

INSTEAD int fallocate64(int fd, int mode, off_t offset, off_t size)
{
	pthread_mutex_lock(&noted.mutex);
	return note_done(fd, (int)syscall(SYS_fallocate, fd, mode, offset, size),
			 (struct step){.type = STEP_SIZE, .offset = (uint64_t)(offset + size)});
}

INSTEAD int unlinkat(int dir, const char *name, int flags)
{
	pthread_mutex_lock(&noted.mutex);
	int r = (int)syscall(SYS_unlinkat, dir, name, flags);
	struct step step = {.type = STEP_REMOVE};
	snprintf(step.file, sizeof step.file, "%.63s", name);
	if (r == 0 && noted.folder[0])
		note(step);
	pthread_mutex_unlock(&noted.mutex);
	return r;
}

INSTEAD int rename(const char *from, const char *to)
{
	pthread_mutex_lock(&noted.mutex);
	int r = (int)syscall(SYS_rename, from, to);
	size_t folder = strlen(noted.folder);
	struct step step = {.type = STEP_RENAME};
	if (r == 0 && folder && strncmp(from, noted.folder, folder) == 0) {
		snprintf(step.file, sizeof step.file, "%.63s", from + folder + 1);
		snprintf(step.to, sizeof step.to, "%.63s", to + folder + 1);
		note(step);
	}
	pthread_mutex_unlock(&noted.mutex);
	return r;
}

INSTEAD int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	pthread_mutex_lock(&noted.mutex);
	int r = (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
	struct step step = {.type = STEP_RENAME};
	snprintf(step.file, sizeof step.file, "%.63s", from);
	snprintf(step.to, sizeof step.to, "%.63s", to);
	if (r == 0 && noted.folder[0])
		note(step);
	pthread_mutex_unlock(&noted.mutex);
	return r;
}

static void start_noting(const struct folder *f)
{
	pthread_mutex_lock(&noted.mutex);
	strcpy(noted.folder, f->path);
	pthread_mutex_unlock(&noted.mutex);
}

static void stop_noting(void)
{
	pthread_mutex_lock(&noted.mutex);
	noted.folder[0] = '\0';
	pthread_mutex_unlock(&noted.mutex);
}

/* ---- a disk as it may be ---- */

struct image {
	char name[64];
	uint8_t *data;
	size_t size;
	size_t flushed; /* the last step that put all before it on disk */
	bool removed;
};

struct images {
	struct image at[FILES];
	size_t count;
};

static struct image *image_of(struct images *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++) {
		if (!all->at[i].removed && strcmp(all->at[i].name, name) == 0)
			return &all->at[i];
	}
	cr_assert(all->count < FILES);
	struct image *made = &all->at[all->count++];
	*made = (struct image){0};
	strcpy(made->name, name);
	return made;
}

static void resize(struct image *image, size_t size)
{
	image->data = realloc(image->data, size + 1);
	cr_assert(image->data != NULL);
	if (size > image->size)
		memset(image->data + image->size, 0, size - image->size);
	image->size = size;
}

/* Which of its sectors reach the disk: in of 1000. */
static void write_part(struct image *image, const struct step *step, uint64_t in, struct random *random)
{
	for (uint64_t at = step->offset, end = step->offset + step->size; at < end;) {
		uint64_t next = (at / SECTOR + 1) * SECTOR < end ? (at / SECTOR + 1) * SECTOR : end;
		if (random_below(random, 1000) < in) {
			if (image->size < next)
				resize(image, next);
			memcpy(image->data + at, step->data + (at - step->offset), next - at);
		}
		at = next;
	}
}

/* What a step does to the names. */
static struct image *name_step(struct images *all, const struct step *s)
{
	if (s->type >= STEP_COMMITTED)
		return NULL;
	struct image *image = image_of(all, s->file);
	if (s->type == STEP_REMOVE)
		image->removed = true;
	if (s->type == STEP_RENAME)
		strcpy(image->name, s->to);
	return image;
}

/* After `over` steps, in the middle of the next one. Names and sizes are the file system's own, which keeps
 * them in order. */
static void cut_power(struct images *all, size_t over, uint64_t in, struct random *random)
{
	struct images later = {0}; /* the same ones, in the same order */
	for (size_t i = 0; i < over; i++) {
		struct image *image = name_step(&later, &noted.steps[i]);
		if (noted.steps[i].type == STEP_FLUSH)
			image->flushed = i;
	}
	for (size_t i = 0; i < over; i++) {
		const struct step *s = &noted.steps[i];
		struct image *image = name_step(all, s);
		if (s->type == STEP_SIZE)
			resize(image, s->offset);
		if (s->type == STEP_WRITE) {
			bool whole = i < later.at[image - all->at].flushed || s->durable;
			write_part(image, s, whole ? 1000 : in, random);
		}
	}
	if (noted.steps[over].type == STEP_WRITE)
		write_part(image_of(all, noted.steps[over].file), &noted.steps[over], in, random);
}

static void lay_down(struct images *all, const struct folder *f)
{
	for (size_t i = 0; i < all->count; i++) {
		char path[400];
		folder_path(f, all->at[i].name, path);
		if (!all->at[i].removed)
			file_write(path, all->at[i].data, all->at[i].size);
		free(all->at[i].data);
	}
}

/* ---- what is kept ---- */

static uint64_t kept[COMMITS + 1]; /* how many records after each commit */

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
	mark(STEP_BEGUN, n);
	cr_assert(s->ops->checkpoint_commit(s) == 0);
}

/* Commits, checkpoints and truncations, side by side. */
static void work(struct store *s, struct random *random)
{
	unsigned saving = 0;
	uint64_t records = 0;
	for (unsigned n = 1; n <= COMMITS; n++) {
		for (uint64_t left = 1 + random_below(random, 12); left > 0; left--)
			cr_assert(append(s, at(1, ++records)) == 0);
		kept[n] = records;
		cr_assert(s->ops->journal_append(s, ENTRY_META, at(0, 0), &n, sizeof n) == 0);
		cr_assert(s->ops->journal_commit(s) == 0);
		mark(STEP_COMMITTED, n);
		if (n % 4 == 0) {
			save(s, ++saving);
			cr_assert(n % 8 != 0 || checkpoint_wait(s) == 0);
		}
		if (n % 4 == 3 && saving) {
			cr_assert(checkpoint_wait(s) == 0);
			mark(STEP_SAVED, saving);
			struct position floor = at(1, kept[n / 2]);
			cr_assert(s->ops->journal_truncate(s, &(struct vector){.at = &floor, .count = 1}) ==
				  0);
		}
	}
}

static uint64_t last_of(enum step_type type, size_t over)
{
	while (over > 0 && noted.steps[over - 1].type != type)
		over--;
	return over ? noted.steps[over - 1].offset : 0;
}

struct replayed {
	uint64_t first, last;
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

static void check_journal(struct store *s, size_t over)
{
	struct replayed r = {0};
	unsigned committed = (unsigned)last_of(STEP_COMMITTED, over);
	cr_assert(s->report.damaged_bytes == 0, "%lu bytes damaged", s->report.damaged_bytes);
	cr_assert(s->ops->journal_replay(s, replay_one, &r) == 0);
	cr_assert(r.last >= kept[committed] && (committed == COMMITS || r.last <= kept[committed + 1]),
		  "up to %lu, after %u commits", r.last, committed);
	cr_assert(r.first <= kept[committed / 2 + 1] + 1);
	cr_assert(r.meta == committed || (r.meta == committed + 1 && r.last == kept[r.meta]));
	for (uint64_t lsn = r.first; lsn <= r.last; lsn++)
		cr_assert(lsn == 0 || check_read(s, at(1, lsn)) == 0);
}

static void check_checkpoint(struct store *s, size_t over)
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
	cr_assert(n >= last_of(STEP_SAVED, over) && n <= last_of(STEP_BEGUN, over), "checkpoint %u", n);
	for (unsigned k = 0; k < KEYS; k++)
		cr_assert(values[k] == value_at(k, n), "k%03u is of %u in checkpoint %u", k, values[k], n);
}

static void check_after(size_t over, struct random *random)
{
	static const uint64_t reach[] = {0, 300, 700, 1000};
	struct images all = {0};
	struct folder f = folder_new();
	cut_power(&all, over, reach[random_below(random, 4)], random);
	lay_down(&all, &f);
	for (int again = 0; again < 2; again++) { /* what opening settled is so the next time */
		struct store *s = disk_new(&f, 4096);
		check_journal(s, over);
		check_checkpoint(s, over);
		s->ops->close(s);
	}
	folder_remove(&f);
}

Test(power, whatever_was_not_flushed_may_be_there_in_part)
{
	struct random random;
	struct folder f = folder_new();
	random_seed(&random, 20261125);
	start_noting(&f);
	struct store *s = disk_new(&f, 4096);
	work(s, &random);
	size_t count = noted.count;
	s->ops->close(s);
	stop_noting();
	folder_remove(&f);
	for (size_t over = 0; over < count; over += 1 + random_below(&random, 5))
		check_after(over, &random);
	for (size_t i = 0; i < noted.count; i++)
		free(noted.steps[i].data);
	free(noted.steps);
	noted.steps = NULL;
	assert_no_leak();
}
