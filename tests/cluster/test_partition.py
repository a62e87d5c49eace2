#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The network between servers is cut and mended, and loses and delays: network namespaces, one for each server.

A bridge in a namespace of its own joins them; the leaders and the clients live there. A cut is a route to nowhere, so
that what is sent just vanishes and nobody is told."""
import os
import subprocess

import cluster
from cluster import ClusterTest, environment, program, wait_until

PORT = 23000


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")


class Hosts:
    """sN has 10.209.0.N; leaders and clients have 10.209.0.100."""

    def __init__(self, count):
        self.tag = f"kt{os.getpid()}"
        self.names = [f"s{i}" for i in range(1, count + 1)]
        self.made = []
        try:
            self.make()
        except OSError:
            self.remove()
            raise

    def make(self):
        self.add("hub")
        self.inside("hub", "ip", "link", "add", "bridge", "type", "bridge")
        self.inside("hub", "ip", "address", "add", "10.209.0.100/24", "dev", "bridge")
        self.inside("hub", "ip", "link", "set", "bridge", "up")
        for name in self.names:
            self.add(name)
            self.inside("hub", "ip", "link", "add", name, "type", "veth", "peer", "name", "net", "netns",
                        self.space(name))
            self.inside("hub", "ip", "link", "set", name, "master", "bridge", "up")
            self.inside(name, "ip", "address", "add", self.address(name) + "/24", "dev", "net")
            self.inside(name, "ip", "link", "set", "net", "up")

    def add(self, name):
        command("ip", "netns", "add", self.space(name))
        self.made.append(name)
        self.inside(name, "ip", "link", "set", "lo", "up")

    def remove(self):
        for name in self.made:
            command("ip", "netns", "del", self.space(name))
        self.made = []

    def space(self, name):
        return f"{self.tag}-{name if name in self.names else 'hub'}"

    def address(self, name):
        return f"10.209.0.{name[1:] if name in self.names else 100}"

    def prefix(self, name):
        return ["ip", "netns", "exec", self.space(name)]

    def inside(self, name, *words):
        command("ip", "netns", "exec", self.space(name), *words)

    def cut(self, one, other):
        """Nothing that one sends reaches the other."""
        self.inside(one, "ip", "route", "add", "blackhole", self.address(other) + "/32")

    def mend(self, one, other):
        self.inside(one, "ip", "route", "del", "blackhole", self.address(other) + "/32")

    def cut_off(self, name, *others, both=True):
        for other in others:
            self.cut(name, other)
            if both:
                self.cut(other, name)

    def mend_all(self, name, *others, both=True):
        for other in others:
            self.mend(name, other)
            if both:
                self.mend(other, name)


class Partitions(ClusterTest):
    def setUp(self):
        try:
            self.hosts = Hosts(3)
        except OSError as error:
            self.skipTest(f"needs network namespaces: {error}")
        self.addCleanup(self.hosts.remove)
        self.c = self.cluster(PORT, hosts=self.hosts)

    def like_on(self, name, key, n):
        self.c.ok("like", key, str(n), KUDOS_SERVER=self.c.endpoint(name))

    def test_likes_on_both_sides(self):
        c = self.c
        self.hosts.cut_off("s1", "s2", "s3")
        self.like_on("s1", "both", 5)  # a client still reaches it
        self.like_on("s2", "both", 70)
        c.await_count("both", 70, "s2", "s3")
        self.assertEqual(c.count("both", "s1"), {"s1": 5})
        load = c.load()
        load.flows(20000)
        self.hosts.mend_all("s1", "s2", "s3")
        c.await_count("both", 75)
        report = load.finish()
        self.assertEqual((report["in_doubt"], report["check"]["servers"]), (0, 3))
        self.equal_everywhere(c, report)

    def test_away_from_everybody(self):
        c = self.c
        load = c.load()
        load.flows()
        self.hosts.cut_off("s1", "s2", "s3", "client")
        wait_until(lambda: c.states().get("s1") == "down", lambda: c.states())
        load.flows(20000)
        self.hosts.mend_all("s1", "s2", "s3", "client")
        c.await_up("s1")
        load.flows()
        self.equal_everywhere(c, load.finish())

    def test_one_way(self):
        c = self.c
        load = c.load()
        load.flows()
        self.hosts.cut_off("s1", "s2", "s3", both=False)
        load.flows(10000)
        self.hosts.mend_all("s1", "s2", "s3", both=False)
        load.flows()
        self.equal_everywhere(c, load.finish())

    def test_restarted_alone_and_joined_again(self):
        c = self.c
        load = c.load()
        load.flows()
        self.hosts.cut_off("s1", "s2", "s3")
        load.flows()
        c.kill("s1")
        c.start("s1")  # alone with what it has
        load.flows(10000)
        self.hosts.mend_all("s1", "s2", "s3")
        load.flows()
        self.equal_everywhere(c, load.finish())

    def test_a_read_never_goes_back_behind_what_was_acknowledged(self):
        """The only server that has the like dies: the session is told so rather than given an older count."""
        c = self.c
        self.like_on("s2", "mine", 1)
        c.await_count("mine", 1)
        self.hosts.cut_off("s1", "s2", "s3")
        c.signal(19, "s2", "s3")  # so that the leader's list has s1 alone …
        wait_until(lambda: c.states() == {"s1": "up", "s2": "down", "s3": "down"}, lambda: c.states())
        session = subprocess.Popen([*self.hosts.prefix("client"), program("kudos"), "--timeout", "3"], text=True, bufsize=1,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env=environment(KUDOS_LEADER=c.leader_endpoints()))
        self.addCleanup(session.communicate)
        self.addCleanup(session.kill)

        def type_line(line):
            session.stdin.write(line + "\n")
            return session.stdout.readline()
        self.assertEqual(type_line("like mine 5"), "mine 6\n")
        c.kill("s1")
        c.signal(18, "s2", "s3")  # … and others are there to move to
        wait_until(lambda: c.states() == {"s1": "down", "s2": "up", "s3": "up"}, lambda: c.states())
        self.assertIn("kudos:", type_line("count mine"))
        self.assertEqual(c.count("mine"), {"s2": 1, "s3": 1})  # to one who asks for no more
        self.hosts.mend_all("s1", "s2", "s3")
        c.start("s1")
        wait_until(lambda: type_line("count mine") == "mine 6\n", "the like is back")

    def test_loss_and_delay(self):
        c = self.c
        try:
            for name in c.servers:
                self.hosts.inside(name, "tc", "qdisc", "add", "dev", "net", "root", "netem", "delay", "3ms", "2ms", "loss",
                                  "2%", "duplicate", "1%", "reorder", "10%")
        except OSError as error:
            self.skipTest(f"needs netem: {error}")
        load = c.load(rate=2000)
        load.flows(4000)
        c.kill("s2")
        load.flows(4000)
        c.start("s2")
        load.flows(2000)
        self.equal_everywhere(c, load.finish())


if __name__ == "__main__":
    cluster.main(__name__)
