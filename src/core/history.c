/* SPDX-License-Identifier: MIT */
#include "core/history.h"

/* Records of strangers are another cluster's, perhaps: whatever holds some is kept whole. */
void history_looked(struct history *h, uint64_t number, bool whole)
{
	if (whole && !h->strange && h->number == 0) {
		h->number = number;
		h->records = 0;
	}
	h->strange = false;
}

void history_applied(struct history *h, uint64_t records)
{
	if (h->records == 0)
		h->records = records + 1;
}

void history_checkpointed(struct history *h, uint64_t records)
{
	if (h->number == 0 || h->records == 0 || records + 1 < h->records)
		return;
	h->covered = h->number;
	h->number = 0;
}
