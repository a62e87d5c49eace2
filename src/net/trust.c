/* SPDX-License-Identifier: MIT */
#include "net/trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/descriptors.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "kudos.h"

#define PATH_ROOM 4096

struct trusted {
	char key[KEY_TEXT + 1];
	enum role role;
};

struct keys {
	struct trusted *list; /* owned; sorted by key, each once */
	size_t count, capacity;
};

struct trust {
	char *folder;
	struct keys keys;
	uint64_t stamp; /* of the files that keys came from */
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct trusted *)a)->key, ((const struct trusted *)b)->key);
}

static bool certificate_named(const char *name)
{
	const size_t suffix = strlen(CERTIFICATE_SECRET), size = strlen(name);
	return name[0] != '.' && !(size >= suffix && strcmp(name + size - suffix, CERTIFICATE_SECRET) == 0);
}

/* Also when connections have used up all other descriptors: a key is to be taken back just then. */
static DIR *open_folder(const char *path)
{
	int fd = descriptors_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	if (fd < 0)
		errno = -fd;
	else if (!folder)
		close(fd);
	return folder;
}

/* Changes whenever a file comes, goes or is written. The order in which the folder lists them does not
 * matter. */
static int stamp_folder(const char *path, uint64_t *stamp)
{
	DIR *folder = open_folder(path);
	struct dirent *entry;
	if (!folder)
		return -errno;
	*stamp = 0;
	while ((entry = readdir(folder))) {
		struct stat st;
		if (!certificate_named(entry->d_name) || fstatat(dirfd(folder), entry->d_name, &st, 0) < 0)
			continue;
		uint64_t facts[] = {(uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec,
				    (uint64_t)st.st_ctim.tv_sec, (uint64_t)st.st_ctim.tv_nsec,
				    (uint64_t)st.st_ino,	 (uint64_t)st.st_size};
		*stamp +=
		    hash_bytes(facts, sizeof facts, hash_bytes(entry->d_name, strlen(entry->d_name), 0));
	}
	closedir(folder);
	return 0;
}

/* Of a key that is there twice, the lesser role counts. */
static int add(struct keys *keys, zcert_t *c)
{
	if (array_reserve(&keys->list, keys->count + 1, &keys->capacity, sizeof *keys->list) < 0)
		return -ENOMEM;
	struct trusted *t = &keys->list[keys->count++];
	memcpy(t->key, zcert_public_txt(c), sizeof t->key);
	t->role = certificate_role(c);
	return 0;
}

static void unite(struct keys *keys)
{
	size_t kept = 0;
	if (keys->count == 0)
		return;
	qsort(keys->list, keys->count, sizeof *keys->list, by_key);
	for (size_t i = 0; i < keys->count; i++) {
		const struct trusted *t = &keys->list[i];
		struct trusted *last = kept > 0 ? &keys->list[kept - 1] : NULL;
		if (!last || strcmp(last->key, t->key) != 0)
			keys->list[kept++] = *t;
		else if (t->role < last->role)
			last->role = t->role;
	}
	keys->count = kept;
}

/* What the file says counts only if all of it can be read; a machine that is short of descriptors or memory
 * must not make the rest of the folder look empty. */
static int add_file(struct keys *keys, const char *folder, const char *name)
{
	char path[PATH_ROOM], why[PATH_ROOM + 128];
	zcert_t *c = NULL;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int e = certificate_read(&c, path, why, sizeof why);
	if (e == -EMFILE || e == -ENFILE || e == -ENOMEM || e == -EIO)
		return e;
	if (e == -ENOENT) /* removed meanwhile */
		return 0;
	if (e == 0 && certificate_role(c) == ROLE_NONE) {
		snprintf(why, sizeof why, "%s: its metadata names no role", path);
		e = KUDOS_BAD_CERTIFICATE;
	} else if (e == 0 && keys->count == LIMIT_TRUSTED) {
		snprintf(why, sizeof why, "more certificates than can be");
		e = KUDOS_LIMIT;
	}
	if (e == 0)
		e = add(keys, c);
	else
		log_warn("not trusted: %s", why);
	zcert_destroy(&c);
	return e == -ENOMEM ? e : 0;
}

static int read_folder(struct keys *keys, const char *path)
{
	DIR *folder = open_folder(path);
	struct dirent *entry;
	int e = 0;
	if (!folder)
		return -errno;
	while (e == 0 && (errno = 0, entry = readdir(folder))) {
		struct stat st;
		if (certificate_named(entry->d_name) && fstatat(dirfd(folder), entry->d_name, &st, 0) == 0 &&
		    S_ISREG(st.st_mode))
			e = add_file(keys, path, entry->d_name);
	}
	if (e == 0 && errno != 0)
		e = -errno;
	closedir(folder);
	unite(keys);
	return e;
}

int trust_open(struct trust **trust, const char *folder, char *why, size_t size)
{
	struct trust *t = calloc(1, sizeof *t);
	if (!t)
		return -ENOMEM;
	t->folder = strdup(folder);
	/* The stamp first: what changes in between is then noticed. */
	int e = t->folder ? stamp_folder(folder, &t->stamp) : -ENOMEM;
	if (e == 0)
		e = read_folder(&t->keys, folder);
	if (e < 0) {
		snprintf(why, size, "%s: %s", folder, strerror(-e));
		trust_free(t);
		return e;
	}
	*trust = t;
	return 0;
}

void trust_free(struct trust *trust)
{
	if (!trust)
		return;
	free(trust->folder);
	free(trust->keys.list);
	free(trust);
}

static enum role role_in(const struct keys *keys, const char *key)
{
	struct trusted wanted = {.role = ROLE_NONE};
	size_t size = strlen(key);
	if (size != KEY_TEXT || keys->count == 0)
		return ROLE_NONE;
	memcpy(wanted.key, key, size);
	const struct trusted *t = bsearch(&wanted, keys->list, keys->count, sizeof *keys->list, by_key);
	return t ? t->role : ROLE_NONE;
}

bool trust_refresh(struct trust *trust, bool *revoked)
{
	struct keys keys = {0};
	uint64_t stamp = 0;
	if (stamp_folder(trust->folder, &stamp) < 0 || stamp == trust->stamp)
		return false;
	if (read_folder(&keys, trust->folder) < 0) {
		free(keys.list);
		return false;
	}
	*revoked = false;
	for (size_t i = 0; i < trust->keys.count; i++) {
		const struct trusted *t = &trust->keys.list[i];
		if (role_in(&keys, t->key) < t->role)
			*revoked = true;
	}
	free(trust->keys.list);
	trust->keys = keys;
	trust->stamp = stamp;
	return true;
}

enum role trust_role(const struct trust *trust, const char *public_key)
{
	return role_in(&trust->keys, public_key);
}

const char *trust_server(const struct trust *trust, size_t *count)
{
	const char *found = NULL;
	*count = 0;
	for (size_t i = 0; i < trust->keys.count; i++) {
		if (trust->keys.list[i].role != ROLE_SERVER)
			continue;
		found = trust->keys.list[i].key;
		++*count;
	}
	return *count == 1 ? found : NULL;
}

size_t trust_count(const struct trust *trust)
{
	return trust->keys.count;
}
