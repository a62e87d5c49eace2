# SPDX-License-Identifier: MIT
"""The rows of the comparison: what each measures, of ours and of theirs, and what is to be reached."""

import time

import many
import ones
import opened
from opened import kudos_rate
from row import CLIENTS, KEYS, Row, target_row
from systems import BARE_PORT, Failed, Kudos, Nats, Redis, cpu_seconds, pause

ENTRY_BYTES = 128  # a journal entry with one like in it, roughly
PAUSE_MS = 6  # between two likes that watchers are told of: a server tells changes within 3 ms as one
NATS_WINDOW = 256  # messages in flight a client


# ---- throughput ----


def redis_rate(r):
    with Redis(r.bench) as redis:
        guess = redis.increments(CLIENTS, 128, KEYS, 200000)
        return redis.increments(CLIENTS, 128, KEYS, int(guess * r.seconds))


def nats_rate(r):
    with Nats(r.bench) as nats:
        report = nats.publish(CLIENTS, NATS_WINDOW, r.seconds)
        if report["refused"] > report["acknowledged"] / 100:
            raise Failed(f"NATS refused {report['refused']} messages")
        return report["per_s"]


def bare_rate(r):
    return r.bench.run("bare-zmq", "throughput", BARE_PORT, r.seconds)["per_s"]


# ---- one like at a time ----


def bare_round_trip(r):
    return r.bench.run("bare-zmq", "roundtrip", BARE_PORT, r.seconds / 3)["p50_us"]


def disk_sync(r):
    return r.bench.run("disk-sync", r.bench.folder, ENTRY_BYTES, r.seconds / 3)["p50_us"]


def paced_round_trip(r):
    return r.bench.run("bare-zmq", "roundtrip", BARE_PORT, r.seconds / 3, PAUSE_MS)["p50_us"]


def paced_disk_sync(r):
    return r.bench.run("disk-sync", r.bench.folder, ENTRY_BYTES, r.seconds / 3, PAUSE_MS)["p50_us"]


def quiet_cluster(r):
    """(acknowledgement p50, visible p50, the busiest idle server's share of a processor)"""
    with Kudos(r.bench) as kudos:
        seconds = r.seconds / 2
        one = r.bench.run("one-like", "acknowledged", seconds, kudos.endpoint("s1"))["p50_us"]
        visible = r.bench.run("one-like", "visible", seconds, *kudos.endpoints())["p50_us"]
        pause(1)  # sessions close, vectors come to rest
        before = [cpu_seconds(pid) for pid in kudos.server_pids()]
        start = time.monotonic()
        pause(r.seconds)
        took = time.monotonic() - start
        used = max(cpu_seconds(pid) - b for pid, b in zip(kudos.server_pids(), before))
        return one, visible, used / took * 100


def one_alone(r):
    """p50 of one client's likes at one server that has no others."""
    with Kudos(r.bench, servers=1) as kudos:
        return r.bench.run("one-like", "acknowledged", r.seconds / 2, kudos.endpoint("s1"))["p50_us"]


def floor_alone(r):
    return r.bench.run("floor", r.bench.folder, BARE_PORT, 1, r.seconds / 2)["p50_us"]


def one_durable(r):
    return r.once(bare_round_trip) + r.once(disk_sync)


ROWS = [
    Row("throughput/redis", "likes/s", 5, 10, lambda r: (r.once(kudos_rate), r.once(redis_rate)), True,
        note="Redis: INCR by redis-benchmark, 16 clients, -P 128, 10,000 keys, two replicas, appendfsync always on "
             "all three, until the replicas have everything. It has no protection against counting a retry "
             "twice. Kudos: until all three servers hold the same."),
    Row("throughput/nats", "likes/s", 40, 80, lambda r: (r.once(kudos_rate), r.once(nats_rate)), True,
        note="NATS: JetStream R3 in files, asynchronous publishing by 16 clients, 24 bytes a message. It acknowledges "
             "what a majority has in memory and syncs its files every two minutes; it stores and counts nothing."),
    Row("throughput/zmq", "likes/s", 0.5, 1, lambda r: (r.once(kudos_rate), r.once(bare_rate)), True,
        note="bare libzmq: 24 bytes a message, one hop, one sender, no acknowledgement, no disk, no replica."),
    Row("one-like", "us p50", 1.5, 1.25, lambda r: (r.once(quiet_cluster)[0], one_durable(r)),
        note="three servers. theirs: bare libzmq round trip + one fdatasync of a 128-byte append, both of this run."),
    Row("one-like-alone", "us p50", 1.2, 1.1, lambda r: (r.once(one_alone), one_durable(r)),
        note="as above, of one server that has no others."),
    Row("one-like-alone-floor", "us p50", 1.2, 1.1, lambda r: (r.once(one_alone), r.once(floor_alone)),
        note="theirs: a bare libzmq ROUTER that appends and syncs each message of one DEALER before it answers: round trip and "
             "sync in turn, so that processors and disk sleep between as they do for us. No target of anybody's."),
    Row("visible", "us p50", 1.5, 1.2, lambda r: (r.once(quiet_cluster)[1], r.once(bare_round_trip) + 2 * r.once(disk_sync)),
        note="ours: until watchers on both other servers were told, likes 6 ms apart. theirs: round trip + two fdatasync, "
             "back to back, which finds processors and disk awake."),
    Row("visible-paced", "us p50", 0.9, 0.75,
        lambda r: (r.once(quiet_cluster)[1], r.once(paced_round_trip) + 2 * r.once(paced_disk_sync)),
        note="as above, but theirs 6 ms apart, too."),
    *ones.ROWS, *opened.ROWS, *many.ROWS,
    target_row("idle", "% CPU", 0.3, 0.1, lambda r: r.once(quiet_cluster)[2], "the busiest of three idle servers."),
]
