/* SPDX-License-Identifier: MIT */
/* The page and what it loads: the files of the folder page, which the build makes part of the program. */
#ifndef GATEWAY_PAGE_H
#define GATEWAY_PAGE_H

#include <stddef.h>

struct page_file {
	const char *path; /* NULL: the end of the list */
	const unsigned char *bytes;
	size_t size;
};

extern const struct page_file page_files[]; /* embed writes it */

#endif
