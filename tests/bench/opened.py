# SPDX-License-Identifier: MIT
"""Likes that come at a given rate, whether those before are acknowledged or not; and what they write."""

import concurrent.futures
import statistics
import time

from row import CLIENTS, KEYS, Row, target_row
from systems import Failed, Kudos, written_bytes

SERVERS = 3


def kudos_rate(r):
    """Acknowledged, and equal on all three servers, a second."""
    with Kudos(r.bench) as kudos:
        report = kudos.load("--clients", CLIENTS, "--keys", KEYS, "--key-size", 17, "--duration", f"{r.seconds}s")
        return report["acknowledged"] / (report["duration_s"] + report["check"]["took_s"])


def at_half_rate(r, in_memory):
    """{"p99", "p99.9": ms from the time at which a like was to be sent, "group": bytes of a group commit, "every": ms from one to
    the next of a server}"""
    rate = int(r.once(kudos_rate) / 2)
    with Kudos(r.bench, in_memory=in_memory) as kudos:
        # The first likes make every server write a checkpoint soon, and the rate keeps them at it.
        kudos.load("--clients", CLIENTS, "--keys", KEYS, "--prefix", "a", "--key-size", 17, "--duration", "2s")
        checkpoints, before, start = kudos.checkpoints(), kudos.commits("s1"), time.monotonic()
        report = kudos.load("--clients", CLIENTS, "--keys", KEYS, "--prefix", "b", "--key-size", 17, "--rate", rate,
                            "--duration", f"{3 * r.seconds}s", "--no-check")
        took, after = time.monotonic() - start, kudos.commits("s1")
        if kudos.checkpoints() == checkpoints:
            r.say("no checkpoint was written during the open loop: the figures say nothing about checkpoints")
        if report["unsent"] > rate / 10:
            r.say(f"{report['unsent']} likes were due and could not be sent in time")
        groups = after["commits"] - before["commits"]
        return {"p99": report["latency_us"]["p99"] / 1000, "p99.9": report["latency_us"]["p99_9"] / 1000,
                "group": (after["bytes"] - before["bytes"]) / groups, "every": took / groups * 1000}


def open_loop(r):
    return at_half_rate(r, False)


def open_loop_in_memory(r):
    return at_half_rate(r, True)


def bare_appends(r):
    """p99 in ms of appends and syncs of as many bytes as the open loop had, as often, by as many processes at once."""
    like = r.once(open_loop)
    with concurrent.futures.ThreadPoolExecutor(SERVERS) as pool:
        reports = list(pool.map(lambda i: r.bench.run(
            "disk-sync", r.bench.sub_folder(f"appends{i}"), int(like["group"]), r.seconds, "every", like["every"]), range(SERVERS)))
    return statistics.median(report["p99_us"] for report in reports) / 1000


def bytes_a_like(r):
    """What a server has the disk write for a like, checkpoints included."""
    count = r.many // 2
    with Kudos(r.bench) as kudos:
        kudos.likes("each", KEYS, KEYS)
        kudos.wait_serving()
        before = [written_bytes(pid) for pid in kudos.server_pids()]
        kudos.likes("random", KEYS, count)
        kudos.wait_serving()
        kudos.wait_settled()
        written = statistics.mean(written_bytes(pid) - b for pid, b in zip(kudos.server_pids(), before))
    if not written:
        raise Failed("the kernel does not count what processes write here")
    return written / count


ROWS = [
    target_row("open-loop-p99", "ms", 5, 2, lambda r: r.once(open_loop)["p99"],
               "half the maximum rate, checkpoints running, from the intended send time."),
    target_row("open-loop-p99.9", "ms", 20, 10, lambda r: r.once(open_loop)["p99.9"], "as above."),
    target_row("open-loop-memory-p99", "ms", 5, 2, lambda r: r.once(open_loop_in_memory)["p99"],
               "the same rate, all files in memory (/dev/shm)."),
    target_row("open-loop-memory-p99.9", "ms", 20, 10, lambda r: r.once(open_loop_in_memory)["p99.9"], "as above."),
    Row("open-loop-disk", "ms p99", 1.5, 1.2, lambda r: (r.once(open_loop)["p99"], r.once(bare_appends)),
        note="theirs: three processes that only append and sync, as many bytes as often as a server's group commits in "
             "our run, from the time at which each was due."),
    target_row("bytes-a-like", "bytes", 28, 20, bytes_a_like,
               "what the kernel counts as written by a server (/proc/PID/io), keys of 17 bytes, 10,000 of them, batches of 1,024."),
]
