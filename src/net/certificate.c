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
#include <zmq.h>

#include "base/descriptors.h"
#include "kudos.h"

#define PATH_ROOM 4096

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

struct span {
	const char *at;
	size_t size;
};

static struct span trim(struct span s)
{
	while (s.size > 0 && strchr(" \t\r", *s.at)) {
		s.at++;
		s.size--;
	}
	while (s.size > 0 && strchr(" \t\r", s.at[s.size - 1]))
		s.size--;
	return s;
}

static bool is(struct span s, const char *word)
{
	return s.size == strlen(word) && memcmp(s.at, word, s.size) == 0;
}

/* What stands behind "=": in quotes of either kind, or up to a comment. Keys in Z85 have "#" in them. */
static struct span value_of(struct span s)
{
	s = trim(s);
	bool quoted = s.size > 0 && (*s.at == '"' || *s.at == '\'');
	const char *end = memchr(s.at + quoted, quoted ? *s.at : '#', s.size - quoted);
	if (end)
		s.size = (size_t)(end - s.at);
	s.at += quoted;
	s.size -= quoted;
	return quoted ? s : trim(s);
}

static bool take_key(char key[KEY_TEXT + 1], struct span value)
{
	uint8_t bytes[32];
	char text[KEY_TEXT + 1] = "";
	if (value.size != KEY_TEXT || memchr(value.at, '\0', KEY_TEXT))
		return false;
	memcpy(text, value.at, KEY_TEXT);
	if (!zmq_z85_decode(bytes, text))
		return false;
	/* The one text that stands for these bytes: it will be looked up as such. */
	return zmq_z85_encode(key, bytes, sizeof bytes) != NULL;
}

static bool take(struct certificate *c, struct span section, struct span name, struct span value)
{
	if (is(section, "curve") && is(name, "public-key"))
		return take_key(c->public_key, value);
	if (is(section, "curve") && is(name, "secret-key"))
		return take_key(c->secret_key, value);
	if (is(section, "metadata") && is(name, "role")) {
		char word[16] = "";
		if (value.size < sizeof word)
			memcpy(word, value.at, value.size);
		c->role = role_named(word);
		return c->role != ROLE_NONE;
	}
	if (is(section, "metadata") && is(name, "name")) {
		size_t size = value.size < LIMIT_NAME ? value.size : LIMIT_NAME;
		memset(c->name, 0, sizeof c->name);
		for (size_t i = 0; i < size; i++) /* it goes into log lines */
			c->name[i] = (char)(value.at[i] > ' ' && value.at[i] <= '~' ? value.at[i] : '?');
	}
	return true; /* other metadata is other programs' */
}

int certificate_parse(struct certificate *certificate, const char *text, size_t size)
{
	struct certificate c = {.role = ROLE_NONE};
	struct span section = {text, 0};
	for (size_t at = 0; at < size;) {
		const char *newline = memchr(text + at, '\n', size - at);
		struct span line = {text + at, newline ? (size_t)(newline - text) - at : size - at};
		bool indented = line.size > 0 && (*line.at == ' ' || *line.at == '\t');
		at += line.size + 1;
		line = trim(line);
		if (line.size == 0 || *line.at == '#')
			continue;
		const char *equals = memchr(line.at, '=', line.size);
		if (!equals) {
			section = indented ? section : line;
			continue;
		}
		struct span name = trim((struct span){line.at, (size_t)(equals - line.at)});
		struct span value = {equals + 1, line.size - (size_t)(equals + 1 - line.at)};
		if (!take(&c, section, name, value_of(value)))
			return KUDOS_BAD_CERTIFICATE;
	}
	if (!c.public_key[0])
		return KUDOS_BAD_CERTIFICATE;
	*certificate = c;
	return 0;
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
static int read_file(struct certificate *certificate, const char *path, bool private, char *why, size_t room)
{
	char text[CERTIFICATE_LIMIT];
	size_t size = 0;
	struct stat st = {0};
	struct certificate c;
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
	if (certificate_parse(&c, text, size) != 0)
		e = fail(why, room, KUDOS_BAD_CERTIFICATE,
			 "%s: not a certificate as \"kudos keygen\" makes them", path);
	else if (private && c.secret_key[0] && !for_no_other_eyes(&st))
		e = fail(why, room, KUDOS_BAD_CERTIFICATE,
			 "%s: refused, because others may read this secret key: chmod 600 it, or better make "
			 "a new one",
			 path);
	explicit_bzero(text, sizeof text);
	if (e == 0)
		*certificate = c;
	explicit_bzero(&c, sizeof c);
	return e;
}

int certificate_read(struct certificate *c, const char *path, char *why, size_t size)
{
	int e = read_file(c, path, false, why, size);
	if (e == 0)
		explicit_bzero(c->secret_key, sizeof c->secret_key);
	return e;
}

int certificate_read_own(struct certificate *c, const char *path, char *why, size_t size)
{
	char other[PATH_ROOM];
	int e = read_file(c, path, true, why, size);
	if (e != 0 || c->secret_key[0])
		return e;
	snprintf(other, sizeof other, "%s" CERTIFICATE_SECRET, path);
	e = read_file(c, other, true, why, size);
	if (e == -ENOENT || (e == 0 && !c->secret_key[0]))
		e = fail(why, size, KUDOS_BAD_CERTIFICATE, "%s: there is no secret key in it, nor in %s",
			 path, other);
	return e;
}

/* ---- making ---- */

int certificate_make(struct certificate *c, enum role role, const char *name)
{
	*c = (struct certificate){.role = role};
	snprintf(c->name, sizeof c->name, "%s", name);
	return zmq_curve_keypair(c->public_key, c->secret_key) < 0 ? -errno : 0;
}

static int print(FILE *file, const struct certificate *c, bool secret)
{
	fprintf(file, secret
			  ? "#   ZeroMQ CURVE **Secret** Certificate\n"
			    "#   DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions.\n\n"
			  : "#   ZeroMQ CURVE Public Certificate\n"
			    "#   Put this file into the trust folder of whoever is to trust its owner.\n\n");
	fprintf(file, "metadata\n    name = \"%s\"\n    role = \"%s\"\ncurve\n    public-key = \"%s\"\n",
		c->name, role_name(c->role), c->public_key);
	if (secret)
		fprintf(file, "    secret-key = \"%s\"\n", c->secret_key);
	return fflush(file) != 0 || ferror(file) || fsync(fileno(file)) < 0 ? -EIO : 0;
}

/* Written beside it and moved there: whoever reads the folder meanwhile sees a whole file or none. */
static int write_file(const struct certificate *c, const char *path, bool secret, bool replace)
{
	char draft[PATH_ROOM + 8];
	int size = snprintf(draft, sizeof draft, "%s.XXXXXX", path);
	if (size < 0 || (size_t)size >= sizeof draft)
		return -ENAMETOOLONG;
	int fd = mkostemp(draft, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		return -errno;
	FILE *file = fdopen(fd, "w");
	int e = file ? 0 : -errno;
	if (e == 0)
		e = print(file, c, secret);
	if (e == 0 && fchmod(fd, secret ? 0600 : 0644) < 0)
		e = -errno;
	if (file)
		fclose(file);
	else
		close(fd);
	if (e == 0 && (replace ? rename(draft, path) : link(draft, path)) < 0)
		e = -errno;
	if (e < 0 || !replace)
		unlink(draft);
	return e;
}

static int make_folder(const char *path)
{
	char folder[PATH_ROOM];
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return 0;
	snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
	return mkdir(folder, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int certificate_write(const struct certificate *c, const char *path, bool replace, char *why, size_t size)
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
