/* SPDX-License-Identifier: MIT */
/* How long a like takes when nothing else goes on.
 *
 *	one-like acknowledged SECONDS ENDPOINT
 *		one client, one like after the other: until the acknowledgement
 *	one-like visible SECONDS ENDPOINT OTHER...
 *		a like sent to the server at the first client endpoint: until all the others have told a
 *		watcher the new count
 */
#include <kudos.h>

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "samples.h"

#define OTHERS 16
#define PATIENCE_NS (5 * NS_PER_S)
#define PAUSE_MS 5 /* above the time within which a server tells changes as one */

static kudos *connect_to(const char *server, void (*on_change)(void *, const char *, int64_t), void *arg)
{
	const struct kudos_options options = {
	    .server = server, .linger_us = -1, .on_change = on_change, .arg = arg};
	kudos *handle;
	const int r = kudos_open(&handle, &options);
	if (r != KUDOS_OK)
		give_up(server, kudos_error_text(r));
	return handle;
}

static void like(kudos *handle)
{
	if (kudos_like(handle, KUDOS_DEFAULT_KEY, 1) != KUDOS_OK)
		give_up("like", kudos_detail(handle));
}

static void measure_acknowledged(const char *server, int64_t end, struct samples *samples)
{
	kudos *handle = connect_to(server, NULL, NULL);
	like(handle); /* connects */
	for (int64_t start = clock_ns(); start < end;) {
		like(handle);
		const int64_t now = clock_ns();
		samples_add(samples, now - start);
		start = now;
	}
	kudos_close(&handle);
}

struct watcher {
	kudos *handle;
	int64_t count;
};

static void on_change(void *arg, const char *key, int64_t count)
{
	struct watcher *watcher = arg;
	(void)key;
	watcher->count = count;
}

struct scene {
	kudos *sender;
	struct watcher watchers[OTHERS];
	size_t count;
};

/* Lets everyone work until all watchers were told `count`, or for timeout_ms when that is not negative. */
static void work(struct scene *scene, int64_t count, int timeout_ms)
{
	const int64_t give_up_at = clock_ns() + PATIENCE_NS;
	const int64_t until = timeout_ms >= 0 ? clock_ns() + timeout_ms * INT64_C(1000000) : INT64_MAX;
	while (clock_ns() < until) {
		struct pollfd fds[OTHERS + 1];
		bool all = true;
		kudos_process(scene->sender, 0);
		fds[0] = (struct pollfd){.fd = kudos_fd(scene->sender), .events = POLLIN};
		for (size_t i = 0; i < scene->count; i++) {
			struct watcher *w = &scene->watchers[i];
			kudos_process(w->handle, 0);
			all = all && w->count >= count;
			fds[i + 1] = (struct pollfd){.fd = kudos_fd(w->handle), .events = POLLIN};
		}
		if (all && timeout_ms < 0)
			return;
		if (clock_ns() > give_up_at)
			give_up("watch", "a change was not told within 5 seconds");
		poll(fds, scene->count + 1, 1);
	}
}

static void measure_visible(char **servers, size_t count, int64_t end, struct samples *samples)
{
	static struct scene scene;
	int64_t sum;
	const char *key = KUDOS_DEFAULT_KEY;
	if (count < 2 || count > OTHERS)
		give_up("visible", "2 to 16 servers are wanted");
	scene.sender = connect_to(servers[0], NULL, NULL);
	like(scene.sender);
	for (scene.count = 0; scene.count + 1 < count; scene.count++) {
		struct watcher *w = &scene.watchers[scene.count];
		w->handle = connect_to(servers[scene.count + 1], on_change, w);
		if (kudos_watch(w->handle, key) != KUDOS_OK)
			give_up("watch", kudos_detail(w->handle));
	}
	if (kudos_count(scene.sender, &key, 1, &sum) != KUDOS_OK)
		give_up("count", kudos_detail(scene.sender));
	work(&scene, sum, -1); /* all watchers are connected and know the count */
	while (clock_ns() < end) {
		/* Some like may have been told by the watchers' regular reading; the median does not mind. */
		work(&scene, 0, PAUSE_MS + (int)(samples->count % 3));
		const int64_t start = clock_ns();
		if (kudos_send(scene.sender, key, 1, NULL) != KUDOS_OK)
			give_up("send", kudos_detail(scene.sender));
		work(&scene, ++sum, -1);
		samples_add(samples, clock_ns() - start);
	}
	for (size_t i = 0; i < scene.count; i++)
		kudos_close(&scene.watchers[i].handle);
	kudos_close(&scene.sender);
}

int main(int argc, char **argv)
{
	struct samples samples = {0};
	if (argc < 4) {
		fprintf(stderr, "usage: %s acknowledged|visible SECONDS ENDPOINT...\n", argv[0]);
		return 2;
	}
	const int64_t end = clock_ns() + (int64_t)(positive(argv[2]) * (double)NS_PER_S);
	if (strcmp(argv[1], "visible") == 0)
		measure_visible(argv + 3, (size_t)argc - 3, end, &samples);
	else
		measure_acknowledged(argv[3], end, &samples);
	samples_print(&samples);
	samples_deinit(&samples);
	return 0;
}
