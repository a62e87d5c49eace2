/* SPDX-License-Identifier: MIT */
/* kudos-gateway: a Kudos cluster over HTTP. See doc/kudos-gateway.1. */
#include <signal.h>

#include "gateway.h"

int main(int argc, char **argv)
{
	struct options options;
	struct gateway gateway;
	options_parse(&options, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	bool done = gateway_open(&gateway, &options);
	if (done) {
		gateway_log("serving on http://%s:%d/", options.address, options.port);
		done = gateway_run(&gateway);
	}
	gateway_close(&gateway);
	return done ? 0 : 1;
}
