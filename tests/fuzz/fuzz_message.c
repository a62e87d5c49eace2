/* libFuzzer: any bytes as a message. What is accepted must come out canonical: decoded, encoded, decoded and
 * encoded again it is the same bytes.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all …
 *   fuzz_message -max_len=4096 CORPUS tests/fuzz/seeds/message */
#include <assert.h>

#include "unit/wire_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes once = {0}, twice = {0};
	int error = recode(data, size, &once);
	assert(error >= 0);
	if (!error) {
		error = recode(once.data, once.size, &twice);
		assert(error == 0);
		assert(once.size == twice.size && memcmp(once.data, twice.data, once.size) == 0);
	}
	bytes_deinit(&once);
	bytes_deinit(&twice);
	return 0;
}
