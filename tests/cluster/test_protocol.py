#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The protocol as doc/protocol.md has it, spoken by a client that was written from that page; and what is none."""
import os
import re
import socket

import msgpack
import zmq

import cluster
import raw
from client import Client, Connection
from cluster import ClusterTest, seeded, wait_until

PORT = 22400
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc", "protocol.md")


def examples():
    """The messages on the page, as bytes."""
    with open(PAGE, encoding="utf-8") as file:
        blocks = re.findall(r"```example\n.*\n((?:[0-9a-f ]+\n)+)```", file.read())
    return [bytes.fromhex(block) for block in blocks]


class Protocol(ClusterTest):
    def setUp(self):
        self.c = self.common_cluster(PORT)
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy, 0)

    def client(self):
        client = Client([self.c.endpoint("leader")])
        self.addCleanup(client.context.destroy, 0)
        return client

    def to(self, name, **more):
        return Connection(self.context, self.c.endpoint(name), **more)

    def test_like_count_close(self):
        client = self.client()
        self.assertEqual(client.like(("post:1", 3), ("likes", -1))[0], "ack")
        self.assertEqual(client.like(("post:1", 2))[0], "ack")
        self.assertEqual(client.count("post:1", "likes", "never"), [5, -1, 0])
        self.c.await_count("post:1", 5)
        closed, *session = client.close()
        self.assertEqual((closed, tuple(session)), ("closed", client.session))

    def test_many_in_one_message(self):
        client, other = self.client(), self.client()
        for each in client, other:
            self.assertEqual(each.like(("many", 1))[0], "ack")
        parts = [["ping", 5]] + [["batch", *each.proof, [*each.session, 2, ["many", 10]]] for each in (client, other)]
        many = client.server.ask(["many", [msgpack.packb(part) for part in parts]], "many")
        acks = [msgpack.unpackb(part) for part in many[1]]
        self.assertEqual([ack[:4] for ack in acks], [["ack", *each.session, [2, 2]] for each in (client, other)])
        self.c.await_count("many", 22)

    def test_retried_on_another_server(self):
        client = self.client()
        client.like(("moved", 1))
        self.assertEqual(client.count("moved"), [1])
        name = client.server.welcome[4]
        batch = ["batch", *client.proof, [*client.session, 2, ["moved", 10]]]
        client.server.send(batch)
        self.c.kill(name)
        self.assertEqual(client.like(("moved", 10), seq=2)[0], "ack")  # the same number: the same batch
        self.assertEqual(client.count("moved"), [11])
        self.assertNotEqual(client.server.welcome[4], name)
        self.c.start(name)
        self.c.await_count("moved", 11)

    def test_one_batch_by_two_servers_counts_once(self):
        client = self.client()
        servers = [self.to(name) for name in self.c.servers]
        for seq in range(1, 201):
            for server in servers:
                server.send(["batch", *client.proof, [*client.session, seq, ["twice", 1]]])
        for server in servers:
            missing = set(range(1, 201))
            while missing:
                answer = server.receive(10)
                self.assertEqual(answer and answer[0], "ack")
                for lo, hi in zip(answer[3][::2], answer[3][1::2]):
                    missing -= set(range(lo, hi + 1))
        self.c.await_count("twice", 200)

    def test_two_contents_for_one_number(self):
        """While the first is remembered the second is refused. Never counted."""
        client, server = self.client(), self.to("s1")
        server.send(["batch", *client.proof, [*client.session, 1, ["first", 1]]])
        server.send(["batch", *client.proof, [*client.session, 1, ["second", 1]]])
        answers = [server.receive(10) for _ in range(2)]
        answers.append(server.ask(["batch", *client.proof, [*client.session, 1, ["third", 1]]], "ack", "refused"))
        self.assertEqual(sorted(answer[0] for answer in answers), ["ack", "refused", "refused"], answers)
        for answer in answers:
            self.assertTrue(answer[0] == "ack" or answer[3:5] == [1, "conflict"], answers)
        self.c.await_count("first", 1)
        self.c.await_count("second", 0)
        self.c.await_count("third", 0)

    def test_a_closed_session(self):
        client = self.client()
        client.like(("shut", 1))
        server = self.to("s3")
        self.assertEqual(server.ask(["close", *client.session, *client.proof], "closed"), ["closed", *client.session])
        self.assertEqual(server.ask(["close", *client.session, *client.proof], "closed"), ["closed", *client.session])
        new = server.ask(["batch", *client.proof, [*client.session, 2, ["shut", 1]]], "ack", "refused")
        self.assertEqual((new[0], new[4]), ("refused", "expired"))
        old = server.ask(["batch", *client.proof, [*client.session, 1, ["shut", 1]]], "ack", "refused")
        self.assertTrue(old[0] == "ack" or old[4] == "expired", old)
        self.c.await_count("shut", 1)

    def test_whether_one_was_counted(self):
        client = self.client()
        for seq in (1, 3):
            self.assertEqual(client.like(("asked", 1), seq=seq)[0], "ack")

        def seen(server, seq, proof=client.proof):
            return server.ask(["seen", *client.session, *proof, seq], "ack", "refused")
        self.assertEqual(seen(client.server, 1)[:4], ["ack", *client.session, [1, 1]])
        self.assertEqual(seen(client.server, 2)[:5], ["refused", *client.session, 2, "not-counted"])
        signer, code = client.proof
        self.assertEqual(seen(client.server, 1, (signer, code ^ 1))[4], "not-issued")
        others = [self.to(name) for name in self.c.servers]
        for server in others:  # in a moment
            wait_until(lambda s=server: seen(s, 3)[0] == "ack", "it is known there")
        client.close()
        self.assertEqual(seen(client.server, 2)[4], "expired", "and not that it was not counted")
        self.assertTrue(seen(client.server, 1)[0] == "ack" or seen(client.server, 1)[4] == "expired")
        self.c.await_count("asked", 2)

    def test_a_session_from_a_server(self):
        server = self.to("s2", wants_session=True)
        _, version, _, _, name, issuer, number, signer, code, serving = server.welcome
        self.assertEqual((version, name, serving), (3, "s2", True))
        self.assertEqual(server.ask(["batch", signer, code, [issuer, number, 1, ["direct", 2]]], "ack")[:2], ["ack", issuer])
        self.c.await_count("direct", 2)

    def test_refusals(self):
        client = self.client()
        for seq, (event, code) in enumerate([(("a b", 1), "bad-key"), (("", 1), "bad-key"), (("x" * 129, 1), "bad-key"),
                                             (("k", 0), "bad-amount"), (("k", 1000001), "bad-amount"),
                                             (("k", -1000001), "bad-amount")], 1):
            answer = client.like(event, seq=seq)
            self.assertEqual((answer[0], answer[3], answer[4]), ("refused", seq, code), event)
            self.assertTrue(answer[5])
        self.assertIn(client.like(*[("k", 1)] * 1025, seq=7)[4], ("too-large", "limit"))
        self.assertIn(client.like(*[("%0128d" % i, 1) for i in range(600)], seq=8)[4], ("too-large", "limit"))
        self.assertEqual(client.like(("k", 1), seq=9)[0], "ack")
        server = client.server
        error = server.ask(["count", 5, ["bad key"], []], "error", "counts")
        self.assertEqual(error[:3], ["error", 5, "bad-key"])
        error = server.ask(["count", 6, ["k"] * 1025, []], "error", "counts")
        self.assertEqual(error[:3], ["error", 6, "limit"])
        error = server.ask(["forget", 7, "nobody"], "error", "done")
        self.assertEqual(error[:3], ["error", 7, "unknown-node"])
        error = server.ask(["count", 8, ["k"], [123456789, 5]], "error", "counts")
        self.assertEqual(error[:3], ["error", 8, "behind"])

    def test_versions_and_hello(self):
        for name in ("leader", "s1"):
            there = self.to(name, hello=False)
            for message in (["ping", 1], ["status", 9]):
                there.send(message)
                self.assertEqual(there.receive(10)[2], "no-hello", name)
            for version in (0, 2, 4, 2 ** 64 - 1):
                there.send(["hello", version, "something", {"quite": 1.5}, None])
                error = there.receive(10)
                self.assertEqual((error[0], error[2]), ("error", "version"), name)
                self.assertIn(str(version), error[3])
                self.assertIn("3", error[3])
            there.send(["hello", 3, "client", False, 0])
            self.assertEqual(there.receive(10)[0], "welcome")
            self.assertEqual(there.ask(["ping", 77], "pong"), ["pong", 77])

    def test_watch(self):
        client = self.client()
        client.like(("seen", 1))
        self.assertEqual(client.count("seen", "other", watch=True), [1, 0])
        client.server.send(["batch", *client.proof, [*client.session, next(client.seqs), ["seen", 2, "unseen", 1]]])
        answers = []
        wait_until(lambda: answers.append(client.server.receive(1)) or ["changed", "seen", 3] in answers, "it is told")
        self.assertNotIn("unseen", [answer[1] for answer in answers if answer])
        self.assertEqual(client.count(watch=True), [])
        client.like(("seen", 1))
        self.assertIsNone(client.server.receive(0.1), "that was all")
        error = client.server.ask(["watch", 9, ["k"] * 1001, []], "error", "counts")
        self.assertEqual(error[:3], ["error", 9, "limit"])


class Garbage(ClusterTest):
    """What is not of the protocol, on every port: the cluster goes on counting, with the same processes."""

    def messages(self, draw):
        yield from (b"", b"\0", b"\xc1", b"\x90", b"\xdd\xff\xff\xff\xff", b"\xdd\xff\x00\x00\x00", b"\x91" * 5000,
                    b"\xc6\xff\xff\xff\xff", b"\x92\xa5batch\xdd\xff\xff\xff\xff", b"\x91\xdb\xff\xff\xff\xff",
                    bytes(1048576), draw.randbytes(1048577))
        known = examples()
        assert len(known) > 20
        for _ in range(1000):
            message = bytearray(draw.choice(known))
            for _ in range(draw.randint(0, 3)):
                message[draw.randrange(len(message))] = draw.randrange(256)
            yield bytes(message[:draw.randint(1, len(message))] if draw.random() < 0.2 else message)

    def harmless(self, message):
        """Not what an operator may say: forget and drain are for anybody, and a foreign server's row is believed."""
        return not any(word in message for word in (b"forget", b"drain", b"members"))

    def to_routers(self, c, draw):
        context = zmq.Context()
        for name in ["leader", *c.servers]:
            for hello in (False, True):
                there = context.socket(zmq.DEALER)
                there.linger = 1000
                there.connect(c.endpoint(name))
                if hello:
                    there.send(msgpack.packb(["hello", 3, "client", True, 0]))
                for message in filter(self.harmless, self.messages(draw)):
                    there.send(message)
                    while there.poll(0):
                        there.recv()
                there.send_multipart([b"", b"two", b"frames"])
                there.close()
        context.term()

    def to_publishers(self, c, draw):
        context = zmq.Context()
        for name in c.servers:
            there = context.socket(zmq.XSUB)
            there.linger = 1000
            there.connect(f"tcp://127.0.0.1:{c.ports(name)[1]}")
            for size in (0, 1, 2, 100, 130, 131, 245, 246, 250, 255, 256, 1000, 100000):
                for first in (b"\1", b"\0", b"\2", b"\1k"):
                    there.send(first + draw.randbytes(size))
            for message in filter(self.harmless, self.messages(draw)):
                if message[:1] == b"\1":  # a socket of ours keeps it, and libzmq 4.3.4 frees it by a call for each byte
                    self.subscribe(c.ports(name)[1], message)
                else:
                    there.send(message)
            there.close()
        context.term()

    def subscribe(self, port, message):
        """One may be taken for its predecessor at the same descriptor, which was ended, and has to try again."""
        def said():
            try:
                raw.connect(port, b"XSUB", message).close()
            except ConnectionError:
                return False
            return True
        wait_until(said, "a connection")

    def to_ports(self, c, draw):
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)
        for port in [port for name in ["leader", *c.servers] for port in c.ports(name)]:
            for bytes_ in (b"GET / HTTP/1.1\r\n\r\n", b"\n", greeting, greeting + draw.randbytes(5000),
                           greeting + b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\6DEALER" + draw.randbytes(5000),
                           greeting + b"\x02\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(100), draw.randbytes(100000)):
                with socket.create_connection(("127.0.0.1", port)) as there:
                    try:
                        there.sendall(bytes_)
                    except ConnectionError:
                        pass

    def test_garbage_on_every_port(self):
        c = self.cluster(PORT + 50)
        draw = seeded()
        load = c.load()
        load.flows()
        pids = {name: process.pid for name, process in c.processes.items()}
        self.to_routers(c, draw)
        self.to_publishers(c, draw)
        self.to_ports(c, draw)
        load.flows()
        report = load.finish()
        self.assertEqual(report["in_doubt"], 0)
        self.assertEqual({name: process.pid for name, process in c.processes.items() if c.runs(name)}, pids)
        c.ok("like", "still", "2")
        c.await_count("still", 2)


if __name__ == "__main__":
    cluster.main(__name__)
