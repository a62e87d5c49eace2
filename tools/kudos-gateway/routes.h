/* SPDX-License-Identifier: MIT */
/* What there is at which path. Each route's functions are in the file of its name. */
#ifndef GATEWAY_ROUTES_H
#define GATEWAY_ROUTES_H

#include "exchange.h"

/* Ends with a route whose method is NULL. */
const struct route *routes(void);

void likes_run(struct exchange *x);
void likes_end(struct exchange *x);
void sessions_run_open(struct exchange *x);
void sessions_run_put(struct exchange *x);
void sessions_run_ask(struct exchange *x);
void sessions_run_close(struct exchange *x);
void sessions_end(struct exchange *x);
void counts_run(struct exchange *x);
void counts_run_one(struct exchange *x);
void counts_end(struct exchange *x);
void top_run(struct exchange *x);
void watch_run(struct exchange *x);
void watch_end(struct exchange *x);
void status_run(struct exchange *x);
void metrics_run(struct exchange *x);
void metrics_end(struct exchange *x);
void health_run(struct exchange *x);
void ready_run(struct exchange *x);
void page_run(struct exchange *x);

#endif
