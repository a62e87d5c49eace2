# SPDX-License-Identifier: MIT
"""A Kudos client in Python, written from doc/protocol.md and nothing else: likes, reads, and moves when its server
falls silent. It shows that the page is enough, and lets the tests say what a well-behaved client would not."""
import itertools
import time

import msgpack
import zmq

VERSION = 3


class Gone(Exception):
    """Nobody answered."""


class Connection:
    """A DEALER to a leader or a server."""

    def __init__(self, context, endpoint, wants_session=False, hello=True):
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)
        hello = hello and self.ask(["hello", VERSION, "client", wants_session, 0], "welcome", "error")
        self.welcome = hello

    def send(self, message):
        self.socket.send(message if isinstance(message, bytes) else msgpack.packb(message))

    def receive(self, seconds):
        return msgpack.unpackb(self.socket.recv()) if self.socket.poll(int(seconds * 1000)) else None

    def ask(self, message, *wanted, seconds=10):
        """Sends; gives the first answer of a wanted type. Pings while it is quiet; a second of silence is too long."""
        self.send(message)
        end, heard = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < min(end, heard + 1):
            answer = self.receive(0.25)
            if not answer:
                self.send(["ping", 1])
                continue
            heard = time.monotonic()
            if answer[0] == "error" and answer[2] == "no-hello":  # it has restarted meanwhile
                self.send(["hello", VERSION, "client", False, 0])
                self.send(message)
            elif answer[0] in wanted:
                return answer
        self.socket.close()
        raise Gone(f"no answer to {message!r}")


class Client:
    def __init__(self, leaders):
        self.context = zmq.Context()
        self.leaders, self.lost, self.server = leaders, 0, None
        self.positions, self.ids, self.seqs = {}, itertools.count(1), itertools.count(1)
        self.session, self.proof, self.servers = self.assign(True)

    def assign(self, wants_session):
        for endpoint in self.leaders * 5:
            try:
                leader = Connection(self.context, endpoint)
                answer = leader.ask(["assign", wants_session, self.lost, 0], "assigned", "error")
                leader.socket.close()
                if answer[0] == "assigned":
                    return tuple(answer[1:3]), tuple(answer[3:5]), answer[5]
            except Gone:
                pass
        raise Gone("no leader, or no server")

    def ask(self, message, *wanted):
        """Of the server; of the next one, when it is silent or does not serve."""
        for _ in range(20):
            try:
                if not self.server:
                    self.lost, _, endpoint = self.servers[0]
                    self.server = Connection(self.context, endpoint)
                answer = self.server.ask(message, *wanted)
                if not {"not-serving", "unknown-session"} & {part for part in answer if isinstance(part, str)}:
                    return answer
                self.server.socket.close()
            except Gone:
                pass
            self.server, self.servers = None, self.servers[1:] or self.assign(False)[2]
        raise Gone("no server")

    def like(self, *events, seq=None):
        """Sends (key, n), … as a batch; the same number is for the same batch again. Gives the answer."""
        batch = [*self.session, seq or next(self.seqs), [x for event in events for x in event]]
        answer = self.ask(["batch", *self.proof, batch], "ack", "refused")
        if answer[0] == "ack":
            for origin, lsn in zip(answer[4][::2], answer[4][1::2]):
                self.positions[origin] = max(lsn, self.positions.get(origin, 0))
        return answer

    def count(self, *keys, watch=False):
        positions = [x for position in self.positions.items() for x in position]
        return self.ask(["watch" if watch else "count", next(self.ids), list(keys), positions], "counts", "error")[2]

    def close(self):
        return self.ask(["close", *self.session, *self.proof], "closed")


def want_checkpoint(endpoint):
    """As a server that needs a snapshot."""
    context = zmq.Context()
    connection = Connection(context, endpoint, hello=False)
    connection.ask(["hello", VERSION, "server", False, 77], "welcome")
    connection.ask(["snapshot", 1, 0], "part", "error")
    connection.socket.close()
    context.term()
