/* SPDX-License-Identifier: MIT */
#include "routes.h"

const struct route *routes(void)
{
	static const struct route table[] = {
	    {"POST", "/v1/likes", false, likes_run, likes_end},
	    {"POST", "/v1/sessions", false, sessions_run_open, sessions_end},
	    {"PUT", "/v1/sessions/", true, sessions_run_put, sessions_end},
	    {"DELETE", "/v1/sessions/", true, sessions_run_close, sessions_end},
	    {"GET", "/v1/counts", false, counts_run, counts_end},
	    {"GET", "/v1/counts/", true, counts_run_one, counts_end},
	    {"GET", "/v1/top", false, top_run, top_end},
	    {"GET", "/v1/watch", false, watch_run, watch_end},
	    {"GET", "/v1/status", false, status_run, status_end},
	    {"GET", "/readyz", false, ready_run, status_end},
	    {"GET", "/healthz", false, health_run, NULL},
	    {"GET", "/", false, page_run, NULL},
	    {"GET", "/page.css", false, page_run, NULL},
	    {"GET", "/page.js", false, page_run, NULL},
	    {"GET", "/outbox.js", false, page_run, NULL},
	    {NULL, NULL, false, NULL, NULL},
	};
	return table;
}
