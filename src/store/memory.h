/* SPDX-License-Identifier: MIT */
/* The store in memory, for --memory-only and for tests: durable means nothing here. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/store.h"

int memory_open(struct store **store);

#endif
