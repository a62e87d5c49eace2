/* SPDX-License-Identifier: MIT */
/* A trust folder of any files: who may come in is what each file alone says, the least where they disagree;
 * also after files changed and went. An input is the files' texts, with 0xff between them. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/input.h"
#include "kudos.h"
#include "net/trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 5 };

struct text {
	const char *at;
	size_t size;
};

static void write_file(int folder, int i, struct text text)
{
	char name[8];
	snprintf(name, sizeof name, "%d", i);
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0 && write(fd, text.at, text.size) == (ssize_t)text.size);
	close(fd);
}

static void remove_file(int folder, int i)
{
	char name[8];
	snprintf(name, sizeof name, "%d", i);
	must(unlinkat(folder, name, 0) == 0);
}

/* The role of key by the files from `first` on. */
static enum role expected(const struct text *texts, int first, int count, const char *key)
{
	enum role least = ROLE_NONE;
	for (int i = first; i < count; i++) {
		zcert_t *c = certificate_parse(texts[i].at, texts[i].size);
		enum role role = c ? certificate_role(c) : ROLE_NONE;
		if (role != ROLE_NONE && strcmp(zcert_public_txt(c), key) == 0)
			least = least == ROLE_NONE || role < least ? role : least;
		zcert_destroy(&c);
	}
	return least;
}

static void check(const struct trust *trust, const struct text *texts, int first, int count)
{
	size_t servers = 0, told;
	for (int i = 0; i < count; i++) {
		zcert_t *c = certificate_parse(texts[i].at, texts[i].size);
		const char *key = c ? zcert_public_txt(c) : "";
		must(trust_role(trust, key) == expected(texts, first, count, key));
		zcert_destroy(&c);
	}
	must(trust_count(trust) <= (size_t)(count - first));
	const char *server = trust_server(trust, &told);
	servers += told;
	must((server != NULL) == (servers == 1));
	must(!server || (strlen(server) == KEY_TEXT && trust_role(trust, server) == ROLE_SERVER));
	must(trust_role(trust, "") == ROLE_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/dev/shm/kudos-fuzz-XXXXXX", why[512] = "";
	struct text texts[FILES] = {{0}};
	struct trust *trust;
	int count = 0;
	must(mkdtemp(path));
	int folder = open(path, O_RDONLY | O_DIRECTORY);
	for (const char *at = (const char *)data, *end = at + size; at < end && count < FILES;) {
		const char *mark = memchr(at, 0xff, (size_t)(end - at));
		const char *stop = mark ? mark : end;
		texts[count] = (struct text){at, (size_t)(stop - at)};
		write_file(folder, count, texts[count]);
		count++;
		at = mark ? mark + 1 : end;
	}
	must(trust_open(&trust, path, why, sizeof why) == 0);
	check(trust, texts, 0, count);
	for (int i = 0; i < count; i++) {
		bool revoked = false;
		size_t before = trust_count(trust);
		remove_file(folder, i);
		must(trust_refresh(trust, &revoked));
		check(trust, texts, i + 1, count);
		must(trust_count(trust) == before || revoked);
	}
	must(trust_count(trust) == 0);
	trust_free(trust);
	close(folder);
	must(rmdir(path) == 0);
	return 0;
}
