#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A hundred thousand frames of nonsense on every port of a cluster at work: it goes on counting, its memory stays
bounded, no count changes, and its counters show what came. And what watchers and subscribers may do."""
import collections
import contextlib
import itertools
import socket
import struct

import msgpack
import zmq

import cluster
import raw
from client import Client, Connection
from cluster import ClusterTest, seeded, wait_until
from test_protocol import examples

PORT = 25000
FRAMES = 100000
MORE_MEMORY = 64 << 20  # what a daemon may have grown by in the end
WATCHES, WATCHED = 1000, 100000  # as doc/protocol.md has it: of one, and all of one server
SESSIONS = 1000000  # made up: as many as a server accepts likes for


def resident(process):
    with open(f"/proc/{process.pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


class Frames:
    """Random ones, and the protocol's own after a mishap. None that is well-formed and would be obeyed."""

    NASTY = (b"", b"\0", b"\xc1", b"\x90", b"\xdd\xff\xff\xff\xff", b"\xdd\xff\x00\x00\x00", b"\x91" * 5000,
             b"\xc6\xff\xff\xff\xff", b"\x92\xa5batch\xdd\xff\xff\xff\xff", b"\x91\xdb\xff\xff\xff\xff", b"\x92\xa5batch\x94",
             b"\x94\xa5count\x01\xdd\x00\x00\xff\xff", b"\x81\xa5hello\x02", b"\xa5hello", b"\x93\xa5hello\x02\xa6client")

    def __init__(self, draw):
        self.draw, self.known, self.made = draw, examples(), 0

    def obeyed(self, body):
        """Told by its type alone: likes that count, and what any operator may say without keys."""
        with contextlib.suppress(Exception):
            return msgpack.unpackb(body, strict_map_key=False)[0] in ("batch", "drain", "forget", "members")
        return False

    def one(self):
        draw, kind = self.draw, self.draw.random()
        if kind < 0.1:
            return draw.choice(self.NASTY)
        if kind < 0.3:
            return draw.randbytes(draw.choice((1, 10, 100, 1000)))
        if kind < 0.301:
            return draw.randbytes(1 << 20)
        body = bytearray(draw.choice(self.known))
        for _ in range(draw.randint(0, 4)):
            body[draw.randrange(len(body))] = draw.randrange(256)
        return bytes(body[:draw.randint(0, len(body))] if kind < 0.5 else body)

    def some(self, count):
        while count > 0:
            body = self.one()
            if self.obeyed(body):
                continue
            count -= 1
            self.made += 1
            yield body


class Strangers(ClusterTest):
    def setUp(self):
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy, 0)

    def socket(self, kind, port):
        there = self.context.socket(kind)
        there.linger = 5000
        there.sndtimeo = 10000
        there.connect(f"tcp://127.0.0.1:{port}")
        return there


class Frenzy(Strangers):
    """A hundred thousand frames. Compares the latency of a load with that of a bare one, and so wants to be alone."""

    def to_router(self, port, frames, count):
        for part in range(10):
            there = self.socket(zmq.DEALER, port)
            if part % 2:
                there.send(raw.HELLO)
            for body in frames.some(count // 10):
                there.send(body)
                if frames.draw.random() < 0.01:
                    there.send_multipart([body[:9], b"", body[9:]])
                while there.poll(0):
                    there.recv()
            there.close()

    def to_publisher(self, port, frames, count):
        """Each connection is ended at the first word that is no subscription."""
        for _ in range(20):
            there = self.socket(zmq.XSUB, port)
            for body in frames.some(count // 20):
                first = frames.draw.random()
                body = body[:2000]
                there.send(body if first < 0.01 else b"\0" + body if first < 0.3 else b"\1" + body)
            there.close()

    def to_port(self, port, frames, count):
        """The same behind a ZMTP greeting, behind half of one, and without."""
        beginnings = (b"", raw.GREETING[:11], raw.GREETING, raw.GREETING + raw.ready(b"DEALER"),
                      raw.GREETING + raw.ready(b"SUB"), raw.GREETING + b"\x02\xff\xff\xff\xff\xff\xff\xff\xff")
        target = frames.made + count
        while frames.made < target:
            with socket.create_connection(("127.0.0.1", port)) as there:
                there.settimeout(5)
                with contextlib.suppress(OSError):
                    there.sendall(frames.draw.choice(beginnings))
                    for body in frames.some(min(100, target - frames.made)):
                        there.sendall(raw.frame(body[:5000]) if frames.draw.random() < 0.5 else body[:5000])

    def attack(self, c, frames):
        routers = [c.ports(name)[0] for name in ("leader", *c.servers)]
        publishers = [c.ports(name)[1] for name in c.servers]
        for port in routers:
            self.to_router(port, frames, FRAMES * 55 // 100 // len(routers))
        for port in publishers:
            self.to_publisher(port, frames, FRAMES * 30 // 100 // len(publishers))
        for port in routers + publishers:
            self.to_port(port, frames, FRAMES * 15 // 100 // len(routers + publishers))

    def test_a_hundred_thousand_frames(self):
        c = self.cluster(PORT)
        frames = Frames(seeded())
        c.ok("like", "guarded", "7")
        bare = c.bare()
        counted = c.total()
        load = c.load(rate=2000)
        load.flows()
        before = {name: resident(process) for name, process in c.processes.items()}
        pids = {name: process.pid for name, process in c.processes.items()}
        self.attack(c, frames)
        self.assertGreater(frames.made, FRAMES * 0.999)
        load.flows()
        report = load.finish()
        grown = {name: resident(process) - before[name] for name, process in c.processes.items()}
        malformed = {name: c.row(name)["malformed"] for name in c.servers}
        print(f"{frames.made} frames; malformed {malformed}; p99 {report['latency_us']['p99']:.0f} µs; grown by "
              f"{ {name: f'{more >> 10} KiB' for name, more in grown.items()} }")
        self.assertEqual({name: process.pid for name, process in c.processes.items() if c.runs(name)}, pids)
        self.assertLess(max(grown.values()), MORE_MEMORY, grown)
        self.assertGreater(min(malformed.values()), 1000)
        self.assertIn("ignored a message", c.log("leader"))
        self.served("nonsense", report, bare)
        c.await_count("guarded", 7)
        totals = {c.row(name)["likes_total"] for name in c.servers}
        self.assertEqual(totals, {report["acknowledged"] + counted}, "nothing but likes was counted")


class Bounds(Strangers):
    # ---- sessions that nobody issued ----

    def made_up(self, draw, known, count):
        """Batches of sessions: all of them random; of an issuer and a signer that there are; of others, with one's own proof."""
        issuer, number, signer, code = known
        head, middle, tail = b"\x94\xa5batch", b"\x94", b"\x01\x92\xa7made-up\x01"
        for i in range(count):
            a, b, c, d = struct.unpack("4Q", draw.randbytes(32))
            of, name, by, proof = ((a, b, c, d), (issuer, b, signer, d), (a, b, signer, code),
                                   (issuer, number + 1 + i, signer, code))[i % 4]
            yield head + struct.pack(">BQBQ", 0xcf, by, 0xcf, proof) + middle + struct.pack(">BQBQ", 0xcf, of or 1, 0xcf,
                                                                                           name or 1) + tail

    def test_a_million_sessions_that_nobody_issued(self):
        """Cost a code each, and no memory; new clients are served while it goes on and after it."""
        c = self.cluster(PORT + 40, servers=1, memory_only=True)
        honest = Client([c.endpoint("leader")])
        self.assertEqual(honest.like(("honest", 1))[0], "ack")
        known = Connection(self.context, c.endpoint("s1"), wants_session=True).welcome[5:9]
        before, refused = resident(c.processes["s1"]), collections.Counter()
        there = self.socket(zmq.DEALER, c.ports("s1")[0])
        there.send(raw.HELLO)
        there.recv()

        def hear(milliseconds):
            while there.poll(milliseconds):
                refused[msgpack.unpackb(there.recv())[4]] += 1
        for i, body in enumerate(self.made_up(seeded(), known, SESSIONS), 1):
            there.send(body)
            if i % 64 == 0:
                hear(0)
            if i % (SESSIONS // 10) == 0:
                self.assertEqual(Client([c.endpoint("leader")]).like(("honest", 1))[0], "ack")
        # Three of four have a signer that there is, and are counted; answers that come too quick to be read are dropped.
        wait_until(lambda: hear(100) or c.row("s1")["malformed"] >= SESSIONS * 3 // 4, "it has heard of them all", 60)
        there.close()
        grown = resident(c.processes["s1"]) - before
        print(f"{SESSIONS} made-up sessions: refused {dict(refused)}; grown by {grown >> 10} KiB")
        self.assertEqual(set(refused), {"not-issued", "unknown-session"})
        self.assertLess(grown, 16 << 20)
        self.assertEqual(Client([c.endpoint("leader")]).like(("honest", 1))[0], "ack")
        c.await_count("honest", 12)
        c.await_count("made-up", 0)

    # ---- watchers and subscribers ----

    def watcher(self, c, *keys):
        there = Connection(self.context, c.endpoint("s1"))
        self.assertEqual(there.ask(["watch", 1, keys, []], "counts", "error")[0], "counts")
        return there

    def await_told(self, c, there, key):
        def told():
            c.ok("--server", c.endpoint("s1"), "like", key)
            return (there.receive(0.1) or [None, None])[1] == key
        wait_until(told, "a change is told")
        while there.receive(0):
            pass

    def test_more_keys_than_anybody_may_watch(self):
        c = self.cluster(PORT + 20, servers=1, memory_only=True)
        greedy = self.watcher(c, *(f"n{i}" for i in range(WATCHES)))
        before = c.row("s1")["malformed"]
        error = greedy.ask(["watch", 2, [f"n{i}" for i in range(WATCHES + 1)], []], "counts", "error")
        self.assertEqual(error[:3], ["error", 2, "limit"])
        self.assertGreater(c.row("s1")["malformed"], before)
        self.await_told(c, greedy, f"n{WATCHES - 1}")  # it watches what it did

    def test_a_server_that_watches_for_too_many(self):
        c = self.cluster(PORT + 20, servers=1, memory_only=True)
        before = resident(c.processes["s1"])
        keys = [[f"{i}-{j}" for j in range(WATCHES)] for i in range(WATCHED // WATCHES)]
        many = [self.watcher(c, *some) for some in keys]
        grown = resident(c.processes["s1"]) - before
        print(f"{WATCHED} watched keys: grown by {grown >> 10} KiB")
        self.assertLess(grown, MORE_MEMORY)
        late = Connection(self.context, c.endpoint("s1"))
        error = late.ask(["watch", 2, ["one-more"], []], "counts", "error")
        self.assertEqual(error[:3], ["error", 2, "busy"])
        self.assertEqual(late.ask(["count", 3, ["one-more"], []], "counts", "error"), ["counts", 3, [0]])
        for there in many:
            there.socket.close()  # nobody says anything any more, and so watches nothing after a while

        def welcome():
            return late.ask(["watch", 4, ["one-more"], []], "counts", "error")[0] == "counts"
        wait_until(welcome, "those that have gone watch nothing")
        self.await_told(c, late, "one-more")

    def test_a_flood_of_subscriptions(self):
        c = self.cluster(PORT + 20, servers=1, memory_only=True)
        other = self.watcher(c, "other")
        before = resident(c.processes["s1"])
        port = c.ports("s1")[1]

        def connected(kind):
            """One may be taken for its predecessor at the same descriptor, and has to try again."""
            with contextlib.suppress(OSError):
                return raw.connect(port, kind)

        def flood(kind, bodies):
            """Until the server ends the connection."""
            said = [b"".join(map(raw.frame, bodies(i))) for i in range(20)]
            with wait_until(lambda: connected(kind), "a connection") as there, contextlib.suppress(OSError):
                for i in itertools.count():
                    there.sendall(said[i % len(said)])
        for prefix in (b"", b"x" * 100):
            flood(b"SUB", lambda i: [b"\1k%s%d\0" % (prefix, 1000 * i + j) for j in range(1000)])
            flood(b"SUB", lambda i: [b"\1r", b"\1v"] * 1000)
            flood(b"SUB", lambda i: [b"\1r", b"\0r"] * 1000)
            flood(b"XSUB", lambda i: [b"x" * 1000] * 1000)
        other.ask(["watch", 2, ["other"], []], "counts")
        self.await_told(c, other, "other")
        grown = resident(c.processes["s1"]) - before
        print(f"grown by {grown >> 10} KiB")
        self.assertLess(grown, MORE_MEMORY)
        self.assertGreaterEqual(c.row("s1")["malformed"], 8)
        self.assertIn("ended its connection", c.log("s1"))


if __name__ == "__main__":
    cluster.main(__name__)
