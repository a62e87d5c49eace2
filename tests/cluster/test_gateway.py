#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kudos-gateway over HTTP: likes, counts, live counts, what is wrong with a request, and a cluster that is away."""
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import cluster
import openapi
from cluster import ClusterTest, environment, program, wait_until

PORT = 25400
HTTP = PORT + 90
PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "kudos-gateway", "page")


class Gateway:
    def __init__(self, of, port=HTTP, *flags):
        self.port = port
        self.log = open(os.path.join(of.folder, f"gateway-{port}.log"), "a+", encoding="utf-8")
        self.process = subprocess.Popen(
            [program("kudos-gateway"), "--port", str(port), *flags], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, preexec_fn=cluster.die_with_parent,
            env=environment(KUDOS_LEADER=of.leader_endpoints()))
        wait_until(self.answers, "the gateway answers")

    def answers(self):
        assert self.process.poll() is None, f"the gateway has ended with {self.process.returncode}"
        try:
            return self.ask("GET", "/healthz").status == 200
        except OSError:
            return False

    def ask(self, method, path, body=None, **headers):
        """The response, with its JSON (None: it has no body). It must be one that doc/openapi.yaml knows."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read()
        openapi.check(method, path, response, text)
        response.json = json.loads(text) if text else None
        connection.close()
        return response

    def ended(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(cluster.DEADLINE)


class Stream:
    """Server-sent events, read by a thread: (key, count) each."""

    def __init__(self, gateway, query):
        self.connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
        self.connection.request("GET", "/v1/watch?" + query)
        self.socket = self.connection.sock  # which the response takes over: it has no length
        self.response = self.connection.getresponse()
        self.events = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            for line in self.response:
                if line.startswith(b"data: "):
                    event = json.loads(line[6:])
                    self.events.append((event["key"], event["count"]))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # closed

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the gateway has
        self.thread.join()
        self.response.close()


def connections_to(pid, ports):
    """The process's established TCP connections to those ports of 127.0.0.1."""
    own = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            own.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return [row for row in rows if row[3] == "01" and int(row[2].split(":")[1], 16) in ports
            and f"socket:[{row[9]}]" in own]


class GatewayTest(ClusterTest):
    def setUp(self):
        self.cluster_ = self.common_cluster(PORT)

    def gateway(self, *arguments):
        gateway = Gateway(self.cluster_, *arguments)
        self.addCleanup(gateway.log.close)
        self.addCleanup(gateway.process.wait)
        self.addCleanup(gateway.process.kill)
        return gateway

    def test_likes_and_counts(self):
        g = self.gateway()
        one = g.ask("POST", "/v1/likes", {"key": "web:1", "n": 5})
        self.assertEqual((one.status, one.json["counts"]), (200, {"web:1": 5}))
        many = g.ask("POST", "/v1/likes", {"events": [["web:1", -1], ["café", 2], ['q"\\', 3], ["web:1", 1]]})
        self.assertEqual(many.json["counts"], {"web:1": 5, "café": 2, 'q"\\': 3})
        none = g.ask("POST", "/v1/likes", {"key": "web:1"}, Prefer="return=minimal")
        self.assertEqual((none.status, none.json), (204, None))
        self.assertRegex(none.headers["Kudos-Token"], r"^[0-9a-f]{16}\.[0-9]+")
        self.assertEqual(g.ask("GET", "/v1/counts/web:1").json, {"key": "web:1", "count": 6})
        self.assertEqual(g.ask("GET", "/v1/counts/caf%C3%A9").json["count"], 2)
        self.assertEqual(g.ask("GET", "/v1/counts?key=web:1&key=none").json, {"counts": {"web:1": 6, "none": 0}})
        self.cluster_.await_count("web:1", 6)

    def test_nobody_waits_for_the_next_to_come(self):
        g = self.gateway()
        took = []
        for _ in range(5):
            began = time.monotonic()
            self.assertEqual(g.ask("POST", "/v1/likes", {"key": "alone"}).status, 200)
            took.append(time.monotonic() - began)
        self.assertLess(min(took), 0.5, "a second is the loop's longest wait")

    def test_a_token_shows_what_another_gateway_was_told(self):
        a, b = self.gateway(HTTP), self.gateway(HTTP + 1)
        for i in range(1, 51):
            token = a.ask("POST", "/v1/likes", {"key": "token"}, Prefer="return=minimal").headers["Kudos-Token"]
            self.assertEqual(b.ask("GET", "/v1/counts/token?token=" + token).json["count"], i)
            self.assertEqual(b.ask("GET", "/v1/counts?key=token", Kudos_Token=token).json["counts"]["token"], i)
        far = b.ask("GET", "/v1/counts/token?token=000000000000004d.1")
        self.assertEqual((far.status, far.json["code"]), (503, "behind"))

    def test_what_is_wrong_is_said(self):
        g = self.gateway()
        many = {"events": [["k", 1]] * 1025}
        for method, path, body, status, code in (
                ("POST", "/v1/likes", "{", 400, "bad-request"),
                ("POST", "/v1/likes", None, 400, "bad-request"),
                ("POST", "/v1/likes", [], 400, "bad-request"),
                ("POST", "/v1/likes", {}, 400, "bad-request"),
                ("POST", "/v1/likes", {"events": []}, 400, "bad-request"),
                ("POST", "/v1/likes", {"events": [["k", "1"]]}, 400, "bad-request"),
                ("POST", "/v1/likes", {"key": "k", "n": 0}, 422, "bad-amount"),
                ("POST", "/v1/likes", {"key": "k", "n": 1000001}, 422, "bad-amount"),
                ("POST", "/v1/likes", {"key": "a b"}, 422, "bad-key"),
                ("POST", "/v1/likes", {"key": "a" * 129}, 422, "bad-key"),
                ("POST", "/v1/likes", many, 413, "too-large"),
                ("POST", "/v1/likes", "x" * 70000, 413, "too-large"),
                ("POST", "/v1/sessions", "x", 400, "bad-request"),
                ("POST", "/v1/sessions", {"lifetime": "1"}, 400, "bad-request"),
                ("POST", "/v1/sessions", {"lifetime": 604801}, 413, "limit"),
                ("GET", "/v1/counts", None, 400, "bad-request"),
                ("GET", "/v1/counts?key=", None, 422, "bad-key"),
                ("GET", "/v1/counts/a%20b", None, 422, "bad-key"),
                ("GET", "/v1/counts/a?token=x", None, 400, "bad-token"),
                ("GET", "/v1/top?n=0", None, 400, "bad-request"),
                ("GET", "/v1/top?n=101", None, 400, "bad-request"),
                ("GET", "/v1/top?n=2x", None, 400, "bad-request"),
                ("GET", "/v1/watch", None, 400, "bad-request"),
                ("GET", "/v1/watch?key=a%20b", None, 422, "bad-key"),
                ("GET", "/v1/watch?" + "&".join(f"key={i}" for i in range(101)), None, 413, "limit"),
                ("GET", "/nothing", None, 404, "no-path"),
                ("DELETE", "/v1/likes", None, 405, "method")):
            with self.subTest(method=method, path=path[:40], body=str(body)[:40]):
                answer = g.ask(method, path, body)
                self.assertEqual((answer.status, answer.json["code"]), (status, code), answer.json)
                self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
                self.assertEqual(answer.json["status"], status)
        self.assertEqual(g.ask("GET", "/v1/counts/k").json["count"], 0)

    def test_watching(self):
        g = self.gateway()
        ports = {port for name in self.cluster_.servers for port in self.cluster_.ports(name)}
        g.ask("POST", "/v1/likes", {"key": "else"})
        streams = []
        for i in range(20):
            streams.append(stream := Stream(g, "key=seen&key=other"))
            self.addCleanup(stream.close)
            wait_until(lambda s=stream: len(s.events) >= 2, "the first counts")
            connections = i and connections or len(connections_to(g.process.pid, ports))
        for _ in range(10):
            g.ask("POST", "/v1/likes", {"key": "seen", "n": 2})
        for stream in streams:
            wait_until(lambda s=stream: s.events[-1] == ("seen", 20), lambda s=stream: s.events)
            counts = [count for key, count in stream.events if key == "seen"]
            self.assertEqual(counts, sorted(set(counts)), "never backwards, and nothing twice")
        self.assertEqual(len(connections_to(g.process.pid, ports)), connections, "one watcher, however many read")

    def test_sessions_that_the_caller_keeps(self):
        a, b = self.gateway(HTTP), self.gateway(HTTP + 1)
        opened = a.ask("POST", "/v1/sessions", {"lifetime": 86400})
        self.assertEqual(opened.status, 201)
        path = "/v1/sessions/" + opened.json["session"]
        body = {"events": [["kept", 2], ["kept:2", 1]]}
        for number in range(1, 41):
            for gateway in (a, b, a):
                answer = gateway.ask("PUT", f"{path}/batches/{number}", body)
                self.assertEqual(answer.status, 200, answer.json)
                seen = (b if gateway is a else a).ask("GET", "/v1/counts/kept?token=" + answer.json["token"])
                self.assertEqual(seen.json["count"], 2 * number)
        other = b.ask("PUT", path + "/batches/40", {"events": [["kept", 3]]})
        self.assertEqual((other.status, other.json["code"]), (409, "conflict"))
        self.cluster_.await_count("kept", 80)
        asked = b.ask("GET", path + "/batches/40")
        self.assertEqual(asked.status, 200, asked.json)
        self.assertEqual(a.ask("GET", "/v1/counts/kept?token=" + asked.json["token"]).json["count"], 80)
        never = a.ask("GET", path + "/batches/41")
        self.assertEqual((never.status, never.json["code"]), (404, "not-counted"))
        self.assertEqual(b.ask("DELETE", path).status, 204)
        self.assertEqual(a.ask("DELETE", path).status, 204)
        late = a.ask("PUT", path + "/batches/41", body)
        self.assertEqual((late.status, late.json["code"]), (410, "expired"))
        never = a.ask("GET", path + "/batches/41")
        self.assertEqual((never.status, never.json["code"]), (410, "expired"))
        self.cluster_.await_count("kept", 80)

    def test_two_contents_at_once(self):
        """And a forger: each is told what became of his own."""
        g = self.gateway()
        name = g.ask("POST", "/v1/sessions").json["session"]
        forged = name[:-1] + ("0" if name[-1] != "0" else "1")
        with ThreadPoolExecutor(16) as pool:
            for number in range(1, 21):
                def put(session, n, path=f"/v1/sessions/%s/batches/{number}"):
                    return pool.submit(g.ask, "PUT", path % session, {"key": "at-once", "n": n})
                own = [put(name, n) for n in (1, 2, 1, 2)]
                others = [put(forged, 1) for _ in range(4)]
                told = [future.result().status for future in own]
                self.assertIn(told, ([200, 409, 200, 409], [409, 200, 409, 200]), number)
                self.assertEqual({future.result().status for future in others}, {404})

    def test_names_that_nobody_gave(self):
        g = self.gateway()
        name = g.ask("POST", "/v1/sessions").json["session"]
        issuer, number, signer, code = name.split(".")
        body = {"key": "forged"}
        forged = [(f"{issuer}.{int(number) + 1}.{signer}.{code}", 404, "not-issued"),
                  (f"{issuer}.{number}.{signer}.{int(code, 16) ^ 1:016x}", 404, "not-issued"),
                  (f"{issuer}.{number}.{'7' * 16}.{code}", 503, "unknown-session"),
                  ("x", 400, "bad-session")]
        for made_up, status, problem in forged:
            answer = g.ask("PUT", f"/v1/sessions/{made_up}/batches/1", body)
            self.assertEqual((answer.status, answer.json["code"]), (status, problem), made_up)
        for path in (f"/v1/sessions/{name}", f"/v1/sessions/{name}/batches/", f"/v1/sessions/{name}/batches/0",
                     f"/v1/sessions/{name}/batches/1x", f"/v1/sessions/{name}/batches/18446744073709551616"):
            self.assertEqual(g.ask("PUT", path, body).status, 404, path)
        self.assertEqual(g.ask("PUT", f"/v1/sessions/{name}/batches/18446744073709551615", body).status, 400)
        self.assertEqual(g.ask("GET", "/v1/counts/forged").json["count"], 0)

    def test_top(self):
        g = self.gateway()
        events = [[f"top:{i}", 1000 + i] for i in range(300)]
        self.assertEqual(g.ask("POST", "/v1/likes", {"events": events}).status, 200)
        best = [[f"top:{i}", 1000 + i] for i in range(299, 279, -1)]
        self.assertEqual(g.ask("GET", "/v1/top").json, {"top": best})
        self.assertEqual(g.ask("GET", "/v1/top?n=3").json, {"top": best[:3]})
        g.ask("POST", "/v1/likes", {"events": [["top:299", -50], ["top:0", 5000]]})
        self.assertEqual(g.ask("GET", "/v1/top?n=2").json, {"top": [["top:0", 6000], ["top:298", 1298]]})
        told = [line.split() for line in self.cluster_.ok("top", "2").splitlines()]
        self.assertEqual(told, [["top:0", "6000"], ["top:298", "1298"]])

    def test_status_and_readiness(self):
        g = self.gateway()
        ready = g.ask("GET", "/readyz")
        self.assertEqual((ready.status, ready.json), (200, {"ready": True}))
        status = g.ask("GET", "/v1/status").json
        self.assertEqual([row["name"] for row in status["servers"]], ["s1", "s2", "s3"])
        self.assertEqual(status["servers"][0].keys(), self.cluster_.status()["servers"][0].keys())

    def test_the_page_and_what_it_loads(self):
        g = self.gateway()
        with urllib.request.urlopen(f"http://127.0.0.1:{g.port}/") as answer:
            page = answer.read().decode()
        self.assertNotRegex(page, r"(?:src|href)=\"?(?:https?:)?//|style=|<script>", "all is its own, and nothing inline")
        for path, kind in (("", "text/html"), ("page.css", "text/css"), ("page.js", "text/javascript"),
                           ("outbox.js", "text/javascript"), ("gateway.js", "text/javascript")):
            with urllib.request.urlopen(f"http://127.0.0.1:{g.port}/{path}") as answer:
                headers, body = answer.headers, answer.read()
            self.assertEqual(headers["Content-Type"], kind + "; charset=utf-8")
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
            self.assertNotIn("unsafe", headers["Content-Security-Policy"])
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            with open(os.path.join(PAGE, path or "page.html"), "rb") as file:
                self.assertEqual(body, file.read())

    def test_a_taken_port_is_told(self):
        self.gateway()
        code, _, err = cluster.run("kudos-gateway", "--port", str(HTTP))
        self.assertEqual(code, 1)
        self.assertIn(f"127.0.0.1:{HTTP}", err)

    def test_wrong_flags(self):
        for flags in (["--port", "0"], ["--port", "x"], ["--timeout", "0"], ["--bind", "nowhere"],
                      ["--bind", "0.0.0.0"], ["--nonsense"], ["--origin", "https://a.example", "--origin", "https://b.example"],
                      ["--proxy", "10.0.0.1", "--proxy", "10.0.0.2"]):
            code, _, err = cluster.run("kudos-gateway", *flags)
            self.assertEqual(code, 2, err)
            self.assertIn(flags[0], err)


class AwayTest(ClusterTest):
    """Of its own, since it kills."""

    def test_a_cluster_that_comes_and_goes(self):
        c = self.cluster(PORT + 40)
        g = Gateway(c, HTTP + 2, "--timeout", "2")
        self.addCleanup(g.log.close)
        self.addCleanup(g.process.wait)
        self.addCleanup(g.process.kill)
        self.assertEqual(g.ask("POST", "/v1/likes", {"key": "k"}).status, 200)
        c.kill("s1", "s2", "s3")
        late = g.ask("POST", "/v1/likes", {"key": "k"})
        self.assertEqual((late.status, late.json["code"]), (504, "timeout"))
        self.assertNotEqual(g.ask("GET", "/readyz").status, 200)
        self.assertEqual(g.ask("GET", "/healthz").status, 200)
        c.start("s1", "s2", "s3")
        wait_until(lambda: g.ask("GET", "/readyz").status == 200, "the gateway finds the cluster again")
        c.kill("s1")
        session = g.ask("POST", "/v1/sessions").json["session"]
        for number in range(1, 4):  # through whichever server is left, and the next
            answer = wait_until(lambda n=number: [g.ask("PUT", f"/v1/sessions/{session}/batches/{n}", {"key": "moved"})],
                                "an answer")[0]
            self.assertEqual(answer.status, 200, answer.json)
        c.start("s1")
        c.await_count("moved", 3)
        # The like that was not answered was kept and retried: it is there, once.
        wait_until(lambda: g.ask("POST", "/v1/likes", {"key": "other"}).status == 200, "likes are taken")
        self.assertEqual(g.ask("GET", "/v1/counts/k").json["count"], 2)
        self.assertEqual(g.ended(), 0)


if __name__ == "__main__":
    cluster.main("__main__")
