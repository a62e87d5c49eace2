/* SPDX-License-Identifier: MIT */
#include "keygen.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/flags.h"
#include "session.h"

struct wanted {
	const char *role, *name;
	bool force;
};

#define AT(field) .at = offsetof(struct wanted, field)

static const struct flag flags[] = {
    {"role", 0, "server|client|operator",
     "whose keys: server, of all leaders and servers of a cluster, which share one pair; client: likes, "
     "counts, "
     "watches; operator: a client who may also drain and forget servers",
     AT(role)},
    {"name", 0, "NAME", "what people call it (the role)", AT(name)},
    {"force", 0, NULL, "replace files that are there", NULL, NULL, FLAG_YES, AT(force)},
    {0},
};

static const struct flags all_flags = {
    .list = flags,
    .usage = "keygen --role server|client|operator [--name NAME] [--force] PATH",
    .about =
	"Makes a pair of keys: a certificate with the public key, which goes into trust folders, and beside "
	"it one with the secret key too, whose name ends in _secret and which only you can read. PATH is "
	"the certificate's file, or a folder (one that is there, or ends in /) in which it is called "
	"NAME.cert.",
};

static int usage(const char *what)
{
	fprintf(stderr, "kudos keygen: %s\n%s", what, "\"kudos keygen --help\" says more\n");
	return USAGE;
}

static bool place(char *file, size_t room, const char *path, const char *name)
{
	struct stat st;
	size_t size = strlen(path);
	bool folder = size > 0 && (path[size - 1] == '/' || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)));
	const char *slash = folder && path[size - 1] != '/' ? "/" : "";
	int length = folder ? snprintf(file, room, "%s%s%s.cert", path, slash, name)
			    : snprintf(file, room, "%s", path);
	return size > 0 && length > 0 && (size_t)length < room;
}

static int make(const char *path, const char *role, const char *name, bool force)
{
	char file[4096], key[41], why[512] = "";
	if (strchr(name, '/') || !place(file, sizeof file, path, name))
		return usage("the path is empty or too long, or the name has a / in it");
	int error = kudos_keygen(file, role, name, force, key, why, sizeof why);
	if (error) {
		fprintf(stderr, "kudos keygen: %s%s\n", *why ? why : kudos_error_text(error),
			strstr(why, "File exists") ? "; --force replaces it" : "");
		return error == KUDOS_BAD_CERTIFICATE ? USAGE : FAILED;
	}
	printf("%s\n", key);
	fprintf(stderr,
		"made %s, the public key: copy it into the trust folder of %s\n"
		"made %s_secret, the secret key: keep it, and give it to %s with --key\n",
		file,
		strcmp(role, "server") == 0 ? "all servers, leaders and users" : "all servers and leaders",
		file, strcmp(role, "server") == 0 ? "every leader and server" : "kudos or kudos-load");
	return fflush(stdout) == 0 ? DONE : FAILED;
}

int keygen_main(int argc, char **argv)
{
	struct wanted wanted = {0};
	const struct flags_taken taken = flags_take(&all_flags, argc, argv, &wanted);
	if (taken.help)
		flags_help(&all_flags);
	else if (taken.version)
		puts("kudos " KUDOS_VERSION);
	if (taken.help || taken.version)
		return fflush(stdout) == 0 ? DONE : FAILED;
	if (*taken.wrong)
		return usage(taken.wrong);
	if (!wanted.role)
		return usage("--role server, client or operator?");
	if (taken.words != 1)
		return usage("one path, of the file or its folder");
	return make(argv[1], wanted.role, wanted.name ? wanted.name : wanted.role, wanted.force);
}

void keygen_complete(const char *before, const char *typed)
{
	if (!flags_complete(&all_flags, before, typed))
		puts("<file>");
}
