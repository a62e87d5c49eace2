# SPDX-License-Identifier: MIT
"""What a like costs a cluster of so many servers, clients, keys, likes a batch and bytes a key."""

import concurrent.futures
import time

from systems import Kudos

USUAL = {"servers": 3, "clients": 16, "keys": 10000, "batch": 1024, "key bytes": 17}
CLIENTS_A_PROCESS = 2500  # each takes some descriptors, and a process has 20,000 at the most here


def count_for(point, most):
    """So many likes that a point takes seconds: small batches are dear."""
    return min(most, 20000 * point["batch"])


def measure(bench, point, most):
    """(likes a second, microseconds of processor a like)"""
    count = count_for(point, most)
    with Kudos(bench, point["servers"]) as kudos:
        def send(order, likes, clients, batch):
            """(seconds, seconds of processor), by as many processes side by side as the clients need."""
            n = -(-clients // CLIENTS_A_PROCESS)
            with concurrent.futures.ThreadPoolExecutor(n) as pool:
                reports = list(pool.map(lambda _: bench.run(
                    "likes", order, kudos.leader, clients // n, point["keys"], likes // n, batch, point["key bytes"]),
                    range(n)))
            return max(r["seconds"] for r in reports), sum(r["cpu_s"] for r in reports)

        send("each", point["keys"], USUAL["clients"], USUAL["batch"])  # the keys are there before
        kudos.wait_serving()
        kudos.wait_settled()
        before = kudos.cpu()
        seconds, cpu = send("random", count, point["clients"], point["batch"])
        start = time.monotonic()
        kudos.wait_serving()
        took = seconds + time.monotonic() - start
        return count / took, (kudos.cpu() - before + cpu) / count * 1e6
