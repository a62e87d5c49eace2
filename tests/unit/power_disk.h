/* SPDX-License-Identifier: MIT */
/* A disk whose power fails. While the program works on the real files of a folder, every write, flush and
 * change of a name there is noted, libraries' too; then the folder is put together as a disk could hold it at
 * some moment: of what was not flushed by then, each sector of a file, each size and each name may be there
 * or not, in no order. Names are flushed by fsync of the folder that they are in, and by nothing else; two
 * changes of one name keep their order, and a rename is both of its names or neither. For one program: these
 * functions stand before the C library's. */
#ifndef TESTS_POWER_DISK_H
#define TESTS_POWER_DISK_H

/* Else pwrite would be another name for pwrite64 here, and both are wanted. */
#undef _FILE_OFFSET_BITS
#include "unit/random.h"
#include "unit/store_folder.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define SECTOR 512
#define FILES 256
#define NAME 64

/* ---- what is noted ---- */

enum step_type {
	STEP_WRITE,
	STEP_SIZE,
	STEP_FLUSH,
	STEP_MAKE, /* a name, and what it is of; from here on what happens to names */
	STEP_MAKE_FOLDER,
	STEP_LINK,
	STEP_REMOVE,
	STEP_RENAME,
	STEP_FLUSH_NAMES,
	STEP_SAID /* by the test itself */
};

struct step {
	enum step_type type;
	int file;		   /* numbered as they are made */
	char name[NAME], to[NAME]; /* in the folder; "": the folder itself */
	int what;		   /* is said */
	uint64_t offset;	   /* or the size; or the number that is said */
	uint8_t *data;
	size_t size;
	bool durable; /* once it is over, by itself (O_DSYNC) */
};

struct history {
	struct step *steps;
	size_t count, capacity;
	int files;
};

struct named {
	char name[NAME];
	int file; /* -1: a folder */
};

struct names {
	struct named at[FILES];
	size_t count;
};

static struct {
	pthread_mutex_t mutex;
	char folder[NAME]; /* "": nothing is noted */
	struct history *history;
	struct names names; /* as they are by now */
} noted = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct named *named_find(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->at[i].name, name) == 0)
			return &names->at[i];
	}
	return NULL;
}

static void named_remove(struct names *names, const char *name)
{
	struct named *n = named_find(names, name);
	if (n)
		memmove(n, n + 1, (size_t)(&names->at[names->count--] - (n + 1)) * sizeof *n);
}

static void named_add(struct names *names, const char *name, int file)
{
	named_remove(names, name);
	cr_assert(names->count < FILES);
	struct named *n = &names->at[names->count++];
	*n = (struct named){.file = file};
	strcpy(n->name, name);
}

static void named_change(struct names *names, const struct step *s)
{
	if (s->type == STEP_MAKE || s->type == STEP_MAKE_FOLDER)
		named_add(names, s->name, s->file);
	if (s->type == STEP_LINK || s->type == STEP_RENAME)
		named_add(names, s->to, s->file);
	if (s->type == STEP_REMOVE || s->type == STEP_RENAME)
		named_remove(names, s->name);
}

static void note(struct step step)
{
	struct history *h = noted.history;
	if (h->count == h->capacity) {
		h->capacity = h->capacity ? 2 * h->capacity : 1024;
		h->steps = realloc(h->steps, h->capacity * sizeof *h->steps);
		cr_assert(h->steps != NULL);
	}
	h->steps[h->count++] = step;
	named_change(&noted.names, &step);
}

/* The number of the file; one that is not known yet has just been made. */
static int file_of(const char *name)
{
	if (!named_find(&noted.names, name)) {
		struct step made = {.type = STEP_MAKE, .file = noted.history->files++};
		cr_assert(made.file < FILES);
		strcpy(made.name, name);
		note(made);
	}
	return named_find(&noted.names, name)->file;
}

static void say(int what, uint64_t number)
{
	pthread_mutex_lock(&noted.mutex);
	note((struct step){.type = STEP_SAID, .what = what, .offset = number});
	pthread_mutex_unlock(&noted.mutex);
}

/* The highest number that was said by then; 0: none. */
static uint64_t said_by(const struct history *h, int what, size_t over)
{
	uint64_t highest = 0;
	for (size_t i = 0; i < over; i++) {
		const struct step *s = &h->steps[i];
		if (s->type == STEP_SAID && s->what == what && s->offset > highest)
			highest = s->offset;
	}
	return highest;
}

static bool in_folder(const char *path, char name[NAME])
{
	size_t folder = strlen(noted.folder);
	if (folder == 0 || strncmp(path, noted.folder, folder) != 0 || (path[folder] && path[folder] != '/'))
		return false;
	snprintf(name, NAME, "%.63s", path + folder + (path[folder] == '/'));
	return strstr(name, " (deleted)") == NULL;
}

static bool name_of(int fd, char name[NAME])
{
	char link[40], path[400];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t size = noted.folder[0] ? readlink(link, path, sizeof path - 1) : -1;
	path[size < 0 ? 0 : size] = '\0';
	return in_folder(path, name);
}

static bool name_at(int dir, const char *path, char name[NAME])
{
	char folder[NAME];
	if (path[0] == '/' || dir == AT_FDCWD)
		return in_folder(path, name);
	if (!name_of(dir, folder))
		return false;
	return snprintf(name, NAME, "%s%s%.30s", folder, folder[0] ? "/" : "", path) < NAME;
}

static void note_write(int fd, const void *data, size_t size, off_t offset)
{
	struct step step = {.type = STEP_WRITE, .offset = (uint64_t)offset, .size = size};
	if (!name_of(fd, step.name))
		return;
	step.file = file_of(step.name);
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
	struct stat st;
	if (r == 0 && name_of(fd, step.name) && fstat(fd, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			step.type = STEP_FLUSH_NAMES;
		else
			step.file = file_of(step.name);
		note(step);
	}
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

/* What was done to a name, or two. */
static int note_names(int r, struct step step, int dir, const char *path, int to_dir, const char *to)
{
	if (r == 0 && name_at(dir, path, step.name) && (!to || name_at(to_dir, to, step.to))) {
		step.file = step.type == STEP_MAKE_FOLDER ? -1 : file_of(step.name);
		note(step);
	}
	pthread_mutex_unlock(&noted.mutex);
	return r;
}

INSTEAD int unlinkat(int dir, const char *path, int flags)
{
	pthread_mutex_lock(&noted.mutex);
	int r = (int)syscall(SYS_unlinkat, dir, path, flags);
	return note_names(r, (struct step){.type = STEP_REMOVE}, dir, path, 0, NULL);
}

INSTEAD int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

INSTEAD int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	pthread_mutex_lock(&noted.mutex);
	int r = (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
	return note_names(r, (struct step){.type = STEP_RENAME}, from_dir, from, to_dir, to);
}

INSTEAD int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

INSTEAD int link(const char *from, const char *to)
{
	pthread_mutex_lock(&noted.mutex);
	int r = (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
	return note_names(r, (struct step){.type = STEP_LINK}, AT_FDCWD, from, AT_FDCWD, to);
}

/* AddressSanitizer makes the folder of its reports by it, before there are mutexes. */
INSTEAD int mkdir(const char *path, mode_t mode)
{
	if (!noted.history)
		return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
	pthread_mutex_lock(&noted.mutex);
	int r = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
	return note_names(r, (struct step){.type = STEP_MAKE_FOLDER}, AT_FDCWD, path, 0, NULL);
}

/* What is in the folder already is on disk. */
static void start_noting(const struct folder *f, struct history *history)
{
	*history = (struct history){0};
	noted.history = history;
	noted.names.count = 0;
	DIR *dir = opendir(f->path);
	struct dirent *entry;
	cr_assert(dir != NULL);
	while ((entry = readdir(dir))) {
		char path[400];
		struct step all = {.type = STEP_WRITE, .durable = true};
		if (entry->d_type != DT_REG)
			continue;
		folder_path(f, entry->d_name, path);
		all.file = file_of(entry->d_name);
		all.data = file_read(path, &all.size);
		note(all);
	}
	closedir(dir);
	note((struct step){.type = STEP_FLUSH_NAMES});
	strcpy(noted.folder, f->path);
}

/* As a process that was killed after so many steps left it: all of it is there, and what was not flushed by
 * then still is not. */
static void go_on_noting(const struct folder *f, struct history *history, const struct history *first,
			 size_t over)
{
	*history = (struct history){.files = first->files};
	noted.history = history;
	noted.names.count = 0;
	for (size_t i = 0; i < over; i++) {
		struct step step = first->steps[i];
		step.data = step.data ? memcpy(malloc(step.size), step.data, step.size) : NULL;
		note(step);
	}
	strcpy(noted.folder, f->path);
}

static void stop_noting(void)
{
	pthread_mutex_lock(&noted.mutex);
	noted.folder[0] = '\0';
	pthread_mutex_unlock(&noted.mutex);
}

static void history_free(struct history *h)
{
	for (size_t i = 0; i < h->count; i++)
		free(h->steps[i].data);
	free(h->steps);
	*h = (struct history){0};
}

/* ---- a disk as it may be ---- */

struct image {
	uint8_t *data;
	size_t size, room;
	size_t flushed; /* the last step that put all before it on disk */
};

static void resize(struct image *image, size_t size)
{
	if (!image->data || size > image->room) {
		image->room = 2 * size;
		image->data = realloc(image->data, image->room + 1);
		cr_assert(image->data != NULL);
	}
	if (size > image->size)
		memset(image->data + image->size, 0, size - image->size);
	image->size = size;
}

/* How many of 1000 get there. */
static uint64_t some_of(struct random *random)
{
	static const uint64_t some[] = {0, 300, 700, 1000};
	return random ? some[random_below(random, 4)] : 1000;
}

static bool is_among(uint64_t in, struct random *random)
{
	return in == 1000 || (in > 0 && random_below(random, 1000) < in);
}

/* Which of its sectors reach the disk: in of 1000. */
static void write_part(struct image *image, const struct step *step, uint64_t in, struct random *random)
{
	for (uint64_t at = step->offset, end = step->offset + step->size; at < end;) {
		uint64_t next = (at / SECTOR + 1) * SECTOR < end ? (at / SECTOR + 1) * SECTOR : end;
		if (is_among(in, random)) {
			if (image->size < next)
				resize(image, next);
			memcpy(image->data + at, step->data + (at - step->offset), next - at);
		}
		at = next;
	}
}

/* After `over` steps, in the middle of the next one. random NULL: all of it. */
static void cut_files(const struct history *h, struct image images[FILES], size_t over, struct random *random)
{
	uint64_t in = some_of(random);
	for (size_t i = 0; i < over; i++) {
		if (h->steps[i].type == STEP_FLUSH)
			images[h->steps[i].file].flushed = i;
	}
	for (size_t i = 0; i < over; i++) {
		const struct step *s = &h->steps[i];
		struct image *image = &images[s->file < 0 ? 0 : s->file];
		uint64_t part = s->durable || i < image->flushed ? 1000 : in;
		if (s->type == STEP_SIZE && is_among(part, random))
			resize(image, s->offset);
		if (s->type == STEP_WRITE)
			write_part(image, s, part, random);
	}
	if (random && h->steps[over].type == STEP_WRITE)
		write_part(&images[h->steps[over].file], &h->steps[over], in, random);
}

static bool is_in(const char *name, const char *folder)
{
	const char *slash = strrchr(name, '/');
	size_t size = slash ? (size_t)(slash - name) : 0;
	return strlen(folder) == size && strncmp(name, folder, size) == 0;
}

static bool names_flushed(const struct history *h, size_t step, size_t over)
{
	const char *name = h->steps[step].to[0] ? h->steps[step].to : h->steps[step].name;
	while (++step < over) {
		if (h->steps[step].type == STEP_FLUSH_NAMES && is_in(name, h->steps[step].name))
			return true;
	}
	return false;
}

/* What is lost of a name takes with it all that was done to it later. */
static void cut_names(const struct history *h, struct names *names, size_t over, struct random *random)
{
	uint64_t in = some_of(random);
	struct names lost = {0};
	for (size_t i = 0; i < over; i++) {
		const struct step *s = &h->steps[i];
		if (s->type < STEP_MAKE || s->type > STEP_RENAME)
			continue;
		if (names_flushed(h, i, over) ||
		    (!named_find(&lost, s->name) && !named_find(&lost, s->to) && is_among(in, random))) {
			named_change(names, s);
			continue;
		}
		named_add(&lost, s->name, 0);
		if (s->to[0])
			named_add(&lost, s->to, 0);
	}
}

/* What is in a folder that is not there is not there. */
static void lay_down(const struct names *names, const struct image images[FILES], const struct folder *f)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct named *n = &names->at[i];
		char path[400], parent[400];
		folder_path(f, n->name, path);
		strcpy(parent, path);
		*strrchr(parent, '/') = '\0';
		if (access(parent, F_OK) < 0)
			continue;
		if (n->file < 0)
			cr_assert(mkdir(path, 0700) == 0);
		else
			file_write(path, images[n->file].data, images[n->file].size);
	}
}

/* A folder as the disk may hold it; random NULL: as it is for who looks at it meanwhile. */
static struct folder cut_power(const struct history *h, size_t over, struct random *random)
{
	struct image images[FILES] = {0};
	struct names names = {0};
	struct folder f = folder_new();
	cut_files(h, images, over, random);
	cut_names(h, &names, over, random);
	lay_down(&names, images, &f);
	for (size_t i = 0; i < FILES; i++)
		free(images[i].data);
	return f;
}

#endif
