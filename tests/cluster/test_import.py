#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kudos-import: killed at random, and the servers with it, it still counts each row once; and what it must not guess, it
does not."""
import json
import os
import re
import signal
import subprocess

import cluster
from cluster import ClusterTest, environment, seeded, wait_until

PORT = 27900
ROWS, KEYS = 400000, 2500


class Import(ClusterTest):
    def setUp(self):
        self.c = self.common_cluster(PORT, servers=2)

    def path(self, name):
        return os.path.join(self.c.folder, f"{self._testMethodName}-{name}")

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def spawn(self, c, *arguments):
        process = subprocess.Popen([cluster.program("kudos-import"), "--json", *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, preexec_fn=cluster.die_with_parent,
                                   env=environment(KUDOS_LEADER=c.leader_endpoints()))
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def run_import(self, *arguments, c=None, code=0, **more):
        got, out, err = cluster.run("kudos-import", "--json", *arguments,
                                    KUDOS_LEADER=(c or self.c).leader_endpoints(), **more)
        self.assertEqual(got, code, out + err)
        return err if code else json.loads(out)

    def state(self, path):
        with open(path + ".kudos-import") as file:
            return {line.split()[0]: line.split()[1:] for line in file}

    def edit(self, path, **numbers):
        with open(path + ".kudos-import") as file:
            text = file.read()
        for word, number in numbers.items():
            text = re.sub(rf"(?m)^{word} \d+$", f"{word} {number}", text)
        with open(path + ".kudos-import", "w") as file:
            file.write(text)

    def counts(self, c, server, keys):
        found = {}
        for first in range(0, len(keys), 1000):
            code, out, err = c.kudos("--server", c.endpoint(server), "count", *keys[first:first + 1000])
            self.assertEqual(code, 0, err)
            found.update((key, int(n)) for key, n in (line.split() for line in out.splitlines()))
        return found

    def ends(self, c, random, process, killed):
        """Whether it has ended by itself; if not, that is anywhere, or once something of it has been counted."""
        if killed < 12 and random.random() < 0.7:
            before = c.total()
            wait_until(lambda: process.poll() is not None or c.total() != before, "something is counted")
            return process.poll() is not None
        try:
            process.wait(random.uniform(0, 0.2) if killed < 12 else 120 * cluster.SLOW)
        except subprocess.TimeoutExpired:
            return False
        return True

    def test_each_row_once(self):
        random, c = seeded(), self.cluster(PORT + 40)
        wanted = {}
        path = os.path.join(c.folder, "counts.csv")
        with open(path, "w") as file:
            file.write('id,"the key",n\r\n')
            for row in range(ROWS):
                key = f"{'k' * (row % KEYS % 90)}:{row % KEYS}"
                count = random.choice((random.randrange(-5, 12), random.randrange(-5, 12), 1, 3500000))
                wanted[key] = wanted.get(key, 0) + count
                file.write(f'{row},"{key}",{count}\r\n')
        killed, resumed = 0, 0
        command = [path, "--key-column", "the key", "--count-column", "n"]
        while not self.ends(c, random, process := self.spawn(c, *command), killed):
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
            resumed += os.path.exists(path + ".kudos-import") and self.state(path).get("acknowledged", ["0"]) != ["0"]
            if killed % 3 == 0:
                victim = random.choice(c.servers)
                c.kill(victim)
                c.spawn(victim)
        out, err = process.communicate()
        self.assertEqual(process.returncode, 0, err)
        self.assertGreater(killed, 1, "nothing was interrupted")
        self.assertGreater(resumed, 0, "and never in the middle")
        report = json.loads(out)
        self.assertEqual((report["rows"], report["rows_counted"], report["ok"]), (ROWS, ROWS, True))
        wait_until(lambda: all(c.runs(name) and c.is_up(name) for name in c.servers), "all servers are up")
        for name in c.servers:
            wait_until(lambda name=name: c.row(name)["likes_total"] == sum(wanted.values()),
                       lambda name=name: f"{name} has {sum(wanted.values())}: {c.row(name)}")
            self.assertEqual(self.counts(c, name, list(wanted)), wanted)
        self.assertTrue(self.run_import(*command, c=c)["was_done"])
        self.assertEqual(c.row("s1")["likes_total"], sum(wanted.values()))

    def test_ended_in_order(self):
        """What is on its way is waited for, and then nothing is in doubt."""
        c = self.cluster(PORT + 60, servers=1)
        path = self.write("a.csv", "".join(f"k{i},1\n" for i in range(50000)))
        c.signal(signal.SIGSTOP, "s1")
        process = self.spawn(c, path)
        wait_until(lambda: os.path.exists(path + ".kudos-import") and os.path.getsize(path + ".kudos-import") and
                   self.state(path)["sent"] != ["0"], "it sends")
        process.send_signal(signal.SIGTERM)
        c.signal(signal.SIGCONT, "s1")
        out, err = process.communicate(timeout=60 * cluster.SLOW)
        self.assertEqual(process.returncode, 130, out + err)
        state = self.state(path)
        self.assertEqual(state["sent"], state["acknowledged"])
        self.assertLess(0, int(state["sent"][0]))
        self.assertLess(int(state["sent"][0]), 50)
        report = self.run_import(path, c=c)
        self.assertTrue(report["resumed"] and report["ok"])
        self.assertEqual(c.row("s1")["likes_total"], 50000)

    def test_nobody_answers(self):
        path = self.write("a.csv", "silence,1\n")
        code, _, err = cluster.run("kudos-import", path, "--timeout", "0.5", KUDOS_LEADER="tcp://127.0.0.1:27999")
        self.assertEqual(code, 1)
        self.assertIn("no leader answered", err)
        self.run_import(path)
        self.c.await_count("silence", 1)

    def refused(self, path):
        """What it says when it is not known whether its second batch is counted; None: it is known."""
        self.edit(path, sent=2, acknowledged=1)
        code, _, err = cluster.run("kudos-import", path, KUDOS_LEADER=self.c.leader_endpoints())
        return err if code else None

    def test_what_is_not_guessed(self):
        # One server: of two, the one that still remembers the session acknowledges its batches as counted before.
        self.c = self.cluster(PORT + 40, servers=1, memory_only=True)
        text = "".join(f"guess,1\nguess:{i},1\n" for i in range(1500))
        path = self.write("a.csv", text)
        self.assertEqual(self.run_import(path)["batches"], 3)
        self.edit(path, sent=2, acknowledged=1)
        self.write("a.csv", text.replace("guess,1", "guess,2", 1))
        self.assertIn("is not what it was", self.run_import(path, code=1))
        self.write("a.csv", text)
        self.assertIn("--key-column 1 --count-column 2", self.run_import(path, "--skip-bad", code=1))
        said = wait_until(lambda: self.refused(path), "the session, which was closed when all was done, is forgotten")
        # The batch behind may have been sent before the answer to this one came.
        self.assertRegex(said, "Lines up to 1000 are counted, 1001 to [23]000 each once or not at all")
        self.c.await_count("guess", 1500)
        # Of what was never sent nobody is in doubt.
        self.edit(path, sent=1, acknowledged=1)
        self.assertTrue(self.run_import(path)["resumed"])
        self.c.await_count("guess", 1500 + 1000)
        self.write("a.csv.kudos-import", "kudos-import 2\n")
        self.assertIn("--state", self.run_import(path, code=1))

    def test_another_cluster(self):
        path = self.write("a.csv", "".join(f"here:{i},1\n" for i in range(3000)))
        self.run_import(path)
        self.edit(path, sent=2, acknowledged=1)
        other = self.cluster(PORT + 80, servers=1, memory_only=True)
        self.assertIn("not the cluster", self.run_import(path, "--timeout", "10", c=other, code=1))
        self.assertEqual(other.count("here:2999", "s1"), {"s1": 0})

    def test_bad_rows(self):
        path = self.write("a.csv", 'bad:1,2\n"bad key",1\nbad:2\nbad:3,x\n"bad:4","1500000"\nbad:5,1\n')
        said = self.run_import(path, code=1)
        for line in ("line 2 has a bad key", "line 3 has too few columns", "line 4 has a bad count", "nothing was sent"):
            self.assertIn(line, said)
        self.assertFalse(os.path.exists(path + ".kudos-import"))
        report = self.run_import(path, "--skip-bad", "--dry-run")
        self.assertEqual([report[word] for word in ("rows", "rows_skipped", "events", "likes", "rows_counted")],
                         [3, 3, 4, 1500003, 0])
        self.assertFalse(os.path.exists(path + ".kudos-import"))
        self.run_import(path, "--skip-bad")
        self.c.await_count("bad:4", 1500000)

    def test_stdin(self):
        state = self.path("state")
        for _ in range(2):
            self.run_import("-", "--state", state, stdin="key,count\npiped,3\n")
        self.c.await_count("piped", 3)
        self.assertIn("is not what it was", self.run_import("-", "--state", state, stdin="piped,4\n", code=1))
        for wrong in (["-"], [], ["a", "b"], ["a", "--timeout", "x"], ["--nonsense"]):
            self.assertIn("--help", self.run_import(*wrong, code=2))


if __name__ == "__main__":
    cluster.main("__main__")
