/* SPDX-License-Identifier: MIT */
/* What the daemons' command lines have in common: flag over environment over default; wrong values end the
 * process with status 2 and a text that names the flag or variable. */
#ifndef DAEMON_FLAGS_H
#define DAEMON_FLAGS_H

#include <argp.h>
#include <stdbool.h>

/* A port 1..65535. name: what the user wrote it in, for the message. */
int flags_port(struct argp_state *state, const char *name, const char *value);
/* A whole number 0..max. */
long flags_number(struct argp_state *state, const char *name, const char *value, long max);

/* The environment variable when the flag was not given (NULL or 0); what it is not set to stays. */
void flags_env_string(const char **value, const char *variable);
void flags_env_port(struct argp_state *state, int *port, const char *variable);
void flags_env_bool(bool *value, const char *variable); /* set, not empty and not "0" */

/* --key and --trust, of which there are both or none, with their environment variables. */
void flags_check_keys(struct argp_state *state, const char **key, const char **trust);

/* An IPv4 address to bind to; outside 127.0.0.0/8 only with `insecure`, or with keys. */
void flags_check_address(struct argp_state *state, const char *address, bool insecure);

/* argp_parse() with usage errors ending in status 2; version is what --version prints. --complete WORD... as
 * the only arguments: what may stand for the last WORD, for a shell (as in tools/shared/flag.h). */
void flags_parse(const struct argp *argp, const char *version, int argc, char **argv, void *options);

#endif
