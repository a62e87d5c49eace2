/* SPDX-License-Identifier: MIT */
#include "kudos.h"

const char *kudos_error_text(int error)
{
	static const char *const texts[] = {
#define X(name, code, text) [KUDOS_##name] = (text),
	    KUDOS_ERRORS(X)
#undef X
	};
	if (error < 0 || error >= KUDOS_ERROR_COUNT)
		return "unknown error";
	return texts[error];
}

const char *kudos_error_code(int error)
{
	static const char *const codes[] = {
#define X(name, code, text) [KUDOS_##name] = (code),
	    KUDOS_ERRORS(X)
#undef X
	};
	if (error < 0 || error >= KUDOS_ERROR_COUNT)
		return "unknown";
	return codes[error];
}
