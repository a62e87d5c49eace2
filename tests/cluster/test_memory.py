#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kudos, kudos-load and kudos-import without memory: each allocation of theirs and of libkudos fails once. None ends by a signal, nothing
that was acknowledged is lost, and what is printed is true."""
import concurrent.futures
import contextlib
import json
import os
import tempfile

import cluster
from cluster import ClusterTest, run

PORT = 26300
AT_ONCE = 8
SCRIPT = "clients 2\nkeys 20\ndistribution zipf 1.1\nphase one rate 2000 for 50ms\n" + \
    "# a line that is longer than those before it, so that there is not enough room for it " + "x" * 200 + \
    "\nphase two count 50 rate max\n"


class Memory(ClusterTest):
    def setUp(self):
        self.c = self.common_cluster(PORT, servers=1, memory_only=True)
        folder = tempfile.mkdtemp(dir=self.c.folder)
        self.mark = os.path.join(folder, "mark")
        self.pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        self.addCleanup(self.pool.shutdown)
        self.script = os.path.join(folder, "script")
        with open(self.script, "w") as file:
            file.write(SCRIPT)

    def one(self, number, command, stdin):
        """A run in which that allocation fails, and whether there was such a one."""
        mark = f"{self.mark}-{number}"
        code, out, err = run(*command, stdin=stdin, timeout=60, KUDOS_LEADER=self.c.leader_endpoints(),
                             LD_PRELOAD=cluster.program("tests/cluster/libfailmemory.so"), KUDOS_TIMEOUT="3",
                             KUDOS_FAIL_ALLOCATION=str(number), KUDOS_FAIL_MARK=mark)
        failed = os.path.exists(mark)
        if failed:
            os.remove(mark)
        return number, code, out, err, failed

    def each(self, *command, stdin=""):
        """(number, exit status, output) of a run for each allocation; the last one has all of them. They mostly wait."""
        for first in range(0, 1000, AT_ONCE):
            runs = [self.pool.submit(self.one, number, [word.replace("{}", str(number)) for word in command], stdin)
                    for number in range(first, first + AT_ONCE)]
            for number, code, out, err, failed in [one.result() for one in runs]:
                self.assertIn(code, (0, 1, 2), f"allocation {number}: {out}{err}")
                self.assertTrue(code == 0 or err or self.told(out), f"allocation {number}: nothing is said: {out}")
                self.assertTrue(failed or code == 0, err)
                yield number, code, out
                if not failed:
                    print(f"{' '.join(command)}: {number} allocations")
                    return
        self.fail("never succeeds")

    @staticmethod
    def told(out):
        """Whether a report says what went wrong."""
        with contextlib.suppress(ValueError):
            report = json.loads(out)
            return not report["ok"] and (report["refused"] or report["in_doubt"] or report["check"]["problem"])
        return False

    def test_kudos(self):
        for number, code, out in self.each("kudos", "like", "loved:{}"):
            self.assertIn(out, ("", f"loved:{number} 1\n"))
            counted = self.c.count(f"loved:{number}", "s1")["s1"]
            self.assertIn(counted, (1,) if out or code == 0 else (0, 1))

    def test_the_repl(self):
        before = 0
        for _, _, out in self.each("kudos", stdin="like spoken\ncount spoken nothing\nstatus\nlike spoken 2\nexit\n"):
            counts = [int(line.split()[1]) for line in out.splitlines() if line.startswith("spoken ")]
            self.assertEqual(counts, sorted(counts))
            self.assertGreaterEqual(self.c.count("spoken", "s1")["s1"], max(counts, default=before))
            before = max(counts, default=before)

    def test_kudos_import(self):
        """Whatever it was that failed: the same command again, and each row is counted once."""
        rows, states = os.path.join(os.path.dirname(self.script), "rows.csv"), self.mark + "-state-{}"
        with open(rows, "w") as file:
            file.write("key,count\nimported,1500000\n" + "imported,1\n" * 2000)
        done = 0
        for number, code, _ in self.each("kudos-import", "--json", rows, "--state", states):
            if code:
                again = run("kudos-import", rows, "--state", states.replace("{}", str(number)),
                            KUDOS_LEADER=self.c.leader_endpoints())
                self.assertEqual(again[0], 0, again)
            done += 1
        done += -done % AT_ONCE  # those that ran beside the last one
        self.c.await_count("imported", 1502000 * done)

    def test_kudos_load(self):
        for _, code, out in self.each("kudos-load", "--json", "--settle", "5s", "--script", self.script, "--prefix", "m{}:"):
            if code == 0:
                report = json.loads(out)
                self.assertTrue(report["ok"] and report["check"]["servers"] == 1, out)
                self.assertEqual(len(report["phases"]), 2, "the whole script")


if __name__ == "__main__":
    cluster.main(__name__)
