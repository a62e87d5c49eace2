#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Peers, clients and subscribers that ask and read nothing: what is kept for all of them together is bounded, the slowest
are ended, and whoever reads is served.

KUDOS_TEST_CLIENTS=9500 makes the crowd as large as a server takes beside the load and the test's own questions."""
import contextlib
import os
import resource
import socket

import msgpack

import cluster
import raw
from cluster import ClusterTest, wait_until

PORT = 25300
CROWD = int(os.environ.get("KUDOS_TEST_CLIENTS") or 2000)
UNREAD = 64 << 20  # bytes: what a port keeps for those that do not read, twice that for a second (doc/architecture.md)
BESIDES = 24 << 20  # the load's own counts, and what malloc keeps
CONNECTION = 32 << 10  # what one costs, whatever it does
PEER = 12345  # a node


def memory(process):
    with open(f"/proc/{process.pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


class Unread(ClusterTest):
    def setUp(self):
        os.environ.pop("MALLOC_PERTURB_", None)  # see test_load.py
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def alone(self):
        c = self.cluster(PORT, servers=1)
        return c, c.processes["s1"]

    def bounded(self, c, before, most, what):
        grown = memory(c.processes["s1"]) - before
        print(f"{what}: grown by {grown / (1 << 20):.1f} MiB, {c.row('s1')['malformed']} connections ended")
        self.assertLess(grown, most)
        self.assertIn("does not read", c.log("s1"))
        self.assertGreater(c.row("s1")["malformed"], 0)

    def peer(self, c):
        """A connection that says it is a server, and the origin of the one that it is to."""
        def welcomed():
            there = raw.connect(c.ports("s1")[0], b"DEALER", raw.message("hello", 3, "server", False, PEER))
            self.addCleanup(there.close)
            try:
                heard = there.recv(4096)
            except TimeoutError:  # what waits for all is at its limit: what cannot be sent is dropped, and asked for again
                return None
            return there, msgpack.unpackb(heard[heard.index(b"welcome") - 2:])[3]
        return wait_until(welcomed, "a welcome")

    def test_a_peer_that_fetches_and_never_reads(self):
        c, s1 = self.alone()
        load = c.load("--key-size", "100", rate=50000)
        load.flows(100000)
        before = memory(s1)
        asked = 0

        def ended():
            nonlocal asked
            there, origin = self.peer(c)
            with contextlib.suppress(OSError):
                there.sendall(raw.frame(raw.message("fetch", origin, 1, 1000000)) * 1200)
            asked += 1
            self.assertLess(memory(s1) - before, 2 * UNREAD + BESIDES)
            return "does not read" in c.log("s1")
        wait_until(ended, "one is ended")
        load.flows(10000)
        self.bounded(c, before, 2 * UNREAD + BESIDES, f"{asked} peers that each fetched 1,100 MiB and read nothing")
        self.assertEqual(load.finish()["in_doubt"], 0)

    def test_many_peers_that_fetch_and_never_read(self):
        """Of each the kernel keeps two or three MiB."""
        c, s1 = self.alone()
        load = c.load("--key-size", "100", rate=50000)
        load.flows(100000)
        before = memory(s1)
        for _ in range(200):
            there, origin = self.peer(c)
            there.sendall(raw.frame(raw.message("fetch", origin, 1, 1000000)) * 8)
        wait_until(lambda: "does not read" in c.log("s1"), "one is ended")
        load.flows(10000)
        self.bounded(c, before, 2 * UNREAD + BESIDES + 200 * CONNECTION, "200 peers that fetched 1,600 MiB and read nothing")
        self.assertEqual(load.finish()["in_doubt"], 0)

    def test_a_crowd_that_asks_and_reads_nothing(self):
        """What was received and waits for its turn is 8 messages of each, and what libzmq's decoder holds."""
        c, s1 = self.alone()
        load = c.load(rate=2000)
        load.flows()
        before = memory(s1)
        crowd = raw.Crowd(c.ports("s1")[0], CROWD)
        self.addCleanup(crowd.close)
        crowd.await_all(60)
        ask = raw.message("count", 1, [f"key-{j}" for j in range(1000)], [])
        for _ in range(10):
            crowd.say_again(*[ask] * 10)
        load.flows()
        grown = memory(s1) - before
        print(f"{CROWD} clients that asked 100 times for 1,000 counts and read nothing: grown by {grown >> 20} MiB")
        self.assertLess(grown, 2 * UNREAD + BESIDES + CROWD * (CONNECTION + 10 * len(ask)))
        self.assertEqual(load.finish()["in_doubt"], 0)

    def test_subscribers_that_read_nothing(self):
        c, s1 = self.alone()
        load = c.load("--key-size", "100", rate="max")
        load.flows(200000)
        before = memory(s1)
        there = [raw.connect(c.ports("s1")[1], b"SUB", b"\1r") for _ in range(20)]
        self.addCleanup(lambda: [one.close() for one in there])
        for one in there:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wait_until(lambda: "a subscriber that does not read" in c.log("s1"), "one is ended")
        load.flows(200000)
        self.bounded(c, before, UNREAD + BESIDES, "20 subscribers that read nothing")
        self.assertEqual(load.finish()["in_doubt"], 0)


if __name__ == "__main__":
    cluster.main(__name__)
