# SPDX-License-Identifier: MIT
"""Many keys, many likes that were missed, many clients."""

import statistics
import time

import growing
from opened import kudos_rate
from row import KEYS, Row, target_row
from systems import Failed, Kudos, Redis, resident_bytes, written_bytes


def kudos_many(r):
    """One cluster that holds all the keys: (bytes a key, seconds to restart, CPU microseconds a like, bytes written a like)"""
    with Kudos(r.bench) as kudos:
        empty = resident_bytes(kudos.processes["s3"].pid)
        kudos.likes("each", r.many, r.many)
        kudos.wait_serving()
        kudos.wait_settled()
        per_key = statistics.mean(resident_bytes(pid) - empty for pid in kudos.server_pids()) / r.many
        before = written_bytes(kudos.processes["s3"].pid)
        cost = cost_of_likes(kudos, r.many, 2 * r.many)
        written = (written_bytes(kudos.processes["s3"].pid) - before) / (2 * r.many)
        kudos.stop("s3", kill=True)
        start = time.monotonic()
        kudos.start_server("s3")
        kudos.wait_serving("s3", seconds=300)
        return per_key, time.monotonic() - start, cost, written


def cost_of_likes(kudos, keys, count):
    """CPU microseconds a like of the whole cluster and of the client, checkpoints included."""
    before = kudos.cpu()
    client = kudos.likes("random", keys, count)["cpu_s"]
    kudos.wait_serving()
    kudos.wait_settled()
    return (kudos.cpu() - before + client) / count * 1e6


def kudos_few(r):
    with Kudos(r.bench) as kudos:
        kudos.likes("each", 1000, 1000)
        return cost_of_likes(kudos, 1000, 2 * r.many)


def redis_many(r):
    """(bytes a key, seconds to load its own snapshot)"""
    with Redis(r.bench, replicas=0, durable=False) as redis:
        empty = resident_bytes(redis.processes["redis0"].pid)
        redis.fill(r.many)
        per_key = (resident_bytes(redis.processes["redis0"].pid) - empty) / r.many
        if not redis.ask("SAVE").startswith("+OK"):
            raise Failed("Redis SAVE failed")
        redis.stop("redis0", kill=True)
        start = time.monotonic()
        redis.start_one(0)
        return per_key, time.monotonic() - start


def catch_up(r):
    """Likes a second that a server which was away takes in, starting up included."""
    with Kudos(r.bench) as kudos:
        kudos.likes("each", KEYS, KEYS)
        kudos.wait_serving()
        kudos.stop("s3", kill=True)
        missed = 5 * r.many  # ten seconds' worth
        kudos.likes("random", KEYS, missed)
        start = time.monotonic()
        kudos.start_server("s3")
        kudos.wait_serving("s3", seconds=300)
        return missed / (time.monotonic() - start)


def cost_of_clients(r, clients):
    """CPU microseconds a like of all processes: each client sends two full batches, one in a quick round."""
    point = {**growing.USUAL, "clients": clients}
    return growing.measure(r.bench, point, clients * point["batch"] * (1 if r.many < 10000000 else 2))[1]


ROWS = [
    Row("memory", "bytes/key", 0.6, 0.5, lambda r: (r.once(kudos_many)[0], r.once(redis_many)[0]), heavy=True,
        note="resident memory over that of an empty server, keys of 17 bytes. Redis: no disk, no replica."),
    Row("restart", "s", 0.5, 0.25, lambda r: (r.once(kudos_many)[1], r.once(redis_many)[1]), heavy=True,
        note="ours: after kill -9, until it takes likes again; the last likes come from the journal. Redis: loading an "
             "RDB file, its quickest way."),
    Row("catch-up", "likes/s", 2, 10, lambda r: (r.once(catch_up), r.once(kudos_rate)), True, True,
        note="likes that came while it was away, fifty million of ten thousand keys, five in a quick round: a snapshot is taken, which "
             "takes as long whatever was missed. theirs: Kudos itself, live. The server's start is part of the time, and most of it."),
    Row("cost-of-keys", "us CPU/like", 2, 1.5, lambda r: (r.once(kudos_many)[2], r.once(kudos_few)), heavy=True,
        note="all processes, client and checkpoints included; theirs: Kudos itself with 1,000 keys."),
    target_row("bytes-a-like-many", "bytes", 28, 20, lambda r: r.once(kudos_many)[3],
               "as bytes-a-like, keys drawn of ten million (one in a quick round): over half of it is checkpoints, for all keys changed.",
               heavy=True),
    target_row("clients/1000", "us CPU/like", 1, 0.8, lambda r: cost_of_clients(r, 1000),
               "all processes; each client opens a session and sends full batches of 1,024.", heavy=True),
    target_row("clients/10000", "us CPU/like", 3, 2, lambda r: cost_of_clients(r, 10000), "as above.", heavy=True),
]
