#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Servers with disks are killed and stopped under load; in the end all hold what was acknowledged, once."""
import signal
import subprocess

import cluster
from cluster import ClusterTest, environment, program, run, wait_until

PORT = 22600


class Crashes(ClusterTest):
    def finish(self, c, load):
        c.await_up(*c.servers)
        report = load.finish()
        self.assertEqual(report["check"]["servers"], len(c.servers))
        self.equal_everywhere(c, report)
        return report

    def test_every_server_in_turn(self):
        c = self.common_cluster(PORT)
        load = c.load("--clients", "20")
        for name in c.servers:
            load.flows()
            c.kill(name)
            load.flows()
            c.start(name)
        self.finish(c, load)

    def test_the_end_of_a_connection_tells(self):
        """Clients of a server that is killed are with another before a second of silence has passed, which it takes to
        find out otherwise, every time. (A machine that is busy may hold one of them up for as long.) Six times, since what
        stopped libzmq's thread for good, and all clients of the process with it, came about in one of three."""
        c = self.common_cluster(PORT)
        longest = []
        for name in 2 * c.servers:
            load = c.load("--clients", "20", rate=2000)
            load.flows()
            c.kill(name)
            load.flows(500)
            c.start(name)
            longest.append(self.finish(c, load)["latency_us"]["max"])
        print("servers killed, the longest like each time: " + ", ".join(f"{us / 1000:.0f} ms" for us in longest))
        self.assertLess(min(longest), 950000 * cluster.SLOW)

    def test_all_at_once(self):
        c = self.common_cluster(PORT)
        load = c.load("--clients", "20", rate=20000)
        for _ in range(3):
            load.flows(20000)
            c.kill(*c.servers)
            c.spawn(*c.servers)
            c.await_up(*c.servers)
        load.flows()
        self.finish(c, load)

    def test_all_at_once_and_the_leader_with_them(self):
        c = self.common_cluster(PORT)
        load = c.load()
        load.flows()
        c.kill("leader", *c.servers)
        c.spawn("s3", "s2", "s1", "leader")
        c.await_up("leader", *c.servers)
        load.flows()
        self.finish(c, load)

    def test_they_come_back_one_by_one(self):
        """Who is alone after the grace serves alone; the others take its likes when they return."""
        c = self.common_cluster(PORT)
        load = c.load()
        load.flows()
        c.kill(*c.servers)
        for name in ("s2", "s1", "s3"):
            c.start(name)
            load.flows()
        self.finish(c, load)

    def test_stopped_longer_than_every_timeout(self):
        c = self.common_cluster(PORT)
        load = c.load()
        load.flows()
        c.signal(signal.SIGSTOP, "s2")
        wait_until(lambda: c.states().get("s2") == "down", lambda: f"s2 is down: {c.states()}")
        load.flows(20000)  # its clients have moved by then
        c.signal(signal.SIGCONT, "s2")
        c.await_up("s2")
        load.flows()
        self.finish(c, load)

    def test_all_stopped_for_a_while(self):
        c = self.common_cluster(PORT)
        load = c.load()
        load.flows()
        c.signal(signal.SIGSTOP, *c.servers)
        wait_until(lambda: set(c.states().values()) == {"down"}, lambda: f"all down: {c.states()}")
        c.signal(signal.SIGCONT, *c.servers)
        c.await_up(*c.servers)
        load.flows()
        self.finish(c, load)

    def test_stopped_as_asked(self):
        c = self.common_cluster(PORT)
        load = c.load()
        for name in c.servers:
            load.flows()
            c.terminate(name)
            self.assertEqual(c.processes[name].returncode, 0)
            c.start(name)
        report = self.finish(c, load)
        self.assertEqual(report["in_doubt"], 0)
        total = c.total()
        c.terminate(*c.servers)
        c.start(*c.servers)
        self.assertEqual([c.row(name)["likes_total"] for name in c.servers], [total] * 3)

    def test_one_reads_what_one_has_written_after_a_move(self):
        c = self.common_cluster(PORT)
        session = subprocess.Popen([program("kudos")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                   env=environment(KUDOS_LEADER=c.leader_endpoints()))
        self.addCleanup(session.communicate)
        self.addCleanup(session.kill)

        def type_line(line):
            session.stdin.write(line + "\n")
            return session.stdout.readline()
        # Whichever server the session is with: in a round over all of them it loses it once, or more often.
        for n, name in enumerate(c.servers * 2, 1):
            self.assertEqual(type_line("like mine"), f"mine {n}\n")
            c.kill(name)
            self.assertEqual(type_line("count mine"), f"mine {n}\n")
            c.start(name)

    def test_no_acknowledgement_before_others_have_it(self):
        c = self.cluster(PORT + 30, flags=["--ack-peers", "2"])
        self.assertEqual(c.ok("like", "safe"), "safe 1\n")
        c.kill("s3")
        code, out, err = c.kudos("--timeout", "2", "like", "safe")
        self.assertEqual((code, out), (1, ""), err)
        c.start("s3")
        c.await_count("safe", 2)  # it was durable on two; now it is on three
        self.assertEqual(c.ok("like", "safe"), "safe 3\n")


class Errors(ClusterTest):
    """Each with a text that names what was wrong, within the timeout."""

    def failed(self, status, words, name, *arguments, **variables):
        code, out, err = run(name, *arguments, **variables)
        self.assertEqual((code, out), (status, ""), (name, arguments, err))
        for word in words:
            self.assertIn(word, err, (name, arguments))

    def test_wrong_use_of_any_program(self):
        for name in ("kudos", "kudos-load", "kudos-leader", "kudos-server", "kudos-cluster"):
            self.failed(2, ["--bogus"], name, "--bogus")
            self.assertIn(name, run(name, "--version")[1])
            self.assertIn("--help", run(name, "--help")[1])
        for value in ("0", "65536", "abc", "-1", ""):
            self.failed(2, ["--port"], "kudos-leader", f"--port={value}")
            self.failed(2, ["--client-port"], "kudos-server", f"--client-port={value}")
        self.failed(2, ["insecure"], "kudos-leader", "--bind", "0.0.0.0", "--port", str(PORT + 60))
        self.failed(2, ["insecure"], "kudos-server", "--bind", "0.0.0.0", "--advertise", "127.0.0.1")
        self.failed(2, ["nonsense"], "kudos-server", "--leader", "nonsense")
        self.failed(2, ["ack-peers"], "kudos-server", "--ack-peers", "many")

    def test_nobody_there(self):
        nowhere = f"tcp://127.0.0.1:{PORT + 99}"
        self.failed(1, [str(PORT + 99)], "kudos", "--timeout", "1", "like", KUDOS_LEADER=nowhere)
        self.failed(1, [str(PORT + 99)], "kudos", "--timeout", "1", "--server", nowhere, "like")
        self.failed(1, [str(PORT + 99)], "kudos-load", "--timeout", "1", "--settle", "1s", "--count", "1", "--leader",
                    nowhere)

    def test_no_server(self):
        c = self.cluster(PORT + 50, servers=0)
        code, out, err = c.kudos("--timeout", "1", "like")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("no server", err)
        self.assertEqual(c.ok("--json", "status").count('"name"'), 0)

    def test_ports_in_use(self):
        c = self.cluster(PORT + 50, servers=1)
        client, notify = c.ports("s1")
        leader = c.port
        self.failed(1, [str(leader), "in use"], "kudos-leader", "--port", str(leader))
        self.failed(1, [str(client), "in use"], "kudos-server", "--client-port", str(client), "--memory-only")
        self.failed(1, [str(notify), "in use"], "kudos-server", "--client-port", str(PORT + 97), "--notify-port",
                    str(notify), "--memory-only")
        self.failed(1, ["lock"], "kudos-server", "--client-port", str(PORT + 96), "--notify-port", str(PORT + 97),
                    "--data", c.data("s1"))


if __name__ == "__main__":
    cluster.main(__name__)
