# SPDX-License-Identifier: MIT
"""The rows of the comparison: what each measures, of ours and of theirs, and what is to be reached.

A measurement that several rows share is made once a round (`Round.once`), so that the rows of a round compare
what was measured within the same minutes.
"""

import signal
import statistics
import threading
import time

from systems import BARE_PORT, Failed, Kudos, Nats, Redis, cpu_seconds, pause, resident_bytes

CLIENTS = 16
KEYS = 10000
ENTRY_BYTES = 128  # a journal entry with one like in it, roughly
PAUSE_MS = 6  # between two likes that watchers are told of: a server tells changes within 3 ms as one
NATS_WINDOW = 256  # messages in flight a client
CONNECTIONS = 12  # that clients share who share any


class Round:
    """One pass over the chosen rows; remembers what was measured already."""

    def __init__(self, bench, quick, say):
        self.bench = bench
        self.seconds = 3 if quick else 8
        self.many = 1000000 if quick else 10000000
        self.say = say
        self.known = {}

    def once(self, measure):
        if measure not in self.known:
            self.say(measure.__name__.replace("_", " "))
            self.known[measure] = measure(self)
        return self.known[measure]


# ---- throughput ----


def kudos_rate(r):
    """Acknowledged, and equal on all three servers, a second."""
    with Kudos(r.bench) as kudos:
        report = kudos.load("--clients", CLIENTS, "--keys", KEYS, "--key-size", 17, "--duration", f"{r.seconds}s")
        return report["acknowledged"] / (report["duration_s"] + report["check"]["took_s"])


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


def one_like(r):
    return r.once(quiet_cluster)[0], r.once(bare_round_trip) + r.once(disk_sync)


def visibility(r):
    return r.once(quiet_cluster)[1], r.once(bare_round_trip) + 2 * r.once(disk_sync)


def visibility_paced(r):
    return r.once(quiet_cluster)[1], r.once(paced_round_trip) + 2 * r.once(paced_disk_sync)


# ---- many clients, one like of each at a time ----


def by_ones(clients):
    """What measures so many clients of one like in flight each: (a second, p99 in ms) of Kudos, with a connection each and
    with some that they share, of Redis and the floor."""

    def load(r, *args):
        with Kudos(r.bench) as kudos:
            report = kudos.load("--clients", clients, "--window", 1, "--linger", -1, "--keys", KEYS, "--duration", f"{r.seconds}s",
                                *args)
            return report["likes_per_s"], report["latency_us"]["p99"] / 1000

    def kudos_by_ones(r):
        return load(r)

    def kudos_by_ones_shared(r):
        return load(r, "--connections", CONNECTIONS)

    def redis_by_ones(r):
        with Redis(r.bench) as redis:
            per_s, _ = redis.benchmark(clients, 1, KEYS, 20000)
            return redis.benchmark(clients, 1, KEYS, int(per_s * r.seconds))

    def bare_by_ones(r):
        report = r.bench.run("floor", r.bench.folder, BARE_PORT, clients, r.seconds)
        return report["count"] / r.seconds, report["p99_us"] / 1000

    return kudos_by_ones, kudos_by_ones_shared, redis_by_ones, bare_by_ones


def rows_by_ones(clients):
    ours, shared, redis, bare = by_ones(clients)
    name = f"one-by-one/{clients}"
    return [
        Row(name, "likes/s", 1, 1.5, lambda r: (r.once(ours)[0], r.once(redis)[0]), True,
            note="each client sends its next like when the one before is acknowledged; Kudos: the clients spread over three "
                 "servers. Redis: two replicas, appendfsync always on all three."),
        Row(f"{name}-p99", "ms", 1, 0.5, lambda r: (r.once(ours)[1], r.once(redis)[1]), note="of the same runs."),
        Row(f"{name}-shared", "likes/s", 1, 1.5, lambda r: (r.once(shared)[0], r.once(redis)[0]), True,
            note=f"the same, but our clients are sessions in one process that share {CONNECTIONS} connections; each of Redis's has its own."),
        Row(f"{name}-shared-p99", "ms", 1, 0.5, lambda r: (r.once(shared)[1], r.once(redis)[1]), note="of the same runs."),
        Row(f"{name}-floor", "likes/s", 0.6, 0.8, lambda r: (r.once(ours)[0], r.once(bare)[0]), True,
            note="theirs: one libzmq ROUTER that answers as many DEALERs, with one fdatasync for all that it found at once."),
    ]


def one_alone(r):
    """p50 of one client's likes at one server that has no others."""
    with Kudos(r.bench, servers=1) as kudos:
        return r.bench.run("one-like", "acknowledged", r.seconds / 2, kudos.endpoint("s1"))["p50_us"]


# ---- a client whose server is gone ----


def longest_like(r, number):
    """The longest of 20 clients' likes in ms, 2,000 a second, when a server of three gets the signal."""
    with Kudos(r.bench) as kudos:
        hit = threading.Timer(r.seconds / 2, kudos.processes["s3"].send_signal, [number])
        hit.start()
        report = kudos.load("--clients", 20, "--rate", 2000, "--duration", f"{r.seconds}s", "--no-check")
        hit.join()
        kudos.stop("s3", kill=True)
        return report["latency_us"]["max"] / 1000


def killed(r):
    return longest_like(r, signal.SIGKILL)


def stopped(r):
    return longest_like(r, signal.SIGSTOP)


# ---- open loop ----


def open_loop(r):
    """(p99, p99.9) in ms at half the maximum rate, from the time at which a like was to be sent."""
    rate = int(r.once(kudos_rate) / 2)
    with Kudos(r.bench) as kudos:
        # The first likes make every server write a checkpoint soon, and the rate keeps them at it.
        kudos.load("--clients", CLIENTS, "--keys", KEYS, "--prefix", "a", "--key-size", 17, "--duration", "2s")
        before = kudos.checkpoints()
        report = kudos.load("--clients", CLIENTS, "--keys", KEYS, "--prefix", "b", "--key-size", 17, "--rate", rate,
                            "--duration", f"{3 * r.seconds}s", "--no-check")
        if kudos.checkpoints() == before:
            r.say("no checkpoint was written during the open loop: the figures say nothing about checkpoints")
        if report["unsent"] > rate / 10:
            r.say(f"{report['unsent']} likes were due and could not be sent in time")
        return report["latency_us"]["p99"] / 1000, report["latency_us"]["p99_9"] / 1000


# ---- many keys ----


def kudos_many(r):
    """One cluster that holds all the keys: (bytes a key, seconds to restart, CPU microseconds a like)"""
    with Kudos(r.bench) as kudos:
        empty = resident_bytes(kudos.processes["s3"].pid)
        kudos.likes("each", r.many, r.many)
        kudos.wait_serving()
        kudos.wait_settled()
        per_key = statistics.mean(resident_bytes(pid) - empty for pid in kudos.server_pids()) / r.many
        cost = cost_of_likes(kudos, r.many, 2 * r.many)
        kudos.stop("s3", kill=True)
        start = time.monotonic()
        kudos.start_server("s3")
        kudos.wait_serving("s3", seconds=300)
        return per_key, time.monotonic() - start, cost


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
        kudos.likes("random", KEYS, r.many)
        start = time.monotonic()
        kudos.start_server("s3")
        kudos.wait_serving("s3", seconds=300)
        return r.many / (time.monotonic() - start)


class Row:
    """measure(round) → (ours, theirs). heavy: minutes long, so once and not every round."""

    def __init__(self, name, unit, reach, beyond, measure, more_is_better=False, heavy=False, note=""):
        self.name, self.unit, self.reach, self.beyond = name, unit, reach, beyond
        self.measure, self.more_is_better, self.heavy, self.note = measure, more_is_better, heavy, note

    def verdict(self, ratio):
        def within(limit):
            return ratio >= limit if self.more_is_better else ratio <= limit

        return "beyond" if within(self.beyond) else "reached" if within(self.reach) else "missed"


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
    Row("one-like", "us p50", 1.25, 1.1, one_like,
        note="theirs: bare libzmq round trip + one fdatasync of a 128-byte append, both of this run."),
    Row("one-like-alone", "us p50", 1.2, 1.1, lambda r: (r.once(one_alone), r.once(bare_round_trip) + r.once(disk_sync)),
        note="as above, of one server that has no others."),
    *rows_by_ones(50), *rows_by_ones(200), *rows_by_ones(1000),
    Row("moves-killed", "ms", 1, 0.3, lambda r: (r.once(killed), 100.0),
        note="the longest like of 20 clients at 2,000/s when one of three servers gets kill -9; theirs: the target."),
    Row("moves-stopped", "ms", 1, 0.5, lambda r: (r.once(stopped), 1200.0), note="the same with SIGSTOP."),
    Row("visible", "us p50", 1.5, 1.2, visibility,
        note="ours: until watchers on both other servers were told, likes 6 ms apart. theirs: round trip + two fdatasync, "
             "back to back, which finds processors and disk awake."),
    Row("visible-paced", "us p50", 1.5, 1.2, visibility_paced,
        note="as above, but theirs 6 ms apart, too. Not the target, which is the row above: it shows what the pauses cost."),
    Row("open-loop-p99", "ms", 1, 0.4, lambda r: (r.once(open_loop)[0], 5.0),
        note="half the maximum rate, checkpoints running, from the intended send time; theirs: the target."),
    Row("open-loop-p99.9", "ms", 1, 0.5, lambda r: (r.once(open_loop)[1], 20.0), note="as above."),
    Row("memory", "bytes/key", 0.6, 0.5, lambda r: (r.once(kudos_many)[0], r.once(redis_many)[0]), heavy=True,
        note="resident memory over that of an empty server, keys of 17 bytes. Redis: no disk, no replica."),
    Row("restart", "s", 0.5, 0.25, lambda r: (r.once(kudos_many)[1], r.once(redis_many)[1]), heavy=True,
        note="ours: after kill -9, until it takes likes again; the last likes come from the journal. Redis: loading an "
             "RDB file, its quickest way."),
    Row("catch-up", "likes/s", 2, 4, lambda r: (r.once(catch_up), r.once(kudos_rate)), True, True,
        note="theirs: Kudos itself, live. The server's start is part of the time."),
    Row("cost-of-keys", "us CPU/like", 2, 1.5, lambda r: (r.once(kudos_many)[2], r.once(kudos_few)), heavy=True,
        note="all processes, client and checkpoints included; theirs: Kudos itself with 1,000 keys."),
    Row("idle", "% CPU", 1, 0.3, lambda r: (r.once(quiet_cluster)[2], 1.0),
        note="the busiest of three idle servers; theirs: the target."),
]
