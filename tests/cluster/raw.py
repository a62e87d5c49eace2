# SPDX-License-Identifier: MIT
"""Connections of ZMTP 3 over plain sockets: thousands of them in one process, and as ill-behaved as one likes."""
import errno
import os
import select
import socket
import time

import msgpack

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)


def frame(body, more=False):
    if len(body) < 256:
        return bytes([more, len(body)]) + body
    return bytes([2 + more]) + len(body).to_bytes(8, "big") + body


def ready(kind):
    body = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    return b"\x04" + bytes([len(body)]) + body


def opening(kind):
    """What may be said before anything was heard. Messages may not: libzmq takes them for part of the handshake."""
    return GREETING + ready(kind)


def message(*elements):
    return msgpack.packb(list(elements))


HELLO = message("hello", 3, "client", False, 0)
WANTS = message("hello", 3, "client", True, 0)


def welcomed(heard):
    """The welcome in it, once it is whole."""
    at = heard.find(b"\x9a\xa7welcome")
    unpacker = msgpack.Unpacker()
    unpacker.feed(heard[at:] if at >= 0 else b"")
    return next(unpacker, None)


def connect(port, kind=b"DEALER", *bodies):
    there = socket.create_connection(("127.0.0.1", port), timeout=10)
    there.sendall(opening(kind))
    heard = b""
    while b"READY" not in heard:
        data = there.recv(4096)
        if not data:
            there.close()
            raise ConnectionError("it has ended the connection")
        heard += data
    there.sendall(b"".join(map(frame, bodies)))
    return there


class Crowd:
    """Many clients: each says hello and waits to be welcomed, with a session."""

    def __init__(self, port, count):
        self.port = port
        self.poll = select.epoll()
        self.sockets = {}  # descriptor → socket
        self.unheard = {}  # descriptor → what came so far
        self.sessions = {}  # descriptor → issuer, number, signer, code
        self.failed = 0  # connections that ended before they were welcomed
        self.started = time.monotonic()
        for _ in range(count):
            self.begin()

    def begin(self):
        there = socket.socket()
        there.setblocking(False)
        result = there.connect_ex(("127.0.0.1", self.port))
        if result not in (0, errno.EINPROGRESS):
            raise OSError(result, os.strerror(result))
        self.sockets[there.fileno()] = there
        self.unheard[there.fileno()] = None  # not even connected
        self.poll.register(there, select.EPOLLOUT)

    def hear(self, fd):
        try:
            if self.unheard[fd] is None:
                self.sockets[fd].sendall(opening(b"DEALER"))
                self.unheard[fd] = b""
                self.poll.modify(fd, select.EPOLLIN)
                return
            data = self.sockets[fd].recv(4096)
            before = self.unheard[fd]
            if b"READY" in before + data and b"READY" not in before:
                self.sockets[fd].sendall(frame(WANTS))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.unheard[fd] = (self.unheard[fd] or b"") + data
        welcome = welcomed(self.unheard[fd])
        if not data or welcome:
            self.failed += not data
            self.sessions[fd] = welcome and welcome[5:9]
            self.poll.unregister(fd)
            del self.unheard[fd]

    def await_all(self, deadline):
        """Seconds from the first connection to the last answer."""
        end = self.started + deadline
        while self.unheard and time.monotonic() < end:
            for fd, _ in self.poll.poll(0.1):
                self.hear(fd)
        assert not self.unheard, f"{len(self.unheard)} of {len(self.sockets)} have heard nothing in {deadline} s"
        return time.monotonic() - self.started

    def say_again(self, *bodies):
        """As much of it as each can send at once; how many could send all of it."""
        said = b"".join(map(frame, bodies))
        whole = 0
        for there in self.sockets.values():
            try:
                whole += there.send(said) == len(said)
            except OSError:
                pass
        return whole

    def close(self):
        for there in self.sockets.values():
            there.close()
        self.poll.close()
