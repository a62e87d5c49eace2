/* SPDX-License-Identifier: MIT */
/* kudos-server: see server.h for the sockets, host.h for the rest. */
#include <signal.h>
#include <stdlib.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "daemon/notify.h"
#include "kudos.h"
#include "server/options.h"
#include "server/server.h"

/* A status of its own, so that no service manager starts it again: only an operator can help
 * (kudos-server.1). */
enum { EXIT_FORGOTTEN = 3 };

static int exit_status(int e)
{
	return e == 0 ? EXIT_SUCCESS : e == KUDOS_FORGOTTEN ? EXIT_FORGOTTEN : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct options options;
	struct notify notify;
	options_parse(&options, argc, argv);
	log_init("server", options.debug);
	signal(SIGPIPE, SIG_IGN); /* whoever read the log lines may go first */
	descriptors_allow_many();
	notify_init(&notify);

	struct server *server = server_new(&options, &notify);
	if (!server)
		return EXIT_FAILURE;
	const struct member *self = server_self(server);
	log_info("node %016llx: clients at %s, notifications at %s", (unsigned long long)self->node.id,
		 self->client_endpoint, self->notify_endpoint);
	int e = server_run(server);
	if (e == 0)
		log_info("stopped");
	server_free(server);
	notify_deinit(&notify);
	return exit_status(e);
}
