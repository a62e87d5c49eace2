#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the daemons tell a service manager, of which there is none here: the test holds the sockets that systemd would."""
import os
import signal
import socket
import sys
import time

import cluster
from cluster import SLOW, Cluster, ClusterTest, environment, main, program, wait_until

PORT = 24600
HTTP = PORT + 90
WATCHDOG = 1.0 * SLOW  # seconds


class Managed(Cluster):
    """Each daemon has a socket to tell: the leader one at a path, the servers abstract ones."""

    def __init__(self, *arguments, **more):
        self.sockets, self.heard = {}, {}
        super().__init__(*arguments, start=False, **more)

    def environment(self, name):
        where = "@" + self.data(name) if name != "leader" else os.path.join(self.folder, "notify")
        if name not in self.sockets:
            self.sockets[name] = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            self.sockets[name].bind(where.replace("@", "\0", 1))
        self.heard[name] = []
        return environment(NOTIFY_SOCKET=where, WATCHDOG_USEC=str(int(WATCHDOG * 1e6)))

    def command(self, name):
        if name == "gateway":
            return [program("kudos-gateway"), "--port", str(HTTP), "--leader", self.leader_endpoints()]
        return super().command(name)

    def told(self, name):
        """All that was said by now."""
        while True:
            try:
                self.heard[name].append(self.sockets[name].recv(4096).decode())
            except BlockingIOError:
                return self.heard[name]

    def await_told(self, name, text):
        wait_until(lambda: any(text in line for line in self.told(name)), lambda: f"{text!r} of {self.told(name)}")

    def forget_told(self, name):
        self.told(name)
        self.heard[name] = []


class Notify(ClusterTest):
    def managed(self, **more):
        c = Managed(PORT, **more)
        self.addCleanup(self.leave, c)
        return c

    def test_ready_when_it_serves(self):
        c = self.managed(servers=1)
        c.spawn("s1")
        c.await_told("s1", "STATUS=not serving yet, waiting for a majority of the leaders")
        c.await_told("s1", "WATCHDOG=1")
        self.assertNotIn("READY=1", c.told("s1"))

        c.spawn("leader")
        c.await_told("leader", "READY=1")
        c.await_told("s1", "READY=1")
        c.await_up("s1")  # what was told was true
        said = c.told("s1")
        status = max(i for i, line in enumerate(said) if "STATUS=not serving" in line)
        self.assertLess(status, said.index("READY=1"), said)
        c.await_told("s1", "clients; 1 members")
        c.await_told("leader", "STATUS=1 of 1 members serve")
        self.assertEqual(c.ok("like", "k"), "k 1\n")

        for name in ("s1", "leader"):
            self.assertEqual(c.told(name).count("READY=1"), 1)
            self.assertNotIn("STOPPING=1", c.told(name))
            c.terminate(name)
            self.assertIn("STOPPING=1", c.told(name))

    def test_a_stuck_loop_is_noticed(self):
        c = self.managed(servers=1, memory_only=True)
        c.start("leader", "s1")
        for name in ("leader", "s1"):
            c.signal(signal.SIGSTOP, name)
            wait_until(lambda: self.state(c, name) == "T", f"{name} is stopped")
            c.forget_told(name)
            self.assertEqual(self.listen(c, name, WATCHDOG), [], "nobody says that it goes on")
            c.signal(signal.SIGCONT, name)
            c.await_told(name, "WATCHDOG=1")
            began = time.monotonic()
            c.forget_told(name)
            c.await_told(name, "WATCHDOG=1")
            self.assertLess(time.monotonic() - began, WATCHDOG, "half of it, and a little")

    @staticmethod
    def state(c, name):
        with open(f"/proc/{c.processes[name].pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]

    @staticmethod
    def listen(c, name, seconds):
        """What comes within that time, which is waited for by the socket."""
        c.sockets[name].settimeout(seconds)
        try:
            return [c.sockets[name].recv(4096)]
        except TimeoutError:
            return []
        finally:
            c.sockets[name].setblocking(False)

    def test_the_gateway(self):
        """It is ready without a cluster: what it answers then is for a proxy or a person to see."""
        if not os.path.isfile(os.path.join(cluster.BINDIR, "kudos-gateway")):
            self.skipTest("kudos-gateway is not built")
        c = self.managed(servers=0)
        c.spawn("gateway")
        c.await_told("gateway", "READY=1")
        socket.create_connection(("127.0.0.1", HTTP)).close()  # what was told was true
        c.await_told("gateway", "STATUS=0 requests so far; 0 streams")
        c.forget_told("gateway")
        c.await_told("gateway", "WATCHDOG=1")
        began = time.monotonic()
        c.forget_told("gateway")
        c.await_told("gateway", "WATCHDOG=1")
        self.assertLess(time.monotonic() - began, WATCHDOG, "half of it, and a little")
        c.signal(signal.SIGSTOP, "gateway")
        wait_until(lambda: self.state(c, "gateway") == "T", "it is stopped")
        c.forget_told("gateway")
        self.assertEqual(self.listen(c, "gateway", WATCHDOG), [], "nobody says that it goes on")
        c.signal(signal.SIGCONT, "gateway")
        self.assertNotIn("STOPPING=1", c.told("gateway"))
        c.terminate("gateway")
        self.assertIn("STOPPING=1", c.told("gateway"))
        self.assertNotIn("READY=1", c.told("gateway"), "once")

    def test_an_operator_drains(self):
        c = self.managed(servers=2, memory_only=True)
        c.start("leader", "s1", "s2")
        c.await_told("s2", "READY=1")
        c.forget_told("s2")  # so that there is room
        c.ok("drain", "s2")
        c.await_told("s2", "STOPPING=1")
        c.await_told("s2", "STATUS=stopping")
        self.assertEqual(c.ended("s2"), 0)
        c.await_told("leader", "STATUS=1 of ")

    def test_nobody_listens(self):
        """A socket that is not there, and one that nobody reads."""
        c = self.managed(servers=1, memory_only=True)
        c.environment("leader")
        c.environment("s1")
        c.sockets["leader"].close()
        c.start("leader", "s1")
        self.assertEqual(c.ok("like", "k"), "k 1\n")


if __name__ == "__main__":
    main(sys.modules["__main__"])
