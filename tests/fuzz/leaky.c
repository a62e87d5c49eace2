/* SPDX-License-Identifier: MIT */
/* A target with a leak: tests/fuzz/run wants to see it found before it believes that the others have none. */
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *volatile leaked = malloc(size + 100);
	leaked = NULL;
	(void)data;
	return leaked != NULL;
}
