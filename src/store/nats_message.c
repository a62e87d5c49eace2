/* SPDX-License-Identifier: MIT */
#include "store/nats_message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/nats_body.h"

#define ANSWER_MOST 512 /* bytes: one that is longer names an error */

natsStatus nats_message_make(natsMsg **m, const struct nats_names *names, const struct told_entry *record,
			     uint64_t last, const char *reply)
{
	char subject[NATS_SUBJECT], id[64], number[24];
	nats_subject(names, record->at.origin, subject);
	natsStatus s = nats_body_make(m, subject, reply, record->data, record->size);
	snprintf(number, sizeof number, "%" PRIu64, record->at.lsn);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(*m, "Kudos-Lsn", number);
	snprintf(number, sizeof number, "%016" PRIx64, record->node.id);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(*m, "Kudos-Node", number);
	if (s == NATS_OK && record->ended)
		s = natsMsgHeader_Set(*m, "Kudos-End", "1");
	snprintf(id, sizeof id, "%016" PRIx64 ":%" PRIu64 "%s", record->at.origin.id, record->at.lsn,
		 record->ended ? ":end" : "");
	if (s == NATS_OK)
		s = natsMsgHeader_Set(*m, "Nats-Msg-Id", id);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(*m, "Nats-Expected-Stream", names->stream);
	snprintf(number, sizeof number, "%" PRIu64, last);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(*m, "Nats-Expected-Last-Subject-Sequence", number);
	if (s != NATS_OK) {
		natsMsg_Destroy(*m);
		*m = NULL;
	}
	return s;
}

bool nats_message_read(natsMsg *m, struct told_entry *told, struct bytes *unpacked)
{
	const char *lsn = NULL, *node = NULL, *end = NULL;
	if (unpacked)
		bytes_clear(unpacked);
	if (natsMsgHeader_Get(m, "Kudos-Lsn", &lsn) != NATS_OK ||
	    natsMsgHeader_Get(m, "Kudos-Node", &node) != NATS_OK)
		return false;
	*told = (struct told_entry){.type = TOLD_RECORD,
				    .node = {strtoull(node, NULL, 16)},
				    .at.lsn = strtoull(lsn, NULL, 10),
				    .ended = natsMsgHeader_Get(m, "Kudos-End", &end) == NATS_OK};
	return told->node.id != 0 && told->at.lsn != 0 &&
	       (!unpacked || nats_body_read(m, unpacked, &told->data, &told->size));
}

/* It is {"stream":"S","seq":7}, with "duplicate" or "domain" perhaps, or has an "error". A stream's name has
 * no quotes. */
uint64_t nats_message_stored(const char *answer, size_t size)
{
	static const char key[] = "\"seq\":";
	char text[ANSWER_MOST];
	if (size >= sizeof text)
		return 0;
	memcpy(text, answer, size);
	text[size] = '\0';
	const char *at = strstr(text, key);
	return at && !strstr(text, "\"error\"") ? strtoull(at + strlen(key), NULL, 10) : 0;
}
