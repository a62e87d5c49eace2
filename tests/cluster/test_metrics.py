#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""/metrics of kudos-gateway, and what is made for Prometheus and Grafana out of it (tools/monitoring)."""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import unittest

import cluster
from client import Client, want_checkpoint
from cluster import ClusterTest, wait_until
from test_gateway import Gateway, Stream

PORT = 27300
HTTP = PORT + 90
MONITORING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/monitoring")
PROMTOOL = shutil.which("promtool")
SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)$')


def samples(text):
    """{(name, ((label, value), …)): value}"""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        key = name, tuple(re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"', labels or ""))
        assert key not in found, line
        found[key] = float(value)
    return found


def promtool(*arguments, stdin=None):
    done = subprocess.run([PROMTOOL, *arguments], input=stdin, text=True, capture_output=True, cwd=MONITORING)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr


class Failing(cluster.Cluster):
    """One whose s2 cannot write checkpoints."""

    def prefix(self, name):
        if name != "s2":
            return []
        library = os.path.join(os.path.abspath(cluster.BINDIR), "tests", "cluster", "libfailpoint.so")
        return ["env", f"LD_PRELOAD={library}", "KUDOS_FAILPOINT=fail-checkpoint:2"]


class MetricsTest(ClusterTest):
    def gateway(self, of, *flags):
        gateway = Gateway(of, HTTP, *flags)
        self.addCleanup(gateway.log.close)
        self.addCleanup(gateway.process.wait)
        self.addCleanup(gateway.process.kill)
        return gateway

    def scrape(self, gateway):
        status, text = self.scrape_text(gateway)
        self.assertEqual(status, 200)
        return samples(text)

    @staticmethod
    def scrape_text(gateway):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text

    def test_what_is_told(self):
        c = self.common_cluster(PORT, servers=2)
        g = self.gateway(c)
        for _ in range(3):
            self.assertEqual(g.ask("POST", "/v1/likes", {"events": [["m", 5], ["n", -2]]}).status, 200)
        self.assertEqual(g.ask("POST", "/v1/likes", {"key": "a b"}).status, 422)
        g.ask("GET", "/no-such-path")
        stream = Stream(g, "key=m&key=n")
        self.addCleanup(stream.close)
        wait_until(lambda: len(stream.events) == 2, "it watches")
        c.await_count("m", 15)
        for name in ("s1", "s2"):  # a heartbeat later
            wait_until(lambda of=self.labels(c, name): self.scrape(g).get(("kudos_server_likes", of)) == 9, "it is told")
        told = self.scrape(g)
        requests = {labels: n for (name, labels), n in told.items() if name == "kudos_gateway_requests_total"}
        self.assertEqual(requests[("method", "POST"), ("route", "/v1/likes"), ("code", "200")], 3)
        self.assertEqual(requests[("method", "POST"), ("route", "/v1/likes"), ("code", "422")], 1)
        self.assertEqual(requests[("method", ""), ("route", ""), ("code", "404")], 1)
        likes = ("method", "POST"), ("route", "/v1/likes")
        buckets = [n for (name, labels), n in told.items()
                   if name == "kudos_gateway_request_duration_seconds_bucket" and labels[:2] == likes]
        self.assertEqual((buckets, buckets[-1]), (sorted(buckets), 4))
        self.assertEqual(told["kudos_gateway_request_duration_seconds_count", likes], 4)
        self.assertGreater(told["kudos_gateway_request_duration_seconds_sum", likes], 0)
        self.assertEqual(told["kudos_gateway_likes_total", (("result", "acknowledged"),)], 6)
        for name, value in (("kudos_gateway_streams", 1), ("kudos_gateway_watched_keys", 2), ("kudos_cluster_members", 2),
                            ("kudos_cluster_reachable", 1)):
            self.assertEqual(told[name, ()], value, name)
        self.assertGreater(told["process_resident_memory_bytes", ()], 1 << 20)
        for name in ("s1", "s2"):
            row, labels = c.row(name), self.labels(c, name)
            self.assertEqual(told["kudos_server_state", labels + (("state", "up"),)], 1)
            self.assertEqual(told["kudos_server_state", labels + (("state", "down"),)], 0)
            self.assertEqual(told["kudos_server_likes", labels], 9)
            self.assertEqual(told["kudos_server_keys", labels], row["keys"])
        self.names_are_told({name for name, _ in told})

    @staticmethod
    def labels(c, name):
        return ("server", name), ("node", c.row(name)["node"])

    def names_are_told(self, told):
        """What the dashboard and the rules ask for is there."""
        with open(os.path.join(MONITORING, "kudos.dashboard.json"), encoding="utf-8") as file:
            asked = [target["expr"] for panel in json.load(file)["panels"] for target in panel["targets"]]
        with open(os.path.join(MONITORING, "kudos.rules.yml"), encoding="utf-8") as file:
            asked += re.findall(r"expr: (.*)", file.read())
        names = {name for expression in asked for name in re.findall(r"\b(?:kudos|process)_\w+", expression)}
        self.assertGreater(len(names), 10)
        self.assertLessEqual(names, told)

    @unittest.skipUnless(PROMTOOL, "promtool (Debian's prometheus) is not installed")
    def test_prometheus_has_nothing_to_say_against_it(self):
        g = self.gateway(self.common_cluster(PORT, servers=2))
        g.ask("POST", "/v1/likes", {"key": ""})
        promtool("check", "metrics", stdin=self.scrape_text(g)[1])

    @unittest.skipUnless(PROMTOOL, "promtool (Debian's prometheus) is not installed")
    def test_rules(self):
        promtool("check", "rules", "kudos.rules.yml")
        promtool("test", "rules", "kudos.rules.test.yml")

    def test_a_cluster_that_is_away(self):
        c = self.cluster(PORT + 50, servers=1)
        g = self.gateway(c, "--timeout", "1")
        self.assertEqual(self.scrape(g)["kudos_cluster_reachable", ()], 1)
        labels = self.labels(c, "s1")
        c.kill("leader")
        told = self.scrape(g)
        self.assertEqual((told["kudos_cluster_reachable", ()], told["kudos_server_keys", labels]), (0, 0))
        self.assertEqual([n for (name, _), n in told.items() if name == "kudos_leader_reachable"], [0])
        c.kill("s1")
        told = self.scrape(g)
        self.assertEqual(told["kudos_cluster_reachable", ()], 0)
        self.assertEqual({(name, n) for (name, _), n in told.items() if name.startswith(("kudos_server_", "kudos_leader_"))},
                         {("kudos_server_reachable", 0), ("kudos_leader_reachable", 0)})
        self.assertIn(("kudos_gateway_connections", ()), told)

    def test_each_moves_when_the_thing_happens(self):
        c = Failing(PORT + 70, servers=2)
        self.addCleanup(self.leave, c)
        g = self.gateway(c)
        of = {name: self.labels(c, name) for name in ("s1", "s2")}
        client = Client(c.leader_endpoints().split(","))
        client.servers.sort(key=lambda row: row[1])

        def moves(act, name, labels, by=1):
            """… by so much, once that was done; other servers' do not."""
            before = {server: self.scrape(g).get(("kudos_server_" + name, of[server] + labels), 0) for server in of}
            act()
            wait_until(lambda: self.scrape(g).get(("kudos_server_" + name, of["s1"] + labels), 0) == before["s1"] + by,
                       f"{name}{labels} of s1 is {by} more than {before}")
            if name not in ("events_total", "batches_total"):
                self.assertEqual(self.scrape(g).get(("kudos_server_" + name, of["s2"] + labels), 0), before["s2"], name)

        moves(lambda: client.like(("moves", 3), seq=1), "events_total", ())
        moves(lambda: client.like(("moves", 3), seq=1), "duplicates_total", (("from", "client"),))
        moves(lambda: client.like(("moves", 4), seq=1), "refused_total", (("code", "conflict"),))
        moves(lambda: client.like(("moves", 5), seq=2), "batches_total", ())
        moves(lambda: client.server.ask(["nonsense"], "error"), "malformed_total", ())
        moves(lambda: client.server.ask(["nonsense"], "error"), "errors_total", (("code", "protocol"),))
        moves(lambda: client.count("moves"), "messages_total", (("type", "count"),))
        moves(lambda: want_checkpoint(c.endpoint("s1")), "checkpoints_total", (("result", "done"),))
        self.assertGreater(self.scrape(g)["kudos_server_checkpoint_duration_seconds", of["s1"]], 0)
        want_checkpoint(c.endpoint("s2"))
        failed = "kudos_server_checkpoints_total", of["s2"] + (("result", "failed"),)
        wait_until(lambda: self.scrape(g)[failed] >= 1, "a checkpoint has failed")
        self.assertEqual(self.scrape(g)["kudos_server_checkpoints_total", of["s2"] + (("result", "done"),)], 0)

        lag = "kudos_server_peer_lag_records", of["s1"] + (("peer", "s2"),)
        wait_until(lambda: self.scrape(g)[lag] == 0, "s2 has everything")
        c.signal(signal.SIGSTOP, "s2")
        self.addCleanup(c.signal, signal.SIGCONT, "s2")
        for seq in range(3, 8):
            client.like(("moves", 1), seq=seq)
        told = self.scrape(g)
        self.assertEqual((told[lag], told["kudos_server_reachable", of["s1"]]), (5, 1))
        self.assertEqual(told["kudos_server_reachable", of["s2"]], 0)
        silence = "kudos_server_peer_silence_seconds", lag[1]
        self.assertGreater(self.scrape(g)[silence], told[silence])
        c.signal(signal.SIGCONT, "s2")
        wait_until(lambda: self.scrape(g)[lag] == 0, "s2 catches up")
        self.assertEqual(self.scrape(g)["kudos_server_reachable", of["s2"]], 1)


if __name__ == "__main__":
    cluster.main("__main__")
