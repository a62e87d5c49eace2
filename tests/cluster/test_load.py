#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Many clients, and clients, watchers and peers that do not read: what they cost, and that others go on meanwhile.

The figures are printed. KUDOS_TEST_CLIENTS=9500 makes the crowd as large as a server takes beside the load and the test's
own questions (2000: the short form)."""
import os
import re
import resource
import signal
import socket
import time

import cluster
import raw
from cluster import ClusterTest, wait_until

PORT = 25200
CROWD = int(os.environ.get("KUDOS_TEST_CLIENTS") or 2000)
STALLED = 256 << 20  # bytes that a stalled peer or reader may cost


def memory(process, what="VmRSS"):
    with open(f"/proc/{process.pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(what))


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


class LoadTest(ClusterTest):
    def setUp(self):
        # meson fills all that is allocated, so that bytes count as used that nobody has: 65 KiB a client instead of 23.
        os.environ.pop("MALLOC_PERTURB_", None)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Served(LoadTest):
    """Others are, nearly as fast as without all that."""

    def crowd(self, *arguments):
        crowd = raw.Crowd(*arguments)
        self.addCleanup(crowd.close)
        return crowd

    def finish(self, load, what, bare, heavy=1):
        report = load.finish()
        self.served(what, report, bare, heavy)
        return report

    def test_a_crowd(self):
        c = self.cluster(PORT, servers=1)
        bare = c.bare()
        load = c.load(rate=2000)
        load.flows()
        s1 = c.processes["s1"]
        before = memory(s1)
        crowd = self.crowd(c.ports("s1")[0], CROWD)
        seconds = crowd.await_all(60)
        self.assertEqual(crowd.failed, 0)
        wait_until(lambda: c.row("s1")["clients"] >= CROWD, "status knows of all")
        each = (memory(s1) - before) / CROWD
        print(f"{CROWD} clients: all served after {seconds:.2f} s; {each / 1024:.1f} KiB a client")
        self.assertLess(each, 64 << 10)
        load.flows()
        # All of them like at once, each once.
        start = time.monotonic()
        for fd, there in crowd.sockets.items():
            *session, signer, code = crowd.sessions[fd]
            there.sendall(raw.frame(raw.message("batch", signer, code, [*session, 1, ["crowd", 1]])))
        c.await_count("crowd", CROWD)
        print(f"a like of each: counted after {time.monotonic() - start:.2f} s")
        load.flows()
        self.finish(load, "a crowd", bare, max(1, CROWD / 2000))
        crowd.close()
        wait_until(lambda: descriptors(s1) < 100, "their descriptors are free again")

    def test_readers_that_send_and_do_not_read(self):
        c = self.cluster(PORT, servers=1)
        bare = c.bare()
        load = c.load(rate=2000)
        load.flows()
        s1 = c.processes["s1"]
        before = memory(s1)
        asks = [raw.message("count", i + 1, [f"key-{j}" for j in range(1000)], []) for i in range(20)]
        crowd = self.crowd(c.ports("s1")[0], 50)
        crowd.await_all(30)
        whole = 50
        rounds = 0
        while whole > 25 and rounds < 500:  # until the server takes no more of most, or has answered enough
            whole = crowd.say_again(*asks)
            rounds += 1
        load.flows()
        grown = memory(s1) - before
        print(f"50 clients that asked {rounds} times 20 questions and read nothing: {grown / 50 / 1024:.0f} KiB each")
        self.assertLess(grown, 50 * 12 << 20)
        # 38,000 questions of a thousand keys: the server's thread has seconds of work, of which likes get their share.
        self.finish(load, "readers that do not read", bare, heavy=4)
        c.ok("like", "still", "2")
        c.await_count("still", 2)

    def test_watchers_that_do_not_read(self):
        c = self.cluster(PORT, servers=1)
        s1 = c.processes["s1"]
        watch = raw.message("watch", 1, ["loved"], [])
        watchers = [raw.connect(c.ports("s1")[0], b"DEALER", raw.HELLO, watch) for _ in range(200)]
        self.addCleanup(lambda: [watcher.close() for watcher in watchers])
        for watcher in watchers:
            watcher.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        before = memory(s1)
        bare = c.bare("--keys", "1")
        load = c.load("--keys", "1", "--prefix", "", rate=2000)
        load.flows(20000)
        grown = memory(s1) - before
        print(f"200 watchers that read nothing: {grown / 200 / 1024:.0f} KiB each")
        self.assertLess(grown, STALLED)
        self.finish(load, "watchers that do not read", bare)

    def test_no_descriptors_left(self):
        """Strangers take every descriptor that there is: who is connected goes on, also when the journal needs a file."""
        c = self.cluster(PORT, servers=1)
        s1 = c.processes["s1"]
        bare = c.bare("--key-size", "120", rate=100000)
        load = c.load("--key-size", "120", rate=100000)
        load.flows()
        # As after a start with so few: the server keeps 128 for itself.
        resource.prlimit(s1.pid, resource.RLIMIT_NOFILE, (572, 700))
        strangers = []
        self.addCleanup(lambda: [there.close() for there in strangers])
        for _ in range(800):
            strangers.append(socket.create_connection(("127.0.0.1", c.ports("s1")[0])))
        wait_until(lambda: descriptors(s1) >= 572, lambda: f"all are taken: {descriptors(s1)}")

        def newest():
            return max(re.findall(r"journal-([0-9a-f]+)", " ".join(os.listdir(c.data("s1")))))
        then = newest()
        wait_until(lambda: newest() > then, "the journal got a new file")
        self.assertGreaterEqual(descriptors(s1), 572)
        load.flows()
        for there in strangers:
            there.close()
        c.ok("like", "again")  # a new connection
        self.finish(load, "no descriptors left", bare, heavy=3)


class Bounds(LoadTest):
    def test_a_peer_that_stands_still(self):
        """As fast as it goes: what is kept for the one that was stopped is bounded, and it gets all of it in the end."""
        c = self.cluster(PORT)
        load = c.load("--key-size", "100", rate="max")
        load.flows(200000)
        before = {name: memory(c.processes[name]) for name in ("s1", "s2")}
        c.signal(signal.SIGSTOP, "s3")
        wait_until(lambda: c.states().get("s3") == "down", lambda: c.states())
        load.flows(1000000)
        grown = {name: memory(c.processes[name]) - before[name] for name in before}
        c.signal(signal.SIGCONT, "s3")
        start = time.monotonic()
        c.await_up("s3")
        load.process.send_signal(signal.SIGINT)
        report = load.complete()
        print(f"a stopped peer: {report['likes_per_s']:.0f} likes/s, p99 {report['latency_us']['p99']:.0f} µs; the others "
              f"grew by { {name: f'{more >> 20} MiB' for name, more in grown.items()} }; all equal "
              f"{time.monotonic() - start:.1f} s after it went on")
        self.assertEqual(report["check"]["servers"], 3)
        self.equal_everywhere(c, report)
        self.assertLess(max(grown.values()), STALLED)


if __name__ == "__main__":
    cluster.main(__name__)
