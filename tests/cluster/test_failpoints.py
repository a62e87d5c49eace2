#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A server dies at a named point under load (failpoint.c), comes back, and in the end all hold what was acknowledged, once."""
import os
import shutil

import cluster
from cluster import ClusterTest, run, wait_until

PORT = 24200
LIBRARY = "libfailpoint.so"


class Doomed(cluster.Cluster):
    """One whose s2 is started with a failpoint while there is one."""

    point = None

    def prefix(self, name):
        if name != "s2" or not self.point:
            return []
        library = os.path.join(os.path.abspath(cluster.BINDIR), "tests", "cluster", LIBRARY)
        return ["env", f"LD_PRELOAD={library}", f"KUDOS_FAILPOINT={self.point}"]


class Failpoints(ClusterTest):
    def doomed(self):
        c = Doomed(PORT)
        self.addCleanup(self.leave, c)
        return c

    def dies_and_returns(self, c, point):
        """s2, not running, is started to die at the point, and then to live."""
        c.point = point
        c.spawn("s2")

        def died():
            if "answer" in point and c.runs("s2"):  # the load's clients have gone elsewhere
                run("kudos", "--server", c.endpoint("s2"), "--timeout", "1", "count", "x")
            return not c.runs("s2")
        wait_until(died, f"s2 did not die at {point}")
        self.assertEqual(c.processes["s2"].returncode, -9)
        c.point = None
        c.start("s2")
        c.terminate("s2")

    def test_commit_publish_answer(self):
        c = self.doomed()
        load = c.load("--clients", "20")
        c.terminate("s2")
        for kind, counts in ("commit", (1, 2, 40)), ("publish", (1, 2, 40)), ("answer", (1, 2)):
            for when in ("before", "after"):
                for times in counts:
                    with self.subTest(point=f"{when}-{kind}:{times}"):
                        self.dies_and_returns(c, f"{when}-{kind}:{times}")
        c.start("s2")
        load.flows()
        self.equal_everywhere(c, load.finish())

    def test_checkpoint_truncate_adopt(self):
        """These come after 64 MiB of journal, some five million likes."""
        c = self.doomed()
        for point in ("before-checkpoint:2", "after-checkpoint:2", "before-truncate:1", "after-truncate:1"):
            load = c.load("--clients", "16", "--keys", "10000", rate=400000)
            c.terminate("s2")
            with self.subTest(point=point):
                c.point = point
                c.spawn("s2")
                wait_until(lambda: not c.runs("s2"), f"s2 did not die at {point}", 60)
                c.point = None
                c.start("s2")
            self.equal_everywhere(c, load.finish())
        self.snapshot(c)

    def snapshot(self, c):
        """The others' journals begin late by now: a new node needs a snapshot."""
        c.kill("s2")
        old = c.status()
        shutil.rmtree(c.data("s2"))
        c.ok("forget", next(row["node"] for row in old["servers"] if row["name"] == "s2"))
        c.point = "before-adopt:1"
        c.spawn("s2")
        wait_until(lambda: not c.runs("s2"), "s2 did not die while adopting a snapshot", 60)
        c.point = None
        c.start("s2")
        self.assertIn("snapshot adopted", c.log("s2"))
        rows = {row["name"]: row["likes_total"] for row in c.status()["servers"]}
        wait_until(lambda: len({row["likes_total"] for row in c.status()["servers"]}) == 1, f"equal counts: {rows}")


if __name__ == "__main__":
    cluster.main("__main__")
