/* SPDX-License-Identifier: MIT */
/* kudos keygen: a pair of CURVE keys in files. */
#ifndef KUDOS_TOOL_KEYGEN_H
#define KUDOS_TOOL_KEYGEN_H

/* argv[0] is "keygen". The exit status. */
int keygen_main(int argc, char **argv);

#endif
