/* SPDX-License-Identifier: MIT */
/* Certificates: whatever is in the file, what comes out is a key that libzmq would have written, or nothing;
 * and nothing is said on stdout, as zconfig would of what it cannot read. */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int out = -1;
	byte key[32];
	if (out < 0 && ((out = memfd_create("stdout", MFD_CLOEXEC)) < 0 || dup2(out, STDOUT_FILENO) < 0))
		__builtin_trap();
	zcert_t *c = certificate_parse((const char *)data, size);
	if (c && (!zmq_z85_decode(key, zcert_public_txt(c)) ||
		  memcmp(key, zcert_public_key(c), sizeof key) != 0 || certificate_role(c) > ROLE_SERVER))
		__builtin_trap();
	zcert_destroy(&c);
	if (lseek(out, 0, SEEK_CUR) != 0)
		__builtin_trap();
	return 0;
}
