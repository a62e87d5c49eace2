/* SPDX-License-Identifier: MIT */
/* Stands in for libFuzzer: gives the target every file of the folders that are named, the damage of each byte
 * included, and so keeps in every test run what the fuzzers once found. */
#include <dirent.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each input in memory of its own size, so that a sanitizer sees a read beyond its end. */
static int feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		return 1;
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	return 0;
}

static int replay(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	if (!file) {
		perror(path);
		return 1;
	}
	size_t size = fread(data, 1, sizeof data, file);
	fclose(file);
	int fault = feed(data, size) | feed(data, size / 2);
	for (size_t i = 0; i < size && i < 64; i++) {
		data[i] ^= 0x80;
		fault |= feed(data, size);
		data[i] ^= 0x80;
	}
	return fault;
}

int main(int argc, char **argv)
{
	int files = 0, faults = 0;
	/* The large pieces of one input are there for the next: else each is had from the kernel, page by
	 * page. */
	mallopt(M_MMAP_THRESHOLD, 1 << 25);
	mallopt(M_TRIM_THRESHOLD, 1 << 28);
	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		for (const struct dirent *entry; folder && (entry = readdir(folder));) {
			char path[4096];
			snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
			if (entry->d_name[0] == '.')
				continue;
			faults += replay(path);
			files++;
		}
		if (folder)
			closedir(folder);
	}
	printf("%d files, %d faults\n", files, faults);
	return files == 0 || faults > 0;
}
