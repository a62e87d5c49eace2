#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""doc/example-outbox.c: killed at random, and the servers with it, it still counts each like once."""
import os
import signal
import sqlite3
import subprocess

import cluster
from cluster import ClusterTest, environment, seeded, wait_until

PORT = 25500
LIKES = 400


class Outbox(ClusterTest):
    def outbox(self, c):
        return subprocess.Popen(
            [os.path.join(os.path.abspath(cluster.BINDIR), "tests", "example-outbox"), os.path.join(c.folder, "outbox"),
             "outbox", str(LIKES)], preexec_fn=cluster.die_with_parent, stderr=subprocess.PIPE,
            env=environment(KUDOS_LEADER=c.leader_endpoints()))

    def test_each_like_once(self):
        random, c = seeded(), self.cluster(PORT)
        killed = 0
        while True:
            process = self.outbox(c)
            self.addCleanup(process.stderr.close)
            try:
                process.wait(timeout=random.uniform(0.02, 0.5) if killed < 40 else 120 * cluster.SLOW)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
                if killed % 10 == 0:
                    victim = random.choice(c.servers)
                    c.kill(victim)
                    c.spawn(victim)
        self.assertEqual(process.returncode, 0, process.stderr.read())
        self.assertGreater(killed, 3, "nothing was interrupted")
        with sqlite3.connect(os.path.join(c.folder, "outbox")) as database:
            self.assertEqual(database.execute("SELECT count(*), sum(done) FROM outbox").fetchone(), (LIKES, LIKES))
            self.assertEqual(database.execute("SELECT count(*) FROM session").fetchone(), (1,))
        wait_until(lambda: all(c.runs(name) and c.is_up(name) for name in c.servers), "all servers are up")
        c.await_count("outbox", LIKES)


if __name__ == "__main__":
    cluster.main("__main__")
