/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "store/nats_message.h"

static uint64_t stored(const char *answer)
{
	return nats_message_stored(answer, strlen(answer));
}

Test(nats_message, answers)
{
	cr_assert(stored("{\"stream\":\"S\",\"seq\":17}") == 17);
	cr_assert(
	    stored("{\"stream\":\"S\",\"domain\":\"d\",\"seq\":18446744073709551615,\"duplicate\":true}") ==
	    UINT64_MAX);
	const char *not_stored[] = {
	    "",
	    "{}",
	    "{\"stream\":\"S\",\"seq\":0}",
	    "{\"stream\":\"S\",\"seq\":-}",
	    "{\"error\":{\"code\":503,\"description\":\"insufficient "
	    "resources\"},\"stream\":\"S\",\"seq\":0}",
	    "{\"error\":{\"code\":400,\"description\":\"wrong last sequence: "
	    "5\"},\"stream\":\"S\",\"seq\":7}",
	    "-ERR 'no'",
	};
	for (size_t i = 0; i < sizeof not_stored / sizeof *not_stored; i++)
		cr_assert(stored(not_stored[i]) == 0, "%s", not_stored[i]);
	char long_one[600];
	memset(long_one, ' ', sizeof long_one);
	memcpy(long_one, "{\"seq\":3", 8);
	cr_assert(nats_message_stored(long_one, sizeof long_one) == 0);
	cr_assert(nats_message_stored("{\"seq\":34", 8) == 3); /* what is behind is not looked at */
}

Test(nats_message, a_record_and_back)
{
	struct nats_names names;
	struct told_entry told, record = {.type = TOLD_RECORD,
					  .node = {0xab},
					  .at = {{0xcd}, 12},
					  .data = (const uint8_t *)"body",
					  .size = 4};
	struct bytes unpacked = {0};
	natsMsg *m = NULL;
	const char *value = NULL;
	cr_assert(nats_Open(-1) == NATS_OK);
	cr_assert(!nats_names_parse(&names, "nats://a/S"));
	cr_assert(nats_message_make(&m, &names, &record, 7, "reply") == NATS_OK);
	cr_assert(strcmp(natsMsg_GetSubject(m), "S.r.00000000000000cd") == 0);
	cr_assert(strcmp(natsMsg_GetReply(m), "reply") == 0);
	const char *headers[][2] = {{"Nats-Msg-Id", "00000000000000cd:12"},
				    {"Nats-Expected-Stream", "S"},
				    {"Nats-Expected-Last-Subject-Sequence", "7"}};
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		cr_assert(natsMsgHeader_Get(m, headers[i][0], &value) == NATS_OK);
		cr_assert(strcmp(value, headers[i][1]) == 0);
	}
	cr_assert(nats_message_read(m, &told, &unpacked));
	cr_assert(told.type == TOLD_RECORD && told.node.id == 0xab && told.at.lsn == 12);
	cr_assert(told.size == 4 && memcmp(told.data, "body", 4) == 0);
	cr_assert(natsMsgHeader_Set(m, "Kudos-Lsn", "0") == NATS_OK &&
		  !nats_message_read(m, &told, &unpacked));
	cr_assert(natsMsgHeader_Delete(m, "Kudos-Lsn") == NATS_OK && !nats_message_read(m, &told, &unpacked));
	cr_assert(natsMsgHeader_Set(m, "Kudos-Lsn", "12") == NATS_OK);
	cr_assert(nats_message_read(m, &told, NULL) && told.at.lsn == 12 && told.size == 0);
	natsMsg_Destroy(m);
}
