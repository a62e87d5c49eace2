/* SPDX-License-Identifier: MIT */
#include "net/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/names.h"
#include "kudos.h"

#define PATH_ROOM 4096
#define KEY_BYTES 32

__attribute__((format(printf, 4, 5))) static int fail(char *why, size_t size, int error, const char *format,
						      ...)
{
	va_list args;
	va_start(args, format);
	if (size > 0)
		vsnprintf(why, size, format, args);
	va_end(args);
	return error;
}

/* ---- the format ---- */

/* Whether zconfig takes this line without a word: it complains on stdout, where a program's data go. depth:
 * how many levels of four spaces may stand before the next name. */
static bool line_is_good(const char *line, size_t *depth)
{
	static const char names[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789$-_@.&+";
	const size_t indent = strspn(line, " "), name = strspn(line + indent, names);
	const char *at = line + indent + name;
	at += strspn(at, " \t");
	if (name > 0 && *at == '=') {
		at += 1 + strspn(at + 1, " \t");
		const bool quoted = *at == '"' || *at == '\'';
		const char *end = quoted ? strchr(at + 1, *at) : at + strcspn(at, "#");
		if (!end)
			return false;
		at = end + quoted;
	}
	at += strspn(at, " \t\r");
	if (name == 0 && *at == '\0')
		return true;
	if ((*at != '\0' && *at != '#') || indent % 4 != 0 || (name > 0 && indent / 4 > *depth))
		return false;
	*depth = name > 0 ? indent / 4 + 1 : *depth;
	return true;
}

/* The short ones are all that there is memory and stack for: zconfig takes apart any, by recursion. */
static zconfig_t *tree_of(const char *text, size_t size)
{
	char copy[CERTIFICATE_LIMIT] = "", *rest = copy;
	size_t depth = 0;
	bool good = size > 0 && size < sizeof copy && !memchr(text, '\0', size);
	if (good)
		memcpy(copy, text, size);
	for (const char *line; good && (line = strsep(&rest, "\n"));)
		good = line_is_good(line, &depth);
	zchunk_t *chunk = good ? zchunk_new(text, size) : NULL;
	zconfig_t *root = chunk ? zconfig_chunk_load(chunk) : NULL;
	zchunk_destroy(&chunk);
	return root;
}

/* zcert takes any text of this length, and makes zeros of what is no key. */
static bool take_key(byte key[KEY_BYTES], const char *text)
{
	return strlen(text) == KEY_TEXT && zmq_z85_decode(key, text);
}

static zcert_t *take(zconfig_t *root)
{
	byte public[KEY_BYTES] = {0}, secret[KEY_BYTES] = {0};
	char *secret_text = zconfig_get(root, "/curve/secret-key", NULL);
	zcert_t *c = NULL;
	if (take_key(public, zconfig_get(root, "/curve/public-key", "")) &&
	    (!secret_text || take_key(secret, secret_text)))
		c = zcert_new_from(public, secret);
	zconfig_t *metadata = zconfig_locate(root, "/metadata");
	for (zconfig_t *m = c && metadata ? zconfig_child(metadata) : NULL; m; m = zconfig_next(m))
		zcert_set_meta(c, zconfig_name(m), "%s", zconfig_value(m));
	if (c && zcert_meta(c, "role") && certificate_role(c) == ROLE_NONE)
		zcert_destroy(&c);
	return c;
}

zcert_t *certificate_parse(const char *text, size_t size)
{
	zconfig_t *root = tree_of(text, size);
	zcert_t *c = root ? take(root) : NULL;
	zconfig_destroy(&root);
	return c;
}

enum role certificate_role(zcert_t *c)
{
	const char *name = zcert_meta(c, "role");
	return name ? role_named(name) : ROLE_NONE;
}

bool certificate_has_secret(zcert_t *c)
{
	static const byte none[KEY_BYTES] = {0};
	return memcmp(zcert_secret_key(c), none, KEY_BYTES) != 0;
}

/* ---- reading ---- */

static int read_text(int fd, char *text, size_t room, size_t *size)
{
	ssize_t n;
	for (*size = 0; *size < room; *size += (size_t)n) {
		n = read(fd, text + *size, room - *size);
		if (n == 0)
			return 0;
		if (n < 0)
			return -errno;
	}
	return -EFBIG;
}

/* A file of root's that is readable by its group is one that root gave to this process alone: by a group of
 * its own, or by an access list, as systemd's credentials have it. */
static bool for_no_other_eyes(const struct stat *st)
{
	mode_t others = st->st_uid == 0 && geteuid() != 0 ? 037 : 077;
	return (st->st_mode & others) == 0;
}

/* private: refuses what the group or others may touch, if it has a secret in it. */
static int read_file(zcert_t **certificate, const char *path, bool private, char *why, size_t room)
{
	char text[CERTIFICATE_LIMIT];
	size_t size = 0;
	struct stat st = {0};
	int fd = descriptors_open(AT_FDCWD, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
	int e = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;
	if (e == 0)
		e = read_text(fd, text, sizeof text, &size);
	if (fd >= 0)
		close(fd);
	if (e == -EFBIG)
		return fail(why, room, KUDOS_BAD_CERTIFICATE, "%s: too large for a certificate", path);
	if (e < 0)
		return fail(why, room, e, "%s: %s", path, strerror(-e));
	zcert_t *c = certificate_parse(text, size);
	explicit_bzero(text, sizeof text); /* what czmq copied of a secret is its own */
	if (!c)
		return fail(why, room, KUDOS_BAD_CERTIFICATE,
			    "%s: not a certificate as \"kudos keygen\" makes them", path);
	if (private && certificate_has_secret(c) && !for_no_other_eyes(&st)) {
		zcert_destroy(&c);
		return fail(why, room, KUDOS_BAD_CERTIFICATE,
			    "%s: refused, because others may read this secret key: chmod 600 it, or better "
			    "make a new one",
			    path);
	}
	*certificate = c;
	return 0;
}

int certificate_read(zcert_t **c, const char *path, char *why, size_t size)
{
	return read_file(c, path, false, why, size);
}

int certificate_read_own(zcert_t **c, const char *path, char *why, size_t size)
{
	char other[PATH_ROOM];
	zcert_t *own = NULL;
	int e = read_file(&own, path, true, why, size);
	if (e == 0 && !certificate_has_secret(own)) {
		zcert_destroy(&own);
		snprintf(other, sizeof other, "%s" CERTIFICATE_SECRET, path);
		e = read_file(&own, other, true, why, size);
		if (e == -ENOENT || (e == 0 && !certificate_has_secret(own)))
			e = fail(why, size, KUDOS_BAD_CERTIFICATE,
				 "%s: there is no secret key in it, nor in %s", path, other);
	}
	if (e == 0)
		*c = own;
	else
		zcert_destroy(&own);
	return e;
}

/* ---- making ---- */

zcert_t *certificate_new(enum role role, const char *name)
{
	/* Without CURVE zcert_new() would make a pair of zeros. */
	zcert_t *c = zsys_has_curve() ? zcert_new() : NULL;
	if (c) {
		zcert_set_meta(c, "name", "%s", name);
		zcert_set_meta(c, "role", "%s", role_name(role));
	}
	return c;
}

/* As zcert_save_public() and zcert_save_secret() have it, but as a text: these do not notice a full disk, and
 * the second changes the process's umask, under all its threads. */
static char *text_of(zcert_t *c, bool secret)
{
	zconfig_t *root = zconfig_new("root", NULL);
	zconfig_set_comment(root, "   ZeroMQ CURVE %s Certificate", secret ? "**Secret**" : "Public");
	zconfig_set_comment(
	    root, secret ? "   DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions."
			 : "   Put this file into the trust folder of whoever is to trust its owner.");
	zconfig_put(root, "/metadata/name", zcert_meta(c, "name"));
	zconfig_put(root, "/metadata/role", zcert_meta(c, "role"));
	zconfig_put(root, "/curve/public-key", zcert_public_txt(c));
	if (secret)
		zconfig_put(root, "/curve/secret-key", zcert_secret_txt(c));
	char *text = zconfig_str_save(root);
	zconfig_destroy(&root);
	return text;
}

/* Written beside it and moved there: whoever reads the folder meanwhile sees a whole file or none. */
static int write_file(zcert_t *c, const char *path, bool secret, bool replace)
{
	char draft[PATH_ROOM + 8];
	int size = snprintf(draft, sizeof draft, "%s.XXXXXX", path);
	if (size < 0 || (size_t)size >= sizeof draft)
		return -ENAMETOOLONG;
	int fd = mkostemp(draft, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		return -errno;
	char *text = text_of(c, secret);
	ssize_t written = write(fd, text, strlen(text));
	int e = written < 0 ? -errno : (size_t)written < strlen(text) ? -ENOSPC : fsync(fd) < 0 ? -errno : 0;
	if (e == 0 && fchmod(fd, secret ? 0600 : 0644) < 0)
		e = -errno;
	close(fd);
	explicit_bzero(text, strlen(text));
	free(text);
	if (e == 0 && (replace ? rename(draft, path) : link(draft, path)) < 0)
		e = -errno;
	if (e < 0 || !replace)
		unlink(draft);
	return e < 0 ? e : names_sync(path);
}

static int make_folder(const char *path)
{
	char folder[PATH_ROOM];
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return 0;
	snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
	if (mkdir(folder, 0700) == 0)
		return names_sync(folder);
	return errno == EEXIST ? 0 : -errno;
}

int certificate_write(zcert_t *c, const char *path, bool replace, char *why, size_t size)
{
	char other[PATH_ROOM];
	int length = snprintf(other, sizeof other, "%s" CERTIFICATE_SECRET, path);
	int e = length < 0 || (size_t)length >= sizeof other ? -ENAMETOOLONG : make_folder(path);
	if (e < 0)
		return fail(why, size, e, "%s: %s", path, strerror(-e));
	if (!replace && access(path, F_OK) == 0)
		return fail(why, size, -EEXIST, "%s: %s", path, strerror(EEXIST));
	/* The secret first: a public key that nobody can use would be of no use in a trust folder. */
	e = write_file(c, other, true, replace);
	if (e < 0)
		return fail(why, size, e, "%s: %s", other, strerror(-e));
	e = write_file(c, path, false, replace);
	return e < 0 ? fail(why, size, e, "%s: %s", path, strerror(-e)) : 0;
}
