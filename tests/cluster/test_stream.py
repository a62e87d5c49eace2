#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Records in a stream of NATS JetStream: each like is counted once whatever becomes of NATS, and the stream tells others the
same."""
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import cluster
import nats
import natskeys
from cluster import Cluster, ClusterTest, program, run, wait_until
from hosts import Hosts

PORT = 28300
RULES_PORT = 28400  # the two classes run at the same time


def awake_seconds(pid):
    """How long the process's first thread ran, or waited for a processor."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        ran, waited, _ = file.read().split()
    return (int(ran) + int(waited)) / 1e9


class Streamed(Cluster):
    """Servers that keep their records in a stream; those in `on_disk` do not."""

    def __init__(self, *arguments, config="", nats_count=3, user="", on_disk=(), access=(), **more):
        self.on_disk, self.user, self.access, self.cleanups = on_disk, user, access, []
        super().__init__(*arguments, start=False, **more)
        self.nats = nats.Servers(self, self.port + 60, nats_count, config, self.hosts)

    def addCleanup(self, fn):
        self.cleanups.append(fn)

    def command(self, name):
        journal = ["--journal", self.nats.url(user=self.user), *self.access]
        streamed = name.startswith("s") and name not in self.on_disk
        return super().command(name) + (journal if streamed else [])

    def stop(self):
        for fn in self.cleanups:
            fn()
        super().stop()


@unittest.skipUnless(nats.Servers.program(), "nats-server is not installed")
class StreamTest(ClusterTest):
    @classmethod
    def setUpClass(cls):
        try:
            _, _, err = run("kudos-server", "--journal", "nats://127.0.0.1:1/S", "--memory-only", timeout=2 * cluster.SLOW)
        except subprocess.TimeoutExpired:  # it looks for NATS
            return
        if "built without libnats" in err:
            raise unittest.SkipTest("this build is without libnats")

    def streamed(self, *arguments, **more):
        start = more.pop("start", True)
        c = Streamed(*arguments, **more)
        self.addCleanup(self.leave, c)
        if start:
            c.start(*c.leaders, *c.servers)
        return c


class Faults(StreamTest):
    def test_nats_and_servers_are_killed(self):
        c = self.streamed(PORT, on_disk=("s3",))
        load = c.load("--keys", "50", rate=500)
        load.flows(300)
        for victim, server in ((c.nats.leader(), "s1"), ((c.nats.leader() + 1) % 3, "s2"), (c.nats.leader(), "s3")):
            c.nats.kill(victim)
            load.flows(300)
            c.kill(server)
            c.spawn(server)
            c.nats.start(victim)
            load.flows(300)
        report = load.finish()
        self.assertEqual((report["in_doubt"], report["refused"]), (0, 0))
        self.equal_everywhere(c, report)
        for node, runs in c.nats.runs().items():
            self.assertLessEqual(len([origin for origin, end in runs.items() if not end]), 1, f"node {node}: only its present run goes on")
        # What a reader of the stream comes to, and s3's own records besides, which are on its disk alone.
        self.assertLess(0, sum(c.nats.counts().values()))
        c.kill("s3")
        c.ok("like", "only:streamed", "7")
        self.assertEqual(c.nats.counts()["only:streamed"], 7)

    def test_who_has_no_room_until_the_stream_answers_sleeps(self):
        c = self.streamed(PORT, servers=1, nats_count=1)
        load = c.load("--clients", "16", rate="max")
        load.flows(10000)
        c.nats.processes[0].send_signal(signal.SIGSTOP)
        seen = []  # (when, for how long it was awake until then)

        def sleeps():
            seen.append((time.monotonic(), awake_seconds(c.processes["s1"].pid)))
            before = [awake for when, awake in seen if when < seen[-1][0] - 0.5]
            return before and seen[-1][1] - before[-1] < 0.1
        wait_until(sleeps, lambda: f"half a second asleep, (when, awake) from {seen[0]} to {seen[-1]}")
        c.nats.processes[0].send_signal(signal.SIGCONT)
        load.flows(10000)
        self.equal_everywhere(c, load.finish())

    def test_no_quorum_then_no_folders(self):
        c = self.streamed(PORT)
        c.ok("like", "a", "3")
        c.nats.kill(0, 1)
        self.assertNotEqual(c.kudos("--timeout", "2", "like", "a")[0], 0)
        wait_until(lambda: any("likes are not acknowledged" in c.log(s) for s in c.servers), "a server says why")
        c.nats.start(0, 1)
        wait_until(lambda: any("takes records again" in c.log(s) for s in c.servers), "a server goes on")
        c.ok("like", "b", "2")
        c.await_count("b", 2)
        counts = c.nats.counts()
        self.assertIn(counts["a"], (3, 4))  # the one in between was not acknowledged: it may be in
        c.await_count("a", counts["a"])
        c.kill(*c.servers, *c.leaders)
        for name in c.servers:
            shutil.rmtree(c.data(name))
        c.start(*c.leaders, *c.servers)
        c.await_count("b", 2)
        c.await_count("a", counts["a"])
        c.ok("like", "b")
        c.await_count("b", 3)

    def test_nats_servers_are_cut_off(self):
        """Who is connected to the one that is cut off goes to another."""
        try:
            hosts = Hosts("n0", "n1", "n2", network="10.210.0")
        except OSError as error:
            self.skipTest(f"needs network namespaces: {error}")
        self.addCleanup(hosts.remove)
        c = self.streamed(PORT, hosts=hosts)
        load = c.load("--keys", "50", rate=500)
        load.flows(300)
        led = c.nats.have_led()
        hosts.cut_off("n0", "n1", "n2")
        if led == {0}:  # the others elect one: 4 to 9 s until they begin, and again when they vote for each other
            wait_until(lambda: c.nats.have_led() != led, "NATS elects another leader of the stream", 120)
        load.flows(300)
        for name in c.servers:  # each goes on, whichever it was connected to
            c.ok("--timeout", "20", "like", "each", KUDOS_SERVER=c.endpoint(name))
        hosts.mend_all("n0", "n1", "n2")
        report = load.finish()
        self.assertEqual((report["in_doubt"], report["refused"]), (0, 0))
        self.equal_everywhere(c, report)
        c.await_count("each", 3)


class Rules(StreamTest):
    def test_keys_and_certificates(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        for name, subject in (("ca", "/CN=authority"), ("other", "/CN=another")):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", subject, "-keyout",
                            f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", "-addext", "subjectAltName=IP:127.0.0.1"],
                           check=True, capture_output=True)
        config, creds = natskeys.config_and_credentials(folder)
        tls = f'tls {{ cert_file: "{folder}/ca.pem", key_file: "{folder}/ca.key" }}\n'
        access = ["--nats-creds", creds, "--nats-ca", f"{folder}/ca.pem"]
        c = self.streamed(RULES_PORT, servers=1, nats_count=1, config=config + tls, access=access)
        c.ok("like", "a", "3")
        c.kill("s1", "leader")
        shutil.rmtree(c.data("s1"))
        c.start("leader", "s1")
        c.await_count("a", 3)  # out of the stream
        exported = subprocess.run([program("kudos-export"), "--journal", c.nats.url(), "--records", *access], capture_output=True,
                                  text=True, timeout=60, env=cluster.environment(), check=False)
        self.assertEqual(exported.returncode, 0, exported.stderr)
        self.assertIn('"a"', exported.stdout)
        c.kill("s1")
        for access, why in ((access[:2] + ["--nats-ca", f"{folder}/other.pem"], "cannot be trusted"),
                            (access[2:], "does not let this server in")):
            c.access = access
            c.spawn("s1")
            self.assertEqual(c.ended("s1"), 1)
            self.assertIn(why, c.log("s1"))

    def test_another_cluster(self):
        """A stream that two clusters were given: both are told."""
        c = self.streamed(RULES_PORT, servers=1, nats_count=1)
        c.ok("like", "a")
        other = Cluster(RULES_PORT + 30, servers=2, start=False)
        self.addCleanup(self.leave, other)
        own = other.command
        other.command = lambda name: own(name) + (["--journal", c.nats.url()] if name == "s2" else [])
        other.start("leader", "s1")
        other.start("s2")
        other.ok("like", "b", "5")
        told = "two clusters have been given one stream"

        def both_know():
            c.ok("like", "a")
            other.ok("like", "b", KUDOS_SERVER=other.endpoint("s2"))
            return told in c.log("s1") and told in other.log("s2")
        wait_until(both_know, "both clusters are told")
        self.assertEqual((c.count("b"), other.count("a")), ({"s1": 0}, {"s1": 0, "s2": 0}))

    def test_a_full_stream(self):
        c = self.streamed(RULES_PORT, nats_count=1, start=False)
        config = {"name": "KUDOS", "subjects": ["KUDOS.>"], "discard": "new", "allow_direct": True, "storage": "file",
                  "retention": "limits", "num_replicas": 1, "max_bytes": 20000}
        self.assertNotIn("error", c.nats.ask("STREAM.CREATE.KUDOS", **config))
        c.start(*c.leaders, *c.servers)
        acknowledged = 0
        for _ in range(400):
            if c.kudos("--timeout", "2", "like", "k")[0] != 0:
                break
            acknowledged += 1
        self.assertLess(acknowledged, 400, "it was never full")
        wait_until(lambda: any("maximum bytes exceeded" in c.log(s) for s in c.servers), "a server says that it is full")
        config["max_bytes"] = 1 << 20
        self.assertNotIn("error", c.nats.ask("STREAM.UPDATE.KUDOS", **config))
        c.ok("like", "after", "5")
        c.await_count("after", 5)
        self.assertIn(c.nats.counts()["k"], (acknowledged, acknowledged + 1))

    def test_the_past_is_let_go_of(self):
        """Once a node is forgotten every member has a checkpoint: what is in those leaves the stream, which nobody may serve from alone."""
        def records():
            return c.nats.ask("STREAM.INFO.KUDOS")["state"]["messages"] - 1  # STREAM.id

        c = self.streamed(RULES_PORT, nats_count=1, access=["--purge-history"])
        for name in 2 * ("s1", "s2", "s3"):
            for _ in range(3):
                c.ok("like", "a", KUDOS_SERVER=c.endpoint(name))
        before = records()
        c.kill("s3")
        c.ok("forget", "s3")
        wait_until(lambda: records() == 3, "each run's last record is left")
        self.assertGreaterEqual(before, 18)
        code, out, err = run("kudos-export", "--journal", c.nats.url())
        self.assertEqual((code, len(out.splitlines())), (1, 3))
        self.assertIn("of 3 runs of servers the stream has let go of older records", err)
        last = c.nats.ask("STREAM.INFO.KUDOS")["state"]["last_seq"]
        for name in "s1", "s2":  # they write on
            c.ok("like", "a", KUDOS_SERVER=c.endpoint(name))
        code, _, err = run("kudos-export", "--journal", c.nats.url(), "--after", str(last))
        self.assertEqual(code, 0, err)  # who had all before lacks nothing
        shutil.rmtree(c.data("s3"))
        c.spawn("s3")
        c.await_count("a", 20)
        self.assertIn("snapshot adopted", c.log("s3"))
        c.kill(*c.servers, *c.leaders)
        for name in c.servers:
            shutil.rmtree(c.data(name))
        c.spawn(*c.leaders, "s1")
        wait_until(lambda: "start a member that has them" in c.log("s1"), "it does not serve the rest")
        self.assertNotEqual(c.kudos("--timeout", "1", "count", "a", KUDOS_SERVER=c.endpoint("s1"))[0], 0)

    def test_no_rights(self):
        users = ('authorization { users: [ {user: all, password: p}, {user: reader, password: p, '
                 'permissions: {publish: {deny: ["KUDOS.r.>"]}}} ] }')
        c = self.streamed(RULES_PORT, servers=1, nats_count=1, config=users, user="reader:p@")  # which serves what it can read
        self.assertNotEqual(c.kudos("--timeout", "2", "like", "a")[0], 0)
        wait_until(lambda: "likes are not acknowledged" in c.log("s1"), "it says that it cannot write")
        c.kill("s1")
        c.spawn("s1")
        wait_until(lambda: "waiting for a first look" in c.log("s1"), "it cannot end the run that may have written")
        c.kill("s1")
        c.user = "all:p@"
        c.spawn("s1")
        wait_until(lambda: c.log("s1").count("serving:") == 2, "it serves when it may write")
        c.ok("like", "a")
        c.kill("s1")
        c.user = "nobody:q@"
        c.spawn("s1")
        self.assertEqual(c.ended("s1"), 1)
        self.assertIn("does not let this server in", c.log("s1"))

    def test_another_stream(self):
        c = self.streamed(RULES_PORT, servers=1, nats_count=1)
        c.ok("like", "a")
        c.kill("s1")
        for journal, why in (([], "are in a stream"), (["--journal", c.nats.url("OTHER")], "are in another stream")):
            command = [*Cluster.command(c, "s1"), *journal]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=cluster.environment())
            self.assertEqual(ended.returncode, 1, ended.stderr)
            self.assertIn(why, ended.stderr)
        drops = {"name": "DROPS", "subjects": ["DROPS.>"], "discard": "old", "num_replicas": 1, "storage": "file",
                 "retention": "limits", "allow_direct": True}
        self.assertNotIn("error", c.nats.ask("STREAM.CREATE.DROPS", **drops))
        code, _, err = run("kudos-server", "--memory-only", "--journal", c.nats.url("DROPS"), "--client-port", str(RULES_PORT + 90),
                           "--notify-port", str(RULES_PORT + 91))
        self.assertEqual(code, 1)
        self.assertIn("set discard to new", err)

    def test_wrong_usage(self):
        for flags, why in ((["--journal", "nats://a"], "it must end with the stream's name"), (["--nats-ca", "x"], "go with --journal"), (["--purge-history"], "goes with --journal"),
                           (["--purge-history", "--journal", "nats://a/S", "--memory-only"], "not with --memory-only")):
            code, _, err = run("kudos-server", *flags)
            self.assertEqual(code, 2)
            self.assertIn(why, err)


if __name__ == "__main__":
    cluster.main("__main__")
