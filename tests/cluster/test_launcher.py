#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kudos-cluster and kudos-load as a user has them: what issue 2 shows, and that nothing is left behind."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.request

import cluster
from cluster import environment, program, wait_until

PORT = 22000
SCRIPT = """clients 20
keys 1000
phase failover rate 20000 count 100000
	after 1s kill s2
	after 1.5s kill leader
	after 2.5s restart leader
	after 3s restart s2
"""


class Launcher(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kudos-test-")
        self.started = set()  # every pid that the launcher has ever written down
        for i in range(1, 6):  # ports of our own, instead of the first free ones
            os.mkdir(os.path.join(self.folder, f"s{i}"))
            with open(os.path.join(self.folder, f"s{i}", "ports"), "w") as file:
                file.write(f"{PORT + 2 * i} {PORT + 2 * i + 1}\n")
        self.addCleanup(self.leave)

    def leave(self):
        if not self._outcome.success:
            for name in sorted(os.listdir(self.folder)):
                log = os.path.join(self.folder, name, "log")
                if os.path.isfile(log):
                    with open(log) as file:
                        print(f"==== {name}\n" + "".join(file.readlines()[-40:]))
        self.run_launcher("stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self):
        return environment(KUDOS_DIR=self.folder, KUDOS_LEADER=f"tcp://127.0.0.1:{PORT}")

    def run_program(self, name, *arguments, stdin=""):
        done = subprocess.run([program(name), *arguments], input=stdin, capture_output=True, text=True, timeout=120,
                              env=self.environment())
        self.started |= set(self.pids().values())
        return done.returncode, done.stdout, done.stderr

    def run_launcher(self, *arguments):
        return self.run_program("kudos-cluster", *arguments)

    def ok(self, name, *arguments, stdin=""):
        code, out, err = self.run_program(name, *arguments, stdin=stdin)
        self.assertEqual(code, 0, (name, arguments, out, err))
        return out

    def start(self, *arguments):
        # As many folders as servers: the launcher takes those that are there for servers of the cluster.
        count = int(arguments[arguments.index("-n") + 1])
        for i in range(count + 1, 6):
            shutil.rmtree(os.path.join(self.folder, f"s{i}"), ignore_errors=True)
        self.ok("kudos-cluster", "start", "--port", str(PORT), *arguments)

    def pids(self):
        found = {}
        for name in os.listdir(self.folder):
            try:
                with open(os.path.join(self.folder, name, "pid")) as file:
                    found[name] = int(file.read().split()[0])
            except (FileNotFoundError, NotADirectoryError):
                pass
        return found

    def assert_nothing_left(self):
        for pid in self.started:
            try:
                with open(f"/proc/{pid}/cmdline") as file:
                    self.assertNotIn("kudos-", file.read())
            except (FileNotFoundError, ProcessLookupError):
                pass

    def test_likes_from_the_command_line(self):
        self.start("-n", "3")
        self.assertEqual(self.ok("kudos", "like", "post:1", "5"), "post:1 5\n")
        everywhere = "s1 post:1 5\ns2 post:1 5\ns3 post:1 5\n"
        wait_until(lambda: self.ok("kudos", "count", "--everywhere", "post:1") == everywhere, everywhere)
        self.assertEqual(self.ok("kudos", stdin="like\nlike\ncount likes\nexit\n"), "likes 1\nlikes 2\nlikes 2\n")
        self.ok("kudos-cluster", "kill", "s2")
        self.assertEqual(self.ok("kudos", "like", "post:1", "2"), "post:1 7\n")
        self.ok("kudos-cluster", "restart", "s2")
        everywhere = everywhere.replace("5\n", "7\n")
        wait_until(lambda: self.ok("kudos", "count", "--everywhere", "post:1") == everywhere, everywhere)

    def test_stop_after_some_died(self):
        self.start("-n", "3")
        pids = self.pids()
        os.kill(pids["s1"], signal.SIGKILL)
        os.kill(pids["leader"], signal.SIGKILL)
        os.kill(pids["s2"], signal.SIGSTOP)  # does not hear SIGTERM
        self.ok("kudos-cluster", "stop")
        self.assert_nothing_left()
        self.ok("kudos-cluster", "stop")

    def test_a_failed_start_leaves_nothing(self):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", PORT + 4))
            other.listen()
            code, _, err = self.run_launcher("start", "-n", "3", "--port", str(PORT))
        self.assertEqual(code, 1)
        self.assertIn(str(PORT + 4), err)
        self.assert_nothing_left()

    @unittest.skipUnless(os.path.exists(os.path.join(sys.argv[1], "kudos-gateway")), "built without a gateway")
    def test_a_gateway(self):
        port = PORT + 40
        page = f"http://127.0.0.1:{port}/"
        self.assertIn("gateway-port", self.run_launcher("start", "--gateway-port", "0")[2])
        self.start("-n", "1", "--memory-only", "--secure", "--gateway-port", str(port))
        self.assertIn(f"gateway running pid {self.pids()['gateway']} {page}\n", self.ok("kudos-cluster", "status"))
        with urllib.request.urlopen(page) as answer:
            self.assertIn(b"Kudos", answer.read())
        self.assertEqual(self.ok("kudos-cluster", "--complete", "kill", "g"), "gateway\n")
        self.ok("kudos-cluster", "kill", "gateway")
        code, out, _ = self.run_launcher("status")
        self.assertEqual(code, 1)
        self.assertIn("gateway not-running", out)
        self.ok("kudos-cluster", "restart", "gateway")
        with urllib.request.urlopen(page + "v1/status") as answer:
            self.assertEqual([row["name"] for row in json.load(answer)["servers"]], ["s1"])
        with socket.socket() as other:
            self.ok("kudos-cluster", "stop")
            self.assert_nothing_left()
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
            code, _, err = self.run_launcher("start", "--port", str(PORT), "--gateway-port", str(port))
        self.assertEqual(code, 1)
        self.assertIn(str(port), err)

    def load_with_faults(self, *flags):
        self.start("-n", "3", *flags)
        script = os.path.join(self.folder, "script")
        with open(script, "w") as file:
            file.write(SCRIPT)
        report = json.loads(self.ok("kudos-load", "--script", script, "--json"))
        self.assertTrue(report["ok"] and report["check"]["ok"], report)
        self.assertEqual(report["acknowledged"] + report["in_doubt"], 100000, report)
        self.assertEqual([step["status"] for step in report["steps"]], [0, 0, 0, 0], report)
        self.ok("kudos-cluster", "stop")
        self.assert_nothing_left()

    def test_load_while_things_die_in_memory(self):
        self.load_with_faults("--memory-only", "--", "--ack-peers", "1")

    def test_load_while_things_die_on_disk(self):
        self.load_with_faults()


if __name__ == "__main__":
    cluster.main(__name__)
