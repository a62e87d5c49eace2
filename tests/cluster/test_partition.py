#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The network between servers is cut and mended, and loses and delays: network namespaces, one for each server. The
leaders and the clients live where the bridge is. A cut is a route to nowhere, so that what is sent just vanishes and
nobody is told."""
import subprocess

import cluster
from cluster import ClusterTest, environment, program, wait_until
from hosts import Hosts

PORT = 23000


class Partitions(ClusterTest):
    def setUp(self):
        try:
            self.hosts = Hosts("s1", "s2", "s3")
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
