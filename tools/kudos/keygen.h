/* SPDX-License-Identifier: MIT */
/* kudos keygen: a pair of CURVE keys in files. */
#ifndef KUDOS_TOOL_KEYGEN_H
#define KUDOS_TOOL_KEYGEN_H

#define KEYGEN "keygen"
#define KEYGEN_HELP "make a pair of keys"

/* argv[0] is "keygen". The exit status. */
int keygen_main(int argc, char **argv);

/* See daemon/flags.h. */
void keygen_complete(const char *before, const char *typed);

#endif
