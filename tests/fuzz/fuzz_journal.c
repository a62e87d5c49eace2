/* SPDX-License-Identifier: MIT */
/* Any bytes as a segment file: opening, replaying and reading never crash, and what is read once is read
 * again after the next opening. Where a header's shape is right, its checksums are made so too (when the
 * first byte is odd), or no input would ever get past them. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/journal.h"
#include "store/segment.h"

#define FIRST_SEGMENT "journal-0000000000000001.log"

static int count_entry(void *arg, const struct entry *e)
{
	uint64_t *count = arg;
	uint8_t sum = 0;
	if (e->kind == ENTRY_GONE)
		return 0;
	for (size_t i = 0; i < e->size; i++) /* touches every byte, for the sanitizer */
		sum = (uint8_t)(sum + e->data[i]);
	*count += 1 + (sum & 0u);
	return 0;
}

/* Seals the entries that data looks like, as far as it does. */
static size_t seal_plausible(uint8_t *data, size_t size)
{
	size_t at = 0;
	while (size - at >= SEGMENT_HEADER) {
		uint32_t data_size = data[at + 4] | (uint32_t)data[at + 5] << 8;
		memset(data + at + 6, 0, 2);
		size_t whole = segment_entry_size(data_size);
		if (whole > size - at)
			break;
		memset(data + at + 13, 0, 3);
		struct bytes one = {.data = data + at, .size = whole, .capacity = whole};
		if (data[at + 8] % 4 != 0) /* the rest stays broken */
			segment_seal(&one, 1, at, at - at % (8u << (data[at + 9] % 8)));
		at += whole;
	}
	return at;
}

static uint64_t open_once(int dir)
{
	struct store_report report = {0};
	struct journal *j;
	char error[300];
	uint64_t count = 0;
	if (journal_open(&j, dir, "fuzz", 4096, &report, error, sizeof error) < 0)
		return 0;
	if (journal_replay(j, count_entry, &count) != 0 || count != report.entries)
		abort();
	if (journal_append(j, ENTRY_RECORD, (struct position){{1}, 1}, "x", 1) < 0)
		abort();
	journal_close(j);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/dev/shm/kudos-fuzz-XXXXXX";
	if (size == 0 || !mkdtemp(path))
		return 0;
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	int fd = openat(dir, FIRST_SEGMENT, O_WRONLY | O_CREAT, 0600);
	uint8_t *copy = malloc(size);
	if (dir < 0 || fd < 0 || !copy)
		abort();
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 1)
		seal_plausible(copy, size - 1);
	if (write(fd, copy, size - 1) != (ssize_t)(size - 1))
		abort();
	close(fd);
	uint64_t first = open_once(dir);
	if (open_once(dir) != first)
		abort();
	unlinkat(dir, FIRST_SEGMENT, 0);
	close(dir);
	rmdir(path);
	free(copy);
	return 0;
}
