/* SPDX-License-Identifier: MIT */
/* GET / and the files that the page loads. */
#include "page.h"

#include <string.h>

#include "routes.h"

/* It may do what it is for, whatever got into it: load these files, ask this gateway. */
static const char *const headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache"}, /* a newer gateway has a newer page */
};

static const char *type_of(const char *path)
{
	const char *suffix = strrchr(path, '.');
	return strcmp(suffix, ".html") == 0  ? "text/html; charset=utf-8"
	       : strcmp(suffix, ".css") == 0 ? "text/css; charset=utf-8"
					     : "text/javascript; charset=utf-8";
}

void page_run(struct exchange *x)
{
	const char *path = strcmp(x->route->path, "/") == 0 ? "/page.html" : x->route->path;
	const struct page_file *file = page_files;
	while (file->path && strcmp(file->path, path) != 0)
		file++;
	if (!file->path) {
		exchange_problem(x, MHD_HTTP_NOT_FOUND, "no-path", "there is nothing at this path");
		return;
	}
	/* libmicrohttpd only reads it. */
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(file->size, (void *)file->bytes, MHD_RESPMEM_PERSISTENT);
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type_of(path));
	for (size_t i = 0; response && i < sizeof headers / sizeof *headers; i++)
		MHD_add_response_header(response, headers[i][0], headers[i][1]);
	exchange_answer(x, MHD_HTTP_OK, response);
}
