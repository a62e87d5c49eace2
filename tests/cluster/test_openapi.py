#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every answer that doc/openapi.yaml knows is provoked, by the requests in it (x-tries), and is as it says: status, kind, headers,
body. That each documented one is tried, and nothing is in the source that is not documented, tests/lint/openapi sees to."""
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import msgpack
import zmq

import cluster
import openapi
from cluster import ClusterTest, environment, program, wait_until
from test_gateway import Gateway

PORT = 27500
NOBODY, LONELY, STRANGE = PORT + 80, PORT + 81, PORT + 82
GATEWAYS = {"plain": PORT + 90, "tokens": PORT + 91, "rate": PORT + 92, "silent": PORT + 93, "away": PORT + 94,
            "alone": PORT + 95, "strange": PORT + 96}
TOKENS = {"read": "read-0123456789abc", "write": "write-0123456789abc", "operate": "operate-0123456789abc"}


class StrangeServer(threading.Thread):
    """Takes clients, and refuses all that they want."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind(f"tcp://127.0.0.1:{STRANGE}")
        self.start()

    def run(self):
        while True:
            sender, *frames = self.socket.recv_multipart()
            kind, *said = msgpack.unpackb(frames[-1])
            together = [msgpack.unpackb(message) for message in said[0]] if kind == "many" else [[kind, *said]]
            for one in together:
                self.socket.send_multipart([sender, *frames[:-1], msgpack.packb(self.answer(*one))])

    @staticmethod
    def answer(kind, *said):
        if kind == "hello":
            return ["welcome", 3, 9, 9, "strange", *((5, 1, 9, 9) if said[2] else (0, 0, 0, 0)), True]
        if kind == "batch":
            return ["refused", *said[2][:3], "protocol", "so"]
        if kind == "close":
            return ["refused", *said[:2], 0, "protocol", "so"]
        if kind == "ping":
            return ["pong", *said]
        return ["error", said[0], "system", "so"]


class OpenapiTest(ClusterTest):
    def setUp(self):
        self.c = self.common_cluster(PORT, servers=1)
        tokens = os.path.join(self.c.folder, "tokens")
        with open(tokens, "w", encoding="ascii") as file:
            file.writelines(f"{role} {token}\n" for role, token in TOKENS.items())
        os.chmod(tokens, 0o600)
        StrangeServer()
        leader = subprocess.Popen([program("kudos-leader"), "--port", str(LONELY)], stderr=subprocess.DEVNULL,
                                  env=environment(), preexec_fn=cluster.die_with_parent)
        self.addCleanup(leader.wait)
        self.addCleanup(leader.send_signal, signal.SIGKILL)
        nobody = ["--leader", f"tcp://127.0.0.1:{NOBODY}"]
        flags = {"plain": [], "tokens": ["--tokens", tokens], "rate": ["--rate", "1"],
                 "silent": [*nobody, "--timeout", "0.2"], "away": [*nobody, "--timeout", "20"],
                 "alone": ["--leader", f"tcp://127.0.0.1:{LONELY}"], "strange": ["--server", f"tcp://127.0.0.1:{STRANGE}"]}
        self.at = {name: Gateway(self.c, GATEWAYS[name], *given) for name, given in flags.items()}
        for g in self.at.values():
            self.addCleanup(g.log.close)
            self.addCleanup(g.process.wait)
            self.addCleanup(g.process.kill)
        self.names = self.make_names(self.at["plain"])

    def make_names(self, g):
        names = {name: g.ask("POST", "/v1/sessions").json["session"] for name in ("OPEN", "USED", "CLOSED")}
        issuer, number, signer, code = names["OPEN"].split(".")
        names["FORGED"] = f"{issuer}.{number}.{signer}.{int(code, 16) ^ 1:016x}"
        names["UNKNOWN"] = f"{issuer}.{number}.{'7' * 16}.{code}"
        for name in ("USED", "CLOSED"):
            answer = g.ask("PUT", f"/v1/sessions/{names[name]}/batches/1", {"key": "post:1"})
            self.assertEqual(answer.status, 200, answer.json)
        names["TOKEN"] = answer.json["token"]
        self.assertEqual(g.ask("DELETE", f"/v1/sessions/{names['CLOSED']}").status, 204)
        return names

    def request(self, path, attempt):
        """Path, body and headers."""
        for name, value in attempt.get("path", {}).items():
            path = path.replace("{%s}" % name, str(self.names.get(value, value)))
        query = "&".join([attempt.get("query", "")] * attempt.get("keys", 1))
        body = attempt.get("body")
        if "events" in attempt:
            body = {"events": [[body["key"], 1]] * attempt["events"]}
        text = (json.dumps(body) if body is not None else "") + " " * attempt.get("padding", 0)
        headers = {name: self.names.get(value, value) for name, value in attempt.get("headers", {}).items()}
        if "role" in attempt:
            headers["Authorization"] = "Bearer " + TOKENS[attempt["role"]]
        return path + "?" * bool(query) + query.replace("TOKEN", self.names["TOKEN"]), text or None, headers

    def ask(self, gateway, method, path, attempt):
        """The answer to one, in which the file has been found right."""
        path, body, headers = self.request(path, attempt)
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
        connection.request(method.upper(), path, body, headers)
        response = connection.getresponse()
        if response.headers["Content-Type"] == "text/event-stream":
            said = b"".join(response.readline() for _ in range(3))
            self.assertRegex(said, rb"^event: count\ndata: \{.*\}\n\n$")
            event = openapi.find(method, path.partition("?")[0])["responses"]["200"]["content"]["text/event-stream"]
            openapi.fits(event["x-event"], json.loads(said.splitlines()[1][6:]))
            text = b""
        else:
            text = response.read()
        connection.close()
        openapi.check(method, path, response, text)
        return response.status, json.loads(text)["code"] if response.status >= 400 else None

    def ask_at_once(self, gateway, method, path, attempt):
        """Many who wait; the first answer."""
        path, body, _ = self.request(path, attempt)
        text = f"{method.upper()} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body or '')}\r\n\r\n{body or ''}"
        waiting = []
        for _ in range(attempt["times"]):
            waiting.append(socket.create_connection(("127.0.0.1", gateway.port), 60))
            waiting[-1].sendall(text.encode())
        readable = select.poll()
        for s in waiting:
            readable.register(s, select.POLLIN)
        first = readable.poll(60000)[0][0]
        response = http.client.HTTPResponse({s.fileno(): s for s in waiting}[first], method=method.upper())
        response.begin()
        text = response.read()
        for s in waiting:
            s.close()
        openapi.check(method, path, response, text)
        return response.status, json.loads(text)["code"]

    def attempt(self, method, path, attempt):
        wanted = attempt["status"], attempt.get("code")
        gateway = self.at[attempt.get("at", "plain")]
        ask = self.ask_at_once if "times" in attempt else self.ask
        got = ask(gateway, method, path, attempt)
        if attempt["status"] == 429:  # the first of a second may pass
            got = got if got == wanted else wait_until(lambda: ask(gateway, method, path, attempt) == wanted and wanted, attempt)
        if got != wanted:
            return f"{method} {path} {attempt}: {got}"
        return None

    def test_every_answer(self):
        tries = [(method, path, attempt) for method, path, operation in openapi.operations()
                 for attempt in operation["x-tries"]]
        self.assertGreater(len(tries), 100)
        # What is counted goes one after the other; who waits for a refusal does not wait for another.
        alone = [one for one in tries if one[2]["status"] in (200, 201, 204, 409, 429) or "times" in one[2]]
        with ThreadPoolExecutor(16) as pool:
            rest = pool.map(lambda one: self.attempt(*one), [one for one in tries if one not in alone])
            faults = [self.attempt(*one) for one in alone] + list(rest)
        self.assertEqual([fault for fault in faults if fault], [])


if __name__ == "__main__":
    cluster.main("__main__")
