#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A disk fills up under load: the server stops and says why, and has lost nothing when there is room again."""
import os
import subprocess
import tempfile

import cluster
from cluster import ClusterTest

PORT = 22900


class FullDisk(ClusterTest):
    def setUp(self):
        self.mount = tempfile.mkdtemp(prefix="kudos-test-")
        self.addCleanup(os.rmdir, self.mount)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600m", "none", self.mount], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"needs to mount a small tmpfs: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.mount], check=True)

    def fill(self, leaving):
        space = os.statvfs(self.mount)
        with open(os.path.join(self.mount, "filler"), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - leaving)

    def empty(self):
        os.unlink(os.path.join(self.mount, "filler"))

    def test_it_stops_and_loses_nothing(self):
        c = self.cluster(PORT, servers=1, start=False)
        os.symlink(os.path.join(self.mount, "data"), c.data("s1"))
        os.mkdir(os.path.join(self.mount, "data"))
        self.fill(leaving=1 << 20)
        c.start("leader")
        c.spawn("s1")  # no room to begin with
        self.assertEqual(c.ended("s1"), 1)
        self.assertIn("No space", c.log("s1"))
        self.empty()
        self.fill(leaving=72 << 20)  # for one segment of the journal
        c.start("s1")
        load = c.load("--key-size", "120", rate="max")
        self.assertEqual(c.ended("s1"), 1)
        self.assertIn("make room on the disk", c.log("s1").splitlines()[-1])
        c.spawn("s1")  # still no room
        self.assertEqual(c.ended("s1"), 1)
        self.empty()
        c.start("s1")
        load.flows()
        report = load.finish()
        self.assertEqual(c.row("s1")["likes_total"] - report["acknowledged"], 0)


if __name__ == "__main__":
    cluster.main(__name__)
