#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The kudos command line against a real leader and two servers.

usage: test_cli.py BINDIR [unittest arguments]   (BINDIR holds kudos, kudos-leader, kudos-server)
"""
import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BINDIR = None
LEADER_PORT, FIRST_PORT = 23710, 23711
LEADER = f"tcp://127.0.0.1:{LEADER_PORT}"
SLOW = float(os.environ.get("KUDOS_TEST_SLOW") or 1)  # as in cluster.py
DEADLINE = 20 * SLOW  # seconds, for anything that is waited for


def program(name):
    for path in (os.path.join(BINDIR, name), os.path.join(BINDIR, name, name)):
        if os.path.isfile(path):
            return path
    raise SystemExit(f"{name} is not in {BINDIR}")


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KUDOS_")}
    return {**kept, "KUDOS_HISTORY": "", **more}


def kudos(*arguments, stdin="", **more):
    done = subprocess.run([program("kudos"), *arguments], input=stdin, text=True, capture_output=True,
                          timeout=60 * SLOW, env=environment(**more))
    return done.returncode, done.stdout, done.stderr


class WrongUse(unittest.TestCase):
    """What needs no cluster."""

    def refused(self, status, words, *arguments, stdin="", **more):
        code, out, err = kudos(*arguments, stdin=stdin, **more)
        self.assertEqual((code, out), (status, ""), (arguments, err))
        for word in words:
            self.assertIn(word, err, arguments)

    def test_usage(self):
        self.refused(2, ["lkie", '"like"', "help"], "lkie")
        self.refused(2, ["frobnicate", "help"], "frobnicate")
        self.refused(2, ["a b"], "like", "a b")
        self.refused(2, ["bad key"], "like", "x" * 129)
        self.refused(2, ["bad key"], "like", "")
        for amount in ("0", "1000001", "-1000001", "5x", "1.5", "9" * 30):
            self.refused(2, [amount, "1000000"], "like", "k", amount)
        self.refused(2, ["extra"], "like", "k", "1", "extra")
        self.refused(2, ["--bogus"], "--bogus", "status")
        self.refused(2, ["--leader"], "--leader")
        self.refused(2, ["forget"], "forget")
        self.refused(2, ["drain"], "drain")
        for timeout in ("0", "-1", "nan", "abc", "1e9"):
            self.refused(2, [timeout], f"--timeout={timeout}", "like")
        self.refused(2, ["nonsense"], "--leader", "nonsense", "like")
        self.refused(2, ["nonsense"], "like", KUDOS_LEADER="nonsense")
        self.refused(2, ["abc"], "like", "many", stdin="abc\n")
        self.refused(2, ["two lines"], "like", "many", stdin="0\n")

    def test_json_messages(self):
        for arguments, variables in ((["--json", "lkie"], {}), (["lkie"], {"KUDOS_JSON": "1"})):
            code, out, err = kudos(*arguments, **variables)
            message = json.loads(err)
            self.assertEqual((code, out, message["error"]), (2, "", "usage"))
        self.assertEqual(json.loads(kudos("--json", "like", "\x01")[2])["error"], "bad-key")

    def test_help_and_version(self):
        self.assertRegex(kudos("--version")[1], r"^kudos \d+\.\d+\.\d+\n$")
        for arguments in (["--help"], ["help"]):
            code, out, err = kudos(*arguments)
            self.assertEqual((code, err), (0, ""))
            for command in ("like many", "unlike", "count --everywhere", "watch", "status", "drain", "forget", "exit"):
                self.assertIn(command, out)

    def test_nobody_there_takes_no_longer_than_the_timeout(self):
        for command in (["like"], ["count"], ["status"], ["watch", "k"], ["count", "--everywhere"]):
            began = time.monotonic()
            code, out, err = kudos("--leader", f"tcp://127.0.0.1:{LEADER_PORT + 9}", "--timeout", "0.5", *command)
            self.assertEqual((code, out), (1, ""), (command, err))
            self.assertIn(str(LEADER_PORT + 9), err, command)
            self.assertLess(time.monotonic() - began, 3 * SLOW, command)


class Cluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.processes = []
        cls.addClassCleanup(cls.stop)
        cls.start("kudos-leader", "--port", str(LEADER_PORT))
        for i in (1, 2):
            cls.start("kudos-server", "--leader", LEADER, "--name", f"s{i}", "--memory-only",
                      "--client-port", str(FIRST_PORT + 2 * i), "--notify-port", str(FIRST_PORT + 2 * i + 1))
        deadline = time.monotonic() + DEADLINE
        while [s["state"] for s in cls.servers()] != ["up", "up"]:
            if time.monotonic() > deadline:
                raise AssertionError(f"the servers did not come up: {cls.servers()}\n{cls.logs()}")

    @classmethod
    def start(cls, name, *arguments):
        log = open(os.path.join(cls.folder.name, f"{name}-{len(cls.processes)}.log"), "w")
        cls.processes.append(subprocess.Popen([program(name), *arguments], stdout=log, stderr=log,
                                              env=environment()))
        log.close()

    @classmethod
    def logs(cls):
        names = [n for n in sorted(os.listdir(cls.folder.name)) if n.endswith(".log")]
        return "\n".join(open(os.path.join(cls.folder.name, n)).read() for n in names)

    @classmethod
    def stop(cls):
        for process in cls.processes:
            process.kill()
            process.wait()
        cls.folder.cleanup()

    @classmethod
    def servers(cls):
        code, out, _ = kudos("--leader", LEADER, "--timeout", "1", "status", "--json")
        return json.loads(out)["servers"] if code == 0 else []

    def ok(self, *arguments, stdin=""):
        code, out, err = kudos(*arguments, stdin=stdin, KUDOS_LEADER=LEADER)
        self.assertEqual((code, err), (0, ""), arguments)
        return out

    def eventually(self, wanted, *arguments):
        deadline = time.monotonic() + DEADLINE
        while True:
            found = self.ok(*arguments)
            if found == wanted or time.monotonic() > deadline:
                return self.assertEqual(found, wanted)

    def test_like_and_count(self):
        self.assertEqual(self.ok("like", "a:1", "5"), "a:1 5\n")
        self.eventually("s1 a:1 5\ns2 a:1 5\n", "count", "--everywhere", "a:1")
        self.eventually('{"server":"s1","key":"a:1","count":5}\n{"server":"s2","key":"a:1","count":5}\n',
                        "count", "--everywhere", "--json", "a:1")
        self.eventually("a:1 5\nnever 0\n", "count", "a:1", "never")
        self.assertEqual(self.ok("like", "--", "--a", "2"), "--a 2\n")
        self.assertEqual(json.loads(self.ok("--json", "like", "a:ü\"", "3")), {"key": "a:ü\"", "count": 3})

    def test_unlike(self):
        session = "like b 5\nunlike b 2\nlike b -1\nunlike b -1\ncount b\n"
        self.assertEqual(self.ok(stdin=session), "b 5\nb 3\nb 2\nb 3\nb 3\n")

    def test_a_key_may_look_like_a_number(self):
        self.assertEqual(self.ok("like", "5"), "5 1\n")

    def test_session_on_a_pipe(self):
        first, second, counted = self.ok(stdin="like\nlike\n# aside\n\ncount likes\nexit\nlike\n").split("\n")[:3]
        self.assertEqual(int(second.split()[1]), int(first.split()[1]) + 1)
        self.assertEqual(counted, second)
        before = int(counted.split()[1])
        self.assertEqual(self.ok(stdin="like many\n0\n2500\n"), f"likes {before + 2500}\n")
        self.assertEqual(self.ok("like", "many", stdin="0.001\n10\n"), f"likes {before + 2510}\n")

    def test_a_failed_line_does_not_end_the_session(self):
        code, out, err = kudos(stdin="like c\nbogus\nlike c\n", KUDOS_LEADER=LEADER)
        self.assertEqual((code, out), (1, "c 1\nc 2\n"))
        self.assertIn("line 2", err)

    def test_status(self):
        status = json.loads(self.ok("--json", "status"))
        self.assertEqual(set(status), {"leader", "servers"})
        self.assertEqual(set(status["leader"]), {"endpoint", "incarnation", "members"})
        self.assertEqual([s["name"] for s in status["servers"]], ["s1", "s2"])
        for server in status["servers"]:
            self.assertEqual(set(server), {"name", "node", "state", "client_endpoint", "notify_endpoint", "clients",
                                           "keys", "likes_total", "events_per_s", "lag_records", "journal_bytes",
                                           "malformed"})
        self.assertIn("s1", self.ok("status"))

    def test_one_server_without_a_leader(self):
        server = f"tcp://127.0.0.1:{FIRST_PORT + 2}"
        nowhere = f"tcp://127.0.0.1:{LEADER_PORT + 9}"
        code, out, err = kudos("--server", server, "like", "d", KUDOS_LEADER=nowhere)
        self.assertEqual((code, out), (0, "d 1\n"), err)
        code, out, err = kudos("--leader", LEADER, "count", "d", KUDOS_SERVER=nowhere)
        self.assertEqual(code, 0, err)

    def test_forget_nobody(self):
        for command in "forget", "drain":
            code, out, err = kudos(command, "s99", KUDOS_LEADER=LEADER)
            self.assertEqual((code, out), (1, ""))
            self.assertEqual(err.count("s99"), 1, err)
            self.assertEqual(err.count("no member"), 1, err)

    def test_watch_until_interrupted(self):
        watch = subprocess.Popen([program("kudos"), "watch", "e"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True, env=environment(KUDOS_LEADER=LEADER))
        try:
            self.assertEqual(watch.stdout.readline(), "e 0\n")
            self.ok("like", "e", "4")
            self.assertEqual(watch.stdout.readline(), "e 4\n")
            watch.send_signal(signal.SIGINT)
            self.assertEqual(watch.communicate(timeout=DEADLINE), ("", ""))
            self.assertEqual(watch.returncode, 0)
        finally:
            watch.kill()
            watch.communicate()

    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([program("kudos"), "count"], stdout=full, stderr=subprocess.PIPE, text=True,
                                  env=environment(KUDOS_LEADER=LEADER), timeout=60 * SLOW)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output", done.stderr)

    def test_terminal(self):
        history = os.path.join(self.folder.name, "history")
        terminal = Terminal(environment(KUDOS_LEADER=LEADER, KUDOS_HISTORY=history, TERM="xterm", NO_COLOR="1"))
        try:
            terminal.expect("kudos> ")
            terminal.type("lik\tterm:1 2\r", "term:1 2\r\n", "kudos> ")
            terminal.type("count te\t\r", "term:1 2\r\n", "kudos> ")
            terminal.type("watch term:1\r", "watching", "term:1 2\r\n")
            terminal.type("\x03", "kudos> ")
            terminal.type("like many\r", "pause in seconds: ")
            terminal.type("30\r", "how many likes: ")
            terminal.type("9\r", "sending")
            terminal.type("\x03", "interrupted", "kudos> ")
            terminal.insist("\x03", "kudos> ")
            self.assertEqual(terminal.end(), 0)
            self.assertNotIn("\x1b[3", terminal.all)
        finally:
            terminal.kill()
        with open(history) as file:
            self.assertIn("watch", file.read())


class Terminal:
    def __init__(self, variables):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(program("kudos"), ["kudos"], variables)
        self.all = self.unread = ""

    def expect(self, text, patience=DEADLINE):
        deadline = time.monotonic() + patience
        while text not in self.unread:
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"no {text!r} in {self.unread!r}")
            new = os.read(self.fd, 4096).decode(errors="replace")
            self.all += new
            self.unread += new
        self.unread = self.unread.split(text, 1)[1]

    def type(self, keys, *expected):
        os.write(self.fd, keys.encode())
        for text in expected:
            self.expect(text)

    def insist(self, key, text):
        """A key at the prompt is lost when it comes between libedit's prompt and its raw mode or its read: for
        people that is no time at all, but not for a program."""
        for _ in range(int(DEADLINE)):
            try:
                return self.type(key) or self.expect(text, 1)
            except AssertionError:
                continue
        raise AssertionError(f"no {text!r} after {key!r}: {self.unread!r}")

    def end(self):
        """Ctrl-D until it is gone, for the same reason."""
        deadline = time.monotonic() + DEADLINE
        while True:
            os.write(self.fd, b"\x04")
            try:
                while select.select([self.fd], [], [], 0.5)[0]:
                    self.all += os.read(self.fd, 4096).decode(errors="replace")
            except OSError:  # how Linux says that the other side is gone
                break
            if time.monotonic() > deadline:
                raise AssertionError(f"Ctrl-D does not end the session: {self.all!r}")
        pid, self.pid = self.pid, None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def kill(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    BINDIR = sys.argv.pop(1)
    unittest.main()
