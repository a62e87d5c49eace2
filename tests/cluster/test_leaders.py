#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Leaders come and go; what they knew is not lost with them."""
import time

import cluster
from cluster import ClusterTest, wait_until

PORT = 22200


class Leaders(ClusterTest):
    def nodes(self, c, of="leader"):
        status = c.status(of)
        return {row["name"]: row["node"] for row in status["servers"]} if status else {}

    def test_restarted_with_nothing_it_soon_knows_all(self):
        c = self.cluster(PORT, servers=4)
        c.ok("forget", "s4")
        c.ended("s4")
        c.kill("s3")
        wait_until(lambda: c.states() == {"s1": "up", "s2": "up", "s3": "down"}, lambda: c.states())
        nodes = self.nodes(c)
        incarnation = c.status()["leader"]["incarnation"]
        c.kill("leader")
        began = time.monotonic()
        c.spawn("leader")
        # The one that is down is known from the others, and so is that s4 is gone for good.
        wanted = {"s1": "up", "s2": "up", "s3": "down"}
        wait_until(lambda: c.states() == wanted, lambda: f"{wanted}, but {c.states()}")
        self.assertLess(time.monotonic() - began, 2 * cluster.SLOW)
        self.assertEqual(self.nodes(c), nodes)
        self.assertNotEqual(c.status()["leader"]["incarnation"], incarnation)
        c.spawn("s4")
        self.assertEqual(c.ended("s4"), 3)
        self.assertIn("forgotten", c.log("s4"))

    def test_a_new_server_beside_a_leader_that_knows_nothing_yet(self):
        """The two together must not take themselves for a cluster of their own."""
        for memory_only in (False, True):
            c = self.cluster(PORT, servers=2, memory_only=memory_only)
            c.ok("like", "old", "1000")
            c.kill("leader")
            c.servers.append("s3")
            c.spawn("leader", "s3")
            c.await_up("s3")
            self.assertEqual(c.count("old"), {"s1": 1000, "s2": 1000, "s3": 1000})
            c.stop()

    def test_servers_do_without_for_as_long_as_it_takes(self):
        c = self.cluster(PORT + 30)
        load = c.load()
        load.flows()
        c.kill("leader")
        load.flows(10000)
        c.kill("s2")
        load.flows(10000)
        c.spawn("s2")
        c.await_up("s2")
        load.flows(10000)
        self.assertEqual(c.ok("like", "alone", KUDOS_SERVER=c.endpoint("s2")), "alone 1\n")
        c.start("leader")  # only for the check, which asks it for all the servers
        report = load.finish()
        self.assertEqual(report["check"]["servers"], 3)
        wait_until(lambda: len({c.row(s)["likes_total"] for s in c.servers}) == 1, "equal sums")
        self.equal_everywhere(c, report)

    def test_either_of_two(self):
        c = self.cluster(PORT + 60, servers=2, leaders=2)
        self.assertEqual(self.nodes(c), self.nodes(c, "leader2"))
        c.kill("leader")
        began = time.monotonic()
        self.assertEqual(c.ok("like", "either", "2"), "either 2\n")
        self.assertLess(time.monotonic() - began, 2 * cluster.SLOW)
        c.servers.append("s3")
        c.start("s3")
        c.await_count("either", 2)
        c.kill("s2")
        c.ok("forget", "s2")
        c.start("leader")
        wait_until(lambda: set(self.nodes(c)) == {"s1", "s3"}, lambda: f"s1, s3: {self.nodes(c)}")
        c.kill("leader2")
        self.assertEqual(c.ok("like", "either"), "either 3\n")
        c.await_count("either", 3, "s1", "s3")

    def test_two_that_never_met_hold_the_same(self):
        c = self.cluster(PORT + 60, servers=2, leaders=2)
        c.ok("forget", "s2", KUDOS_LEADER=c.endpoint("leader2"))
        wait_until(lambda: set(self.nodes(c)) == {"s1"}, lambda: self.nodes(c))
        self.assertEqual(c.ended("s2"), 3)


if __name__ == "__main__":
    cluster.main(__name__)
