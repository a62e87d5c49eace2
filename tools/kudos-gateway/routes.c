/* SPDX-License-Identifier: MIT */
#include "routes.h"

#include "asking.h"

const struct route *routes(void)
{
	static const struct route table[] = {
	    {"POST", "/v1/likes", false, ACCESS_WRITE, likes_run, likes_end},
	    {"POST", "/v1/sessions", false, ACCESS_WRITE, sessions_run_open, sessions_end},
	    {"PUT", "/v1/sessions/", true, ACCESS_WRITE, sessions_run_put, sessions_end},
	    {"GET", "/v1/sessions/", true, ACCESS_WRITE, sessions_run_ask, sessions_end},
	    {"DELETE", "/v1/sessions/", true, ACCESS_WRITE, sessions_run_close, sessions_end},
	    {"GET", "/v1/counts", false, ACCESS_READ, counts_run, counts_end},
	    {"GET", "/v1/counts/", true, ACCESS_READ, counts_run_one, counts_end},
	    {"GET", "/v1/top", false, ACCESS_READ, top_run, asking_end},
	    {"GET", "/v1/watch", false, ACCESS_READ, watch_run, watch_end},
	    {"GET", "/v1/status", false, ACCESS_OPERATE, status_run, asking_end},
	    {"GET", "/metrics", false, ACCESS_OPERATE, metrics_run, metrics_end},
	    {"GET", "/readyz", false, ACCESS_NONE, ready_run, asking_end},
	    {"GET", "/healthz", false, ACCESS_NONE, health_run, NULL},
	    {"GET", "/", false, ACCESS_NONE, page_run, NULL},
	    {"GET", "/page.css", false, ACCESS_NONE, page_run, NULL},
	    {"GET", "/page.js", false, ACCESS_NONE, page_run, NULL},
	    {"GET", "/gateway.js", false, ACCESS_NONE, page_run, NULL},
	    {"GET", "/outbox.js", false, ACCESS_NONE, page_run, NULL},
	    {NULL, NULL, false, ACCESS_NONE, NULL, NULL},
	};
	return table;
}
