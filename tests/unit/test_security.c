/* SPDX-License-Identifier: MIT */
/* Certificates, the trust folder, and roles. The sockets of it are tests/cluster/test_security.py's. */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kudos.h"
#include "net/certificate.h"
#include "net/security.h"
#include "net/trust.h"

#define PUBLIC "}S}N%e%?4C@EERpFgnZ:L(0bxLhj2l9Qc.1MeYKX"

struct folder {
	char path[64];
	char file[256];
	char why[512];
};

static struct folder folder_new(void)
{
	struct folder f = {.path = "/tmp/kudos-security-XXXXXX"};
	cr_assert(mkdtemp(f.path) != NULL);
	return f;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void folder_free(struct folder *f)
{
	nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in(struct folder *f, const char *name)
{
	snprintf(f->file, sizeof f->file, "%s/%s", f->path, name);
	return f->file;
}

static void put(struct folder *f, const char *name, const char *text)
{
	FILE *file = fopen(in(f, name), "w");
	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static zcert_t *parse(const char *text)
{
	return certificate_parse(text, strlen(text));
}

Test(certificate, is_read_as_zcert_writes_it)
{
	struct folder f = folder_new();
	zcert_t *made = zcert_new(), *c = NULL;
	zcert_set_meta(made, "role", "client");
	zcert_set_meta(made, "name", "ann's");
	cr_assert(zcert_save(made, in(&f, "a")) == 0 && chmod(in(&f, "a_secret"), 0600) == 0);
	cr_assert(certificate_read_own(&c, in(&f, "a"), f.why, sizeof f.why) == 0, "%s", f.why);
	cr_assert(zcert_eq(c, made) && certificate_role(c) == ROLE_CLIENT && certificate_has_secret(c));
	cr_assert_str_eq(zcert_meta(c, "name"), "ann's");
	zcert_destroy(&c);
	zcert_destroy(&made);
	/* Another order, other quotes and line ends; nothing but the key is needed. */
	c = parse("curve\r\n    public-key='" PUBLIC "' # comment\r\n  \nmetadata\n    mail = a@b # c\n");
	cr_assert(c && certificate_role(c) == ROLE_NONE && !certificate_has_secret(c));
	cr_assert_str_eq(zcert_public_txt(c), PUBLIC);
	zcert_destroy(&c);
	folder_free(&f);
}

/* And in silence: zconfig would say what it does not like on stdout. */
Test(certificate, is_refused_whole)
{
	static const char *const bad[] = {
	    "",
	    "metadata\n    role = \"server\"\n",
	    "public-key = \"" PUBLIC "\"\n",
	    "curve\n    public-key = \"too short\"\n",
	    "curve\n    public-key = \"" PUBLIC "x\"\n",
	    "curve\n    public-key = \"" PUBLIC "\"\n    secret-key = \"?\"\n",
	    "curve\n    public-key = \"~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\"\n",
	    "curve\n    public-key = \"" PUBLIC "\"\nmetadata\n    role = \"king\"\n",
	    "curve\n    public-key",
	    "curve\n    public-key =",
	    "curve\n    public-key = \"",
	    "curve\n    public-key = \"" PUBLIC "\" junk\n",
	    "curve\n  public-key = \"" PUBLIC "\"\n",
	    "curve\n        public-key = \"" PUBLIC "\"\n",
	    "curve\n    public-key = \"" PUBLIC "\"\n/a/ = b\n",
	    "curve\n    public-key = \"" PUBLIC "\"\n?\n",
	};
	int out = memfd_create("stdout", MFD_CLOEXEC), before = dup(STDOUT_FILENO);
	fflush(stdout);
	cr_assert(out >= 0 && dup2(out, STDOUT_FILENO) >= 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert_null(parse(bad[i]), "\"%s\" is accepted", bad[i]);
	cr_assert(lseek(out, 0, SEEK_CUR) == 0 && dup2(before, STDOUT_FILENO) >= 0);
}

Test(certificate, is_written_for_its_owner_alone)
{
	struct folder f = folder_new();
	zcert_t *made = certificate_new(ROLE_OPERATOR, "ann"), *other = certificate_new(ROLE_OPERATOR, "ann");
	zcert_t *read = NULL;
	struct stat st;
	char path[300];
	snprintf(path, sizeof path, "%s/keys/a.cert", f.path);
	const mode_t mask = umask(0);
	cr_assert(certificate_write(made, path, false, f.why, sizeof f.why) == 0, "%s", f.why);
	cr_assert(certificate_write(made, path, false, f.why, sizeof f.why) == -EEXIST);
	cr_assert(strstr(f.why, "a.cert") != NULL);
	cr_assert(stat(in(&f, "keys"), &st) == 0 && (st.st_mode & 0777) == 0700);
	cr_assert(stat(in(&f, "keys/a.cert_secret"), &st) == 0 && (st.st_mode & 0777) == 0600);

	cr_assert(certificate_read(&read, path, f.why, sizeof f.why) == 0, "%s", f.why);
	cr_assert_str_eq(zcert_public_txt(read), zcert_public_txt(made));
	cr_assert(certificate_role(read) == ROLE_OPERATOR && !certificate_has_secret(read));
	cr_assert_str_eq(zcert_meta(read, "name"), "ann");
	zcert_destroy(&read);
	/* By either name. */
	cr_assert(certificate_read_own(&read, path, f.why, sizeof f.why) == 0, "%s", f.why);
	cr_assert(zcert_eq(read, made));
	zcert_destroy(&read);
	cr_assert(certificate_read_own(&read, in(&f, "keys/a.cert_secret"), f.why, sizeof f.why) == 0);
	zcert_destroy(&read);
	cr_assert(chmod(f.file, 0640) == 0);
	cr_assert(certificate_read_own(&read, path, f.why, sizeof f.why) == KUDOS_BAD_CERTIFICATE);
	cr_assert(strstr(f.why, "chmod 600") != NULL, "%s", f.why);
	if (geteuid() ==
	    0) { /* root's file, given to one of the group: the group may read it, and nobody else */
		cr_assert(chmod(f.path, 0755) == 0 && chmod(in(&f, "keys"), 0755) == 0);
		cr_assert(seteuid(65534) == 0);
		cr_assert(certificate_read_own(&read, path, f.why, sizeof f.why) == 0, "%s", f.why);
		zcert_destroy(&read);
		cr_assert(seteuid(0) == 0 && chmod(in(&f, "keys/a.cert_secret"), 0644) == 0);
		cr_assert(seteuid(65534) == 0);
		cr_assert(certificate_read_own(&read, path, f.why, sizeof f.why) == KUDOS_BAD_CERTIFICATE);
		cr_assert(seteuid(0) == 0);
	}
	cr_assert(unlink(in(&f, "keys/a.cert_secret")) == 0);
	cr_assert(certificate_read_own(&read, path, f.why, sizeof f.why) == KUDOS_BAD_CERTIFICATE);

	cr_assert(certificate_write(other, path, true, f.why, sizeof f.why) == 0, "%s", f.why);
	cr_assert(certificate_read_own(&read, path, f.why, sizeof f.why) == 0 && zcert_eq(read, other));
	cr_assert(umask(mask) == 0, "zcert_save_secret() would change it");
	zcert_destroy(&read);
	zcert_destroy(&other);
	zcert_destroy(&made);
	folder_free(&f);
}

/* Its public key, which the caller frees. */
static char *add_key(struct folder *f, const char *name, enum role role)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%s", f->path, name);
	zcert_t *c = certificate_new(role, "x");
	cr_assert(certificate_write(c, path, true, f->why, sizeof f->why) == 0, "%s", f->why);
	char *key = strdup(zcert_public_txt(c));
	zcert_destroy(&c);
	return key;
}

Test(trust, follows_its_folder)
{
	struct folder f = folder_new();
	struct trust *t;
	bool revoked = true;
	size_t count;
	char *server = add_key(&f, "s", ROLE_SERVER), *client = add_key(&f, "c", ROLE_CLIENT);
	put(&f, "junk", "junk");
	put(&f, "no-role", "curve\n    public-key = \"" PUBLIC "\"\n");
	put(&f, ".hidden", "curve\n    public-key = \"" PUBLIC "\"\nmetadata\n    role = \"server\"\n");
	cr_assert(trust_open(&t, f.path, f.why, sizeof f.why) == 0, "%s", f.why);
	cr_assert(trust_count(t) == 2);
	cr_assert(trust_role(t, server) == ROLE_SERVER);
	cr_assert(trust_role(t, client) == ROLE_CLIENT);
	cr_assert(trust_role(t, PUBLIC) == ROLE_NONE && trust_role(t, "") == ROLE_NONE);
	cr_assert(strcmp(trust_server(t, &count), server) == 0);
	cr_assert(!trust_refresh(t, &revoked));

	char *other = add_key(&f, "o", ROLE_SERVER);
	cr_assert(trust_refresh(t, &revoked) && !revoked);
	cr_assert(trust_role(t, other) == ROLE_SERVER);
	cr_assert(trust_server(t, &count) == NULL && count == 2);

	/* The same key twice: the lesser role. Then gone. */
	char text[256];
	snprintf(text, sizeof text, "curve\n    public-key = \"%s\"\nmetadata\n    role = \"client\"\n",
		 other);
	put(&f, "o2", text);
	cr_assert(trust_refresh(t, &revoked) && revoked);
	cr_assert(trust_role(t, other) == ROLE_CLIENT);
	cr_assert(unlink(in(&f, "o")) == 0 && unlink(in(&f, "o2")) == 0);
	cr_assert(trust_refresh(t, &revoked) && revoked);
	cr_assert(trust_role(t, other) == ROLE_NONE);

	/* A folder that cannot be read says nothing about whom to trust. */
	folder_free(&f);
	cr_assert(!trust_refresh(t, &revoked));
	cr_assert(trust_role(t, client) == ROLE_CLIENT);
	trust_free(t);
	cr_assert(trust_open(&t, f.path, f.why, sizeof f.why) == -ENOENT);
	free(server);
	free(client);
	free(other);
}

Test(security, wants_keys_that_fit)
{
	struct folder f = folder_new();
	struct security *s;
	char key[300];
	cr_assert(security_open(&s, NULL, NULL, true, f.why, sizeof f.why) == 0 && s == NULL);
	cr_assert(security_role(s, NULL) == ROLE_ANY && !security_tick(s, 0));
	cr_assert(security_open(&s, "x", NULL, true, f.why, sizeof f.why) == KUDOS_BAD_CERTIFICATE);
	cr_assert(strstr(f.why, "--trust is missing") != NULL, "%s", f.why);
	free(add_key(&f, "c", ROLE_CLIENT));
	snprintf(key, sizeof key, "%s/c", f.path);
	cr_assert(security_open(&s, key, f.path, false, f.why, sizeof f.why) == KUDOS_BAD_CERTIFICATE);
	cr_assert(strstr(f.why, "no certificate in it has the role server") != NULL, "%s", f.why);
	free(add_key(&f, "s", ROLE_SERVER));
	cr_assert(security_open(&s, key, f.path, false, f.why, sizeof f.why) == 0, "%s", f.why);
	security_close(s);
	cr_assert(security_open(&s, key, f.path, true, f.why, sizeof f.why) == KUDOS_BAD_CERTIFICATE);
	free(add_key(&f, "s2", ROLE_SERVER));
	cr_assert(security_open(&s, key, f.path, false, f.why, sizeof f.why) == KUDOS_BAD_CERTIFICATE);
	cr_assert(strstr(f.why, "more than one") != NULL, "%s", f.why);
	folder_free(&f);
}

Test(role, has_a_name)
{
	for (enum role role = ROLE_CLIENT; role <= ROLE_SERVER; role++)
		cr_assert(role_named(role_name(role)) == role);
	cr_assert(role_named("none") == ROLE_NONE && role_named("") == ROLE_NONE);
}
