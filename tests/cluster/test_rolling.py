#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The whole cluster is restarted in order, one after the other, under load; nobody at the clients notices."""
import signal
import subprocess
import time

import cluster
from cluster import ClusterTest, wait_until
from test_security import SecureCluster

PORT = 24300
SECONDS = 5 * cluster.SLOW  # from the signal to the end, at most


class Rolling(ClusterTest):
    def leaves_in_order(self, c, name, stop):
        began = time.monotonic()
        stop(name)
        self.assertEqual(c.ended(name), 0, c.log(name)[-800:])
        self.assertLess(time.monotonic() - began, SECONDS, c.log(name)[-800:])

    def restart_all(self, c, stop=None):
        """Each server and leader once, while likes come in before, meanwhile and after."""
        load = c.load("--clients", "20")
        for name in [*c.servers, *c.leaders]:
            load.flows()
            leader = name in c.leaders
            self.leaves_in_order(c, name, stop if stop and not leader else lambda name: c.signal(signal.SIGTERM, name))
            load.flows(1000)  # the others carry on
            c.start(name)
        wait_until(lambda: set(c.states().values()) == {"up"}, lambda: f"all are up: {c.states()}")
        load.flows()
        report = load.finish()
        self.assertEqual((report["in_doubt"], report["refused"]), (0, 0), report)
        self.assertTrue(report["check"]["ok"], report["check"])
        self.assertEqual(report["check"]["servers"], len(c.servers))
        self.equal_everywhere(c, report)

    def test_sigterm(self):
        self.restart_all(self.cluster(PORT))

    def test_two_leaders_and_acknowledged_by_peers(self):
        self.restart_all(self.cluster(PORT, leaders=2, flags=["--ack-peers", "1"]))

    def test_nothing_but_memory(self):
        """What such a server held is with the others when it ends."""
        self.restart_all(self.cluster(PORT, memory_only=True))

    def test_an_operator_drains_them_all(self):
        c = self.cluster(PORT)
        self.restart_all(c, lambda name: c.ok("drain", name))

    def test_with_keys(self):
        c = SecureCluster(PORT)
        self.addCleanup(self.leave, c)
        self.restart_all(c)

    def test_reads_follow_a_client_that_was_told_to_move(self):
        """Session positions: who moves reads what it wrote on the server that is gone."""
        c = self.cluster(PORT)
        with subprocess.Popen([cluster.program("kudos")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env=cluster.environment(KUDOS_LEADER=c.leader_endpoints())) as session:
            self.addCleanup(session.kill)

            def say(line):
                session.stdin.write(line + "\n")
                session.stdin.flush()
                return session.stdout.readline()
            likes = 0
            for name in c.servers:
                for _ in range(20):
                    likes += 1
                    self.assertEqual(say("like moved"), f"moved {likes}\n")
                c.signal(signal.SIGTERM, name)
                self.assertEqual(say("count moved"), f"moved {likes}\n")
                self.assertEqual(c.ended(name), 0)
                self.assertEqual(say("count moved"), f"moved {likes}\n")
                c.start(name)
            session.stdin.close()
            self.assertEqual(session.wait(cluster.DEADLINE * cluster.SLOW), 0)


if __name__ == "__main__":
    cluster.main(__name__)
