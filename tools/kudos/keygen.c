/* SPDX-License-Identifier: MIT */
#include "keygen.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "flag.h"
#include "kudos.h"
#include "session.h"

static const char help[] =
    "usage: kudos keygen --role server|client|operator [--name NAME] [--force] PATH\n"
    "Makes a pair of keys: a certificate with the public key, which goes into trust folders, and\n"
    "beside it one with the secret key too, whose name ends in _secret and which only you can read.\n"
    "PATH is the certificate's file, or a folder (one that is there, or ends in /) in which it is\n"
    "called NAME.cert.\n\n";

enum { FLAG_ROLE = 256, FLAG_NAME, FLAG_FORCE };

static const struct flag keygen_flags[] = {
    {"role", FLAG_ROLE, "server|client|operator",
     "whose keys\n                               server: of all leaders and servers of a cluster, which "
     "share one pair;\n"
     "                               client: likes, counts, watches;\n"
     "                               operator: a client who may also drain and forget servers"},
    {"name", FLAG_NAME, "NAME", "what people call it (the role)"},
    {"force", FLAG_FORCE, NULL, "replace files that are there"},
    {"help", 'h', NULL, "show this help"},
    {0},
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
	struct option options[sizeof keygen_flags / sizeof *keygen_flags];
	const char *role = NULL, *name = NULL;
	bool force = false;
	int flag;
	flag_options(keygen_flags, options);
	opterr = 0;
	while ((flag = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (flag) {
		case FLAG_ROLE:
			role = optarg;
			break;
		case FLAG_NAME:
			name = optarg;
			break;
		case FLAG_FORCE:
			force = true;
			break;
		case 'h':
			fputs(help, stdout);
			flag_help(keygen_flags);
			return fflush(stdout) == 0 ? DONE : FAILED;
		default:
			return usage(flag == ':' ? "an option lacks its value" : "unknown option");
		}
	}
	if (!role)
		return usage("--role server, client or operator?");
	if (optind + 1 != argc)
		return usage("one path, of the file or its folder");
	return make(argv[optind], role, name ? name : role, force);
}

void keygen_complete(const char *before, const char *typed)
{
	if (!flag_complete(keygen_flags, before, typed))
		puts("<file>");
}
