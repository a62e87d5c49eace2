#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kudos-export beside servers that run, are killed and come back: what it writes is one state of them, and they do not care."""
import csv
import json
import os
import shutil
import subprocess

import cluster
from client import want_checkpoint
from cluster import ClusterTest, environment, wait_until

PORT = 28100
KEYS = 5000


class Export(ClusterTest):
    def setUp(self):
        self.c = self.cluster(PORT, servers=2)

    def export(self, *arguments, name="s1", code=0):
        got, out, err = cluster.run("kudos-export", "--data", self.c.data(name), *arguments)
        self.assertEqual(got, code, err)
        return err if code else out.splitlines()

    def counts(self, name="s1"):
        return {row["key"]: row["count"] for row in map(json.loads, self.export(name=name))}

    def import_rows(self, rows, name="rows"):
        path = os.path.join(self.c.folder, name + ".csv")
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows(rows)
        code, _, err = cluster.run("kudos-import", path, KUDOS_LEADER=self.c.leader_endpoints())
        self.assertEqual(code, 0, err)

    def fill(self):
        """Counts that s1's checkpoint has, and no others."""
        counts = {f"{'k' * 60}:{i}": i % 9 - 4 for i in range(KEYS)}
        counts.update({'say"hi"': 3, "back\\slash": 2, "a,b": 1, "schön": 4})
        self.import_rows([*counts.items(), ("nothing", 0)])
        counts = {key: n for key, n in counts.items() if n}
        self.checkpointed("s1", sum(counts.values()))
        return counts

    def checkpointed(self, name, total):
        wait_until(lambda: self.c.row(name)["likes_total"] == total, f"{name} has all")
        want_checkpoint(self.c.endpoint(name))
        wait_until(lambda: cluster.run("kudos-export", "--data", self.c.data(name))[0] == 0 and
                   sum(self.counts(name).values()) == total, "it is in the checkpoint")

    def test_what_is_there(self):
        self.assertIn("no checkpoint yet", self.export(code=1))
        counts = self.fill()
        self.assertEqual(self.counts(), counts)
        rows = list(csv.reader(self.export("--format", "csv")))
        self.assertEqual((rows[0], {key: int(n) for key, n in rows[1:]}), (["key", "count"], counts))
        # Going on behind a key, and the records, which add up to the same.
        keys = list(self.counts())
        rest = [json.loads(line)["key"] for line in self.export("--after", keys[3000])]
        self.assertEqual(rest, keys[3001:])
        self.assertIn("no such key", self.export("--after", "nowhere", code=1))
        records = [json.loads(line) for line in self.export("--records")]
        for name in ("s1", "s2"):
            batches = {}
            for record in map(json.loads, self.export("--records", name=name)):
                for batch in record["batches"]:
                    if "events" in batch:
                        batches[batch["issuer"], batch["number"], batch["seq"]] = batch["events"]
            summed = {}
            for event in (event for events in batches.values() for event in events):
                summed[event["key"]] = summed.get(event["key"], 0) + event["n"]
            self.assertEqual(summed, counts)
        last = records[0]
        rest = [json.loads(line) for line in self.export("--records", "--after", f"{last['origin']}:{last['lsn']}")]
        self.assertEqual(rest, records[1:])
        self.assertIn("not in the journal", self.export("--records", "--after", "1234:5", code=1))
        for wrong in (["--format", "xml"], ["--records", "--format", "csv"], ["--records", "--after", "x"], ["more"]):
            self.assertIn("--help", self.export(*wrong, code=2))
        self.assertEqual(cluster.run("kudos-export")[0], 2)
        self.assertIn("No such file", cluster.run("kudos-export", "--data", self.c.folder)[2])

    def test_beside_a_server_that_is_killed(self):
        """An export that stands still in the middle, for its reader does not read: the server goes on, also after a kill -9,
        and what is read in the end is as it was."""
        counts = self.fill()
        process = subprocess.Popen([cluster.program("kudos-export"), "--data", self.c.data("s1")], env=environment(),
                                   bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=cluster.die_with_parent)
        self.addCleanup(process.kill)
        first = process.stdout.readline()  # and then it waits, for the rest is more than a pipe holds
        for _ in range(2):
            self.c.kill("s1")
            self.c.start("s1")
        self.import_rows([(key, 1) for key in counts], name="more")
        self.checkpointed("s1", sum(counts.values()) + len(counts))
        out, err = process.communicate(timeout=60 * cluster.SLOW)
        self.assertEqual(process.returncode, 0, err)
        rows = [json.loads(line) for line in (first + out).splitlines()]
        self.assertEqual({row["key"]: row["count"] for row in rows}, counts)

    def nats(self, port):
        """A NATS server with JetStream; its streams go with it."""
        server = shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin")
        if not server or "built without" in cluster.run("kudos-export", "--journal", "nats://127.0.0.1:1/S")[2]:
            self.skipTest("needs nats-server, and a build with libnats")
        process = subprocess.Popen([server, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", self.c.folder], text=True,
                                   stderr=subprocess.PIPE, preexec_fn=cluster.die_with_parent)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        while "Server is ready" not in process.stderr.readline():
            self.assertIsNone(process.poll(), "nats-server has ended")
        return f"nats://127.0.0.1:{port}/EXPORTED"

    def test_a_stream(self):
        url = self.nats(PORT + 90)
        c = self.cluster(PORT + 40, servers=2, flags=["--journal", url])
        for name in c.servers:
            for i in range(20):
                self.assertEqual(c.kudos("--server", c.endpoint(name), "like", f"key:{i}", str(i + 1))[0], 0)

        def records(*more):
            code, out, err = cluster.run("kudos-export", "--journal", url, *more)
            self.assertEqual(code, 0, err)
            return [json.loads(line) for line in out.splitlines()]
        found = records()
        self.assertEqual([record["sequence"] for record in found], list(range(2, len(found) + 2)))  # STREAM.id is the first
        self.assertEqual(sorted(record["time"] for record in found), [record["time"] for record in found])
        self.assertEqual(len({record["origin"] for record in found}), 2)
        events = [event for record in found for batch in record["batches"] for event in batch.get("events", [])]
        summed = {f"key:{i}": sum(event["n"] for event in events if event["key"] == f"key:{i}") for i in range(20)}
        self.assertEqual(summed, {f"key:{i}": 2 * (i + 1) for i in range(20)})
        self.assertEqual(records("--after", "3"), found[2:])
        self.assertEqual(records("--after", str(found[-1]["sequence"])), [])
        for wrong, said in (url + "X", "no such stream"), ("nats://127.0.0.1:1/S", "no NATS server"), ("x", "is no stream"):
            code, _, err = cluster.run("kudos-export", "--journal", wrong)
            self.assertNotEqual(code, 0)
            self.assertIn(said, err)

    def test_nobody_reads_on(self):
        self.fill()
        for more in ([], ["--records"]):
            process = subprocess.Popen([cluster.program("kudos-export"), "--data", self.c.data("s1"), *more],
                                       env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.readline()
            process.stdout.close()
            self.assertEqual((process.wait(60), process.stderr.read()), (0, b""))
            process.stderr.close()
        with open("/dev/full", "w") as full:
            process = subprocess.run([cluster.program("kudos-export"), "--data", self.c.data("s1")], env=environment(),
                                     stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"No space left", process.stderr)


if __name__ == "__main__":
    cluster.main("__main__")
