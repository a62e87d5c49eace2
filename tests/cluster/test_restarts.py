#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A server that was started ten thousand times while another was down: its folder, as the store would have left it."""
import glob
import os
import shutil
import subprocess
import tempfile
import time

import cluster
from cluster import ClusterTest, wait_until

PORT = 26500
RUNS = int(os.environ.get("KUDOS_RUNS") or 10000)
KEY = "restarted"
SHARED = "/dev/shm"


class Restarts(ClusterTest):
    @classmethod
    def setUpClass(cls):
        """So many files are made and removed in seconds in memory, and in minutes on some disks (TMPDIR=…)."""
        if "TMPDIR" not in os.environ and os.path.isdir(SHARED) and shutil.disk_usage(SHARED).free > 4 << 30:
            tempfile.tempdir = SHARED

    def segments(self, c, name):
        return len(glob.glob(os.path.join(c.data(name), "journal-*.log")))

    def start(self, c, name):
        """Until it serves: seconds, and MiB of memory."""
        began = time.monotonic()
        c.start(name)
        took = time.monotonic() - began
        with open(f"/proc/{c.processes[name].pid}/status") as file:
            status = dict(line.split(":", 1) for line in file)
        peak = int(status["VmHWM"].split()[0]) / 1024
        print(f"{RUNS} runs: {name} serves after {took:.1f} s, {peak:.0f} MiB, {self.segments(c, name)} segments",
              flush=True)
        return took, peak

    def likes(self, c, wanted, *names):
        self.assertEqual(c.ok("like", KEY), f"{KEY} {wanted}\n")
        c.await_count(KEY, wanted, *names)

    def test_while_a_member_was_down(self):
        c = self.cluster(PORT, servers=2)
        self.likes(c, 1)
        c.terminate("s2")
        c.kill("s1")
        few = self.start(c, "s1")
        c.terminate("s1")
        subprocess.run([os.path.join(cluster.BINDIR, "tests/cluster/restarts"), c.data("s1"), str(RUNS), KEY], check=True)
        self.assertGreaterEqual(self.segments(c, "s1"), RUNS)
        self.bounded(few, self.start(c, "s1"))
        self.likes(c, RUNS + 2, "s1")
        c.kill("s1")
        self.bounded(few, self.start(c, "s1"))
        self.likes(c, RUNS + 3, "s1")

        c.servers.append("s3")  # a new one: it must wait for nobody who is down
        for name in ("s2", "s3"):
            self.start(c, name)
        c.await_count(KEY, RUNS + 3)
        self.likes(c, RUNS + 4)
        wait_until(lambda: self.segments(c, "s1") < 10, lambda: f"s1 has {self.segments(c, 's1')} segments", 90)
        c.kill("s1")
        self.bounded(few, self.start(c, "s1"))
        self.likes(c, RUNS + 5)

    def bounded(self, few, many):
        """Beside a start with few runs: half a millisecond and 2 KiB for each run."""
        self.assertLess(many[0], few[0] * 2 + RUNS * 0.0005 * cluster.SLOW)
        self.assertLess(many[1], few[1] + RUNS * 2 / 1024 + 8)


if __name__ == "__main__":
    cluster.main(__name__)
