# SPDX-License-Identifier: MIT
"""Many clients that send one like at a time each, and clients whose server goes away."""

import signal
import threading

from row import KEYS, Row, target_row
from systems import BARE_PORT, Kudos, Redis

CONNECTIONS = 12  # that clients share who share any
OPENING_SECONDS = 2  # a thousand clients take a while to get their sessions: that is not what is measured


def by_ones(clients):
    """What measures so many clients of one like in flight each: (a second, p50 in ms, p99 in ms) of Kudos, with a connection
    each and with some that they share, of Redis and the floor."""

    def load(r, *args):
        with Kudos(r.bench) as kudos:
            script = f"{kudos.folder}/script"
            with open(script, "w", encoding="ascii") as file:
                file.write(f"phase opening max for {OPENING_SECONDS}s\nphase load max for {r.seconds}s\n")
            phase = kudos.load("--clients", clients, "--window", 1, "--linger", -1, "--keys", KEYS, "--script", script,
                               *args)["phases"][1]
            return phase["likes_per_s"], phase["latency_us"]["p50"] / 1000, phase["latency_us"]["p99"] / 1000

    def kudos_by_ones(r):
        return load(r)

    def kudos_by_ones_shared(r):
        return load(r, "--connections", min(CONNECTIONS, clients))

    def redis_by_ones(r):
        with Redis(r.bench) as redis:
            per_s = redis.benchmark(clients, 1, KEYS, min(20000, 2000 * clients))[0]
            return redis.benchmark(clients, 1, KEYS, int(per_s * r.seconds))

    def bare_by_ones(r):
        report = r.bench.run("floor", r.bench.folder, BARE_PORT, clients, r.seconds)
        return report["count"] / r.seconds, report["p50_us"] / 1000, report["p99_us"] / 1000

    found = kudos_by_ones, kudos_by_ones_shared, redis_by_ones, bare_by_ones
    for measure in found:
        measure.__name__ += f" {clients}"
    return found


def rows_by_ones(clients):
    ours, shared, redis, bare = by_ones(clients)
    name = f"one-by-one/{clients}"
    return [
        Row(name, "likes/s", 1, 1.5, lambda r: (r.once(ours)[0], r.once(redis)[0]), True,
            note="each client sends its next like when the one before is acknowledged; Kudos: the clients spread over three "
                 "servers. Redis: two replicas, appendfsync always on all three."),
        Row(f"{name}-p99", "ms", 1, 0.5, lambda r: (r.once(ours)[2], r.once(redis)[2]), note="of the same runs."),
        Row(f"{name}-shared", "likes/s", 1, 1.5, lambda r: (r.once(shared)[0], r.once(redis)[0]), True,
            note=f"the same, but our clients are sessions in one process that share {CONNECTIONS} connections; each of Redis's has its own."),
        Row(f"{name}-shared-p99", "ms", 1, 0.5, lambda r: (r.once(shared)[2], r.once(redis)[2]), note="of the same runs."),
        Row(f"{name}-floor", "likes/s", 0.6, 0.8, lambda r: (r.once(ours)[0], r.once(bare)[0]), True,
            note="theirs: one libzmq ROUTER that answers as many DEALERs, with one fdatasync for all that it found at once."),
    ]


def longest_like(r, number):
    """The longest of 20 clients' likes in ms, 2,000 a second, when a server of three gets the signal."""
    with Kudos(r.bench) as kudos:
        hit = threading.Timer(r.seconds / 2, kudos.processes["s3"].send_signal, [number])
        hit.start()
        report = kudos.load("--clients", 20, "--rate", 2000, "--duration", f"{r.seconds}s", "--no-check")
        hit.join()
        kudos.stop("s3", kill=True)
        return report["latency_us"]["max"] / 1000


ROWS = [
    *rows_by_ones(50), *rows_by_ones(200), *rows_by_ones(1000),
    target_row("moves-killed", "ms", 100, 30, lambda r: longest_like(r, signal.SIGKILL),
               "the longest like of 20 clients at 2,000/s when one of three servers gets kill -9."),
    target_row("moves-stopped", "ms", 1200, 600, lambda r: longest_like(r, signal.SIGSTOP), "the same with SIGSTOP."),
]
