/* SPDX-License-Identifier: MIT */
/* What a connection may do: its key's role in the trust folder. Each may do what those before it may; a
 * server's key, which decides what is counted, could not be kept from anything anyway. */
#ifndef NET_ROLE_H
#define NET_ROLE_H

enum role {
	ROLE_NONE,     /* no key that is trusted (any more): nothing */
	ROLE_CLIENT,   /* likes, reads, watches, status */
	ROLE_OPERATOR, /* also drain and forget */
	ROLE_SERVER,   /* also what servers say to each other and to leaders */
	ROLE_ANY,      /* no CURVE: whoever can connect may do everything */
};

const char *role_name(enum role role);	/* "none" for those that no certificate has */
enum role role_named(const char *name); /* ROLE_NONE: it is none of the three */

#endif
