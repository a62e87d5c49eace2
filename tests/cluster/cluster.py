# SPDX-License-Identifier: MIT
"""A Kudos cluster of real processes, for tests: start, kill, pause, restart, ask, load, and end without trace.

Ports: a cluster at PORT has its leaders at PORT, PORT+1, … and server sN at PORT+10+2N and PORT+11+2N; each test
file has a hundred of its own. Every process is a child of this one and dies with it, whatever ends it.
"""
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from questions import Questions

BINDIR = None
SLOW = float(os.environ.get("KUDOS_TEST_SLOW") or 1)  # programs with sanitizers need that many times as long
DEADLINE = 30  # seconds, for anything that is waited for; times SLOW
# µs that are noise, and times as long as without what is in the way (doc/testing.md has what was measured).
SERVED_FLOOR, SERVED_RATIO = 250000, 15
SANITIZED = bool({"ASAN_OPTIONS", "TSAN_OPTIONS"} & set(os.environ))
LIBC = ctypes.CDLL(None)


def main(module):
    """usage: test_NAME.py BINDIR [unittest arguments]   (BINDIR holds the programs)"""
    global BINDIR
    if len(sys.argv) < 2:
        raise SystemExit(main.__doc__)
    BINDIR = sys.argv.pop(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that cleaning up happens when meson gives up
    # Warnings are of sockets and pipes that a test leaves to its end.
    result = unittest.main(module, warnings="ignore", exit=False).result
    for case, reason in result.skipped:
        print(f"SKIPPED {case}: {reason}", file=sys.stderr)
    skipped_all = result.testsRun > 0 and len(result.skipped) == result.testsRun
    sys.exit(77 if skipped_all else not result.wasSuccessful())  # 77: as meson knows it


def program(name):
    path = os.path.join(os.path.abspath(BINDIR), name)
    if not os.path.isfile(path):
        raise SystemExit(f"{name} is not in {BINDIR}")
    return path


def environment(**more):
    """Ours, without what would steer the programs."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KUDOS_")}
    return {**kept, "KUDOS_HISTORY": "", **more}


def die_with_parent():
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def wait_until(condition, what, deadline=DEADLINE):
    """The first true answer of condition. This is the one place where a test waits."""
    deadline *= SLOW
    end = time.monotonic() + deadline
    while True:
        late = time.monotonic() > end
        answer = condition()
        if answer:
            return answer
        if late:
            raise AssertionError(f"not within {deadline} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def run(name, *arguments, stdin="", timeout=120, prefix=(), **variables):
    done = subprocess.run([*prefix, program(name), *arguments], input=stdin, text=True, capture_output=True,
                          timeout=timeout * SLOW, env=environment(**variables))
    return done.returncode, done.stdout, done.stderr


class Cluster:
    """Leaders "leader", "leader2", … and servers "s1", "s2", …"""

    variables = {}  # that a client needs besides the leaders' endpoints

    def __init__(self, port, servers=3, leaders=1, memory_only=False, flags=(), start=True, hosts=None, keep=False):
        self.port, self.memory_only, self.flags = port, memory_only, list(flags)
        self.hosts = hosts  # see hosts.py; None: all on 127.0.0.1
        self.folder = tempfile.mkdtemp(prefix="kudos-test-")
        self.keep = keep
        self.processes = {}  # name → Popen, dead or alive
        self.loads = []
        self.questions = {}  # arguments → the kudos that asks with them
        self.leaders = ["leader"] + [f"leader{i}" for i in range(2, leaders + 1)]
        self.servers = [f"s{i}" for i in range(1, servers + 1)]
        try:
            if start:
                self.start(*self.leaders, *self.servers)
        except BaseException:
            print(self.logs(), file=sys.stderr)
            self.stop()
            raise

    # ---- where things are ----

    def host(self, name):
        return self.hosts.address(name) if self.hosts else "127.0.0.1"

    def ports(self, name):
        if name.startswith("leader"):
            return (self.port + int(name[6:] or 1) - 1,)
        return self.port + 10 + 2 * int(name[1:]), self.port + 11 + 2 * int(name[1:])

    def endpoint(self, name):
        return f"tcp://{self.host(name)}:{self.ports(name)[0]}"

    def leader_endpoints(self):
        return ",".join(self.endpoint(name) for name in self.leaders)

    def data(self, name):
        return os.path.join(self.folder, name)

    def log(self, name):
        try:
            with open(os.path.join(self.folder, name + ".log"), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def logs(self, lines=40):
        parts = []
        for name in self.processes:
            parts += [f"==== {name}", *self.log(name).splitlines()[-lines:]]
        return "\n".join(parts)

    # ---- processes ----

    def command(self, name):
        if name.startswith("leader"):
            more = ["--bind", self.host(name), "--insecure"] if self.hosts else []
            return [program("kudos-leader"), "--port", str(self.ports(name)[0]), *more]
        client, notify = self.ports(name)
        store = ["--memory-only"] if self.memory_only else ["--data", self.data(name)]
        more = ["--bind", self.host(name), "--insecure"] if self.hosts else []
        return [program("kudos-server"), "--name", name, "--leader", self.leader_endpoints(), "--client-port",
                str(client), "--notify-port", str(notify), *store, *more, *self.flags]

    def environment(self, name):
        return environment()

    def prefix(self, name):
        return self.hosts.prefix(name) if self.hosts else []

    def spawn(self, *names):
        for name in names:
            assert not self.runs(name), name
            with open(os.path.join(self.folder, name + ".log"), "a") as log:
                self.processes[name] = subprocess.Popen(
                    self.prefix(name) + self.command(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env=self.environment(name), preexec_fn=die_with_parent)

    def start(self, *names):
        self.spawn(*names)
        self.await_up(*names)

    def runs(self, name):
        return name in self.processes and self.processes[name].poll() is None

    def is_stopped(self, name):
        with open(f"/proc/{self.processes[name].pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "T"

    def signal(self, number, *names):
        for name in names:
            self.processes[name].send_signal(number)

    def kill(self, *names):
        """kill -9"""
        self.signal(signal.SIGKILL, *names)
        for name in names:
            self.processes[name].wait()

    def terminate(self, *names):
        self.signal(signal.SIGTERM, *names)
        for name in names:
            self.processes[name].wait(DEADLINE * SLOW)

    def ended(self, name):
        """Waits for the process to end by itself: its exit status."""
        return wait_until(lambda: self.processes[name].poll() is not None and [self.processes[name].returncode],
                          f"{name} ends")[0]

    def end_in_order(self):
        """Leaks are looked for when a process ends by itself."""
        running = [name for name in self.processes if self.runs(name)]
        # Not to one that looks for leaks already: that stops itself, and would wait for this stop for ever.
        self.signal(signal.SIGCONT, *filter(self.is_stopped, running))
        self.signal(signal.SIGTERM, *running)
        for name in running:
            self.processes[name].wait(DEADLINE * SLOW)

    def stop(self):
        while self.questions:
            self.questions.popitem()[1].end(DEADLINE * SLOW)
        if SANITIZED:
            self.end_in_order()
        for process in [*self.processes.values(), *(load.process for load in self.loads)]:
            if process.poll() is None:
                process.kill()
            process.wait()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- asking ----

    def kudos(self, *arguments, **more):
        more.setdefault("KUDOS_LEADER", self.leader_endpoints())
        return run("kudos", *arguments, prefix=self.prefix("client"), **more)

    def ok(self, *arguments, **more):
        code, out, err = self.kudos(*arguments, **more)
        assert code == 0, f"kudos {' '.join(arguments)}: exit status {code}\n{out}{err}"
        return out

    def asking(self):
        """Variables of who asks in the tests' name."""
        return self.variables

    def ask(self, question, *arguments):
        """The answer to a line, or None. A connection is kept until something fails: the next question has a new one."""
        if arguments not in self.questions:
            self.questions[arguments] = Questions([*self.prefix("client"), program("kudos"), *arguments],
                                                  preexec_fn=die_with_parent, env=environment(**self.asking()))
        answer = self.questions[arguments].ask(question, DEADLINE * SLOW)
        if not answer:
            self.questions.pop(arguments).end(DEADLINE * SLOW)
        return answer

    def status(self, of=None):
        """What a leader says (the first, when none is named), or a server; None: nothing."""
        where = "--server" if of and not of.startswith("leader") else "--leader"
        return self.ask("status", "--timeout", "1", where, self.endpoint(of or self.leaders[0]))

    def states(self, of=None):
        """name → state, as the leader has it"""
        status = self.status(of)
        return {row["name"]: row["state"] for row in status["servers"]} if status else {}

    def row(self, name, of=None):
        """Its row in what it says itself, or another; of two of that name, the one that is not down."""
        status = self.status(of or name)
        rows = [row for row in status["servers"] if row["name"] == name] if status else []
        return min(rows, key=lambda row: row["state"] == "down", default=None)

    def is_up(self, name):
        """The server itself says so, and each leader that runs: theirs alone may mean its former self for a while."""
        if name.startswith("leader"):
            return self.status(name) is not None
        row = self.row(name)
        if not row or row["state"] != "up":
            return False
        told = [self.status(leader) or {"servers": []} for leader in self.leaders if self.runs(leader)]
        return all(any((r["node"], r["state"]) == (row["node"], "up") for r in status["servers"]) for status in told)

    def await_up(self, *names, deadline=DEADLINE):
        for name in names:
            def up():
                assert self.runs(name), f"{name} has ended: {self.log(name)[-800:]}"
                return self.is_up(name)
            wait_until(up, lambda: f"{name} is up; status: {self.status()}", deadline)

    def count(self, key, *names):
        """server → count, asked of each server itself"""
        counts = {}
        for name in names or [name for name in self.servers if self.runs(name)]:
            answer = self.ask(f"count {key}", "--server", self.endpoint(name))
            counts[name] = answer and answer["count"]
        return counts

    def await_count(self, key, wanted, *names, deadline=DEADLINE):
        wait_until(lambda: set(self.count(key, *names).values()) == {wanted},
                   lambda: f"{key} is {wanted} everywhere: {self.count(key, *names)}", deadline)

    def total(self):
        rows = [self.row(name) for name in self.servers if self.runs(name)]
        return max((row["likes_total"] for row in rows if row), default=0)

    def bare(self, *arguments, rate=2000, **more):
        """The 99th percentile in µs of a load that nothing is in the way of, now and on this machine."""
        load = self.load(*arguments, rate=rate, **more)
        load.flows(2 * rate)
        return load.finish()["latency_us"]["p99"]

    def load(self, *arguments, **more):
        load = Load(self, arguments, **more)
        self.loads.append(load)
        return load


class Load:
    """kudos-load at work until it is told to stop: the faults decide how long, not a clock."""

    def __init__(self, cluster, arguments, rate=5000):
        self.cluster = cluster
        self.process = subprocess.Popen(
            [*cluster.prefix("client"), program("kudos-load"), "--json", "--clients", "10", "--keys", "500", "--rate",
             str(rate), "--duration", "10m", "--settle", "60s", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent,
            env=environment(KUDOS_LEADER=cluster.leader_endpoints(), **cluster.variables))

    def flows(self, likes=2000):
        """Waits until so many more likes have been counted somewhere."""
        before = self.cluster.total()

        def more():
            assert self.process.poll() is None, f"kudos-load has ended: {self.process.communicate()}"
            return self.cluster.total() >= before + likes
        wait_until(more, f"{likes} more likes than {before}")

    def finish(self):
        """Ends the load; its report, in which everything must be well."""
        self.process.send_signal(signal.SIGINT)
        return self.complete()

    def complete(self):
        """The same, of a load that ends by itself."""
        out, err = self.process.communicate(timeout=120 * SLOW)
        try:
            report = json.loads(out)
        except ValueError:
            raise AssertionError(f"kudos-load: no report, exit status {self.process.returncode}\n{out}\n{err}") from None
        well = report["ok"] and report["refused"] == 0 and self.process.returncode in (0, 130)
        assert well, f"kudos-load, exit status {self.process.returncode}: {json.dumps(report, indent=1)}\n{err}"
        return report


class ClusterTest(unittest.TestCase):
    """Shows the daemons' logs when a test fails."""

    common = None

    def cluster(self, *arguments, **more):
        cluster = Cluster(*arguments, **more)
        self.addCleanup(self.leave, cluster)
        return cluster

    def leave(self, cluster):
        self.show_if_failed(cluster)
        cluster.stop()

    def common_cluster(self, *arguments, **more):
        """One for all tests of a class that leave it in order, which is to say until one fails."""
        cls = type(self)
        if not cls.common:
            cls.common = Cluster(*arguments, **more)
            cls.addClassCleanup(cls.common.stop)
        self.addCleanup(self.leave_common, cls.common)
        return cls.common

    def leave_common(self, cluster):
        if self.show_if_failed(cluster):
            type(self).common = None
            cluster.stop()

    def show_if_failed(self, cluster):
        failed = not self._outcome.success or self.failed_by_now()
        if failed:
            print(f"\n==== {self.id()} failed; the daemons' logs:\n{cluster.logs()}", file=sys.stderr)
            cluster.keep = "KUDOS_TEST_KEEP" in os.environ
        return failed

    def failed_by_now(self):
        """Python 3.11 sets success late: cleaning up comes first. The result has it at once."""
        result = self._outcome.result
        cases = [case for case, _ in result.failures + result.errors] if result else []
        return any(getattr(case, "test_case", case) is self for case in cases)  # a subtest says whose it is

    def served(self, what, report, bare, heavy=1):
        """Whether a load was served beside something else as it ought to be, by one without it of the same minute."""
        p99 = report["latency_us"]["p99"]
        print(f"{what}: the others' p99 {p99 / 1000:.0f} ms, {bare / 1000:.0f} ms without: {p99 / bare:.1f} times")
        self.assertEqual(report["in_doubt"], 0)
        self.assertLess(p99, max(SERVED_FLOOR, SERVED_RATIO * heavy * bare))

    def equal_everywhere(self, cluster, report):
        """All servers hold the same sum, and at least what was acknowledged."""
        totals = {name: cluster.row(name)["likes_total"] for name in cluster.servers if cluster.runs(name)}
        self.assertEqual(len(set(totals.values())), 1, totals)
        self.assertGreaterEqual(min(totals.values()), report["acknowledged"])


def seeded():
    """Random numbers whose seed is told and can be given (KUDOS_TEST_SEED)."""
    seed = int(os.environ.get("KUDOS_TEST_SEED") or random.SystemRandom().getrandbits(32))
    print(f"KUDOS_TEST_SEED={seed}", file=sys.stderr)
    return random.Random(seed)
