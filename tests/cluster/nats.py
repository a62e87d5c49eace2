# SPDX-License-Identifier: MIT
"""NATS servers of a test, and a client of NATS that shares nothing with ours: it speaks the text protocol itself."""
import base64
import json
import os
import shutil
import socket
import subprocess

import msgpack
import zstandard

from cluster import die_with_parent, wait_until


class Client:
    def __init__(self, port, user=None, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=5)
        self.file = self.socket.makefile("rb")
        self.file.readline()  # INFO …
        options = {"verbose": False, "lang": "python", "headers": True, "no_responders": True}
        if user:
            options.update(user=user[0], **{"pass": user[1]})
        self.send(f"CONNECT {json.dumps(options)}\r\nSUB _INBOX.t 1\r\n")

    def send(self, text):
        self.socket.sendall(text.encode())

    def close(self):
        self.file.close()
        self.socket.close()

    def request(self, subject, **fields):
        """The answer of JetStream's interface, an object."""
        body = json.dumps(fields) if fields else ""
        self.send(f"PUB {subject} _INBOX.t {len(body)}\r\n{body}\r\n")
        while True:
            line = self.file.readline().split()
            if not line:
                raise OSError("NATS ended the connection")
            if line[0] == b"PING":
                self.send("PONG\r\n")
            elif line[0] == b"-ERR":
                raise OSError(b" ".join(line).decode())
            elif line[0] in (b"MSG", b"HMSG"):
                payload = self.file.read(int(line[-1]) + 2)[:-2]
                return json.loads(payload[int(line[-2]) if line[0] == b"HMSG" else 0:] or "{}")


class Servers:
    """n0, n1, …; clients' ports from port on, routes ten above; each on a host of its own where there are hosts."""

    def __init__(self, test, port, count=3, config="", hosts=None):
        self.port, self.count, self.hosts = port, count, hosts
        self.folder = os.path.join(test.folder, "nats")
        os.makedirs(self.folder)
        self.processes = {}
        with open(os.path.join(self.folder, "config"), "w") as file:
            file.write(config)
        test.addCleanup(self.stop)
        self.start(*range(count))

    @staticmethod
    def program():
        return shutil.which("nats-server")

    def start(self, *numbers):
        for i in numbers:
            cluster = []
            if self.count > 1:
                routes = ",".join(f"nats://{self.address(k)}:{self.port + 10 + k}" for k in range(self.count))
                cluster = ["--cluster_name", "kudos", "--cluster", f"nats://{self.address(i)}:{self.port + 10 + i}", "--routes",
                           routes]
            with open(os.path.join(self.folder, f"n{i}.log"), "a") as log:
                self.processes[i] = subprocess.Popen(
                    [*(self.hosts.prefix(f"n{i}") if self.hosts else []), self.program(), "-c",
                     os.path.join(self.folder, "config"), "--name", f"n{i}", "--addr", self.address(i), "--port", str(self.port + i), "--jetstream", "--store_dir", os.path.join(self.folder, str(i)), *cluster],
                    stdout=log, stderr=log, preexec_fn=die_with_parent)
        for i in numbers:
            wait_until(lambda i=i: self.listens(i), f"n{i} listens")

    def address(self, i):
        return self.hosts.address(f"n{i}") if self.hosts else "127.0.0.1"

    def listens(self, i):
        if self.hosts:  # it is out of our reach
            with open(os.path.join(self.folder, f"n{i}.log")) as log:
                return "Server is ready" in log.read()
        try:
            socket.create_connection(("127.0.0.1", self.port + i), timeout=1).close()
            return True
        except OSError:
            return False

    def kill(self, *numbers):
        for i in numbers:
            self.processes[i].kill()
            self.processes[i].wait()

    def stop(self):
        self.kill(*self.processes)

    def url(self, stream="KUDOS", user=""):
        return "nats://" + ",".join(f"{user}{self.address(i)}:{self.port + i}" for i in range(self.count)) + "/" + stream

    def ask(self, subject, user=None, **fields):
        """JetStream, at whichever of them runs; again until it answers."""
        def answer():
            for i, process in self.processes.items():
                if process.poll() is not None:
                    continue
                try:
                    client = Client(self.port + i, user)
                    try:
                        got = client.request("$JS.API." + subject, **fields)
                    finally:
                        client.close()
                except OSError:
                    continue
                if got.get("error", {}).get("code") != 503 and got:
                    return [got]
            return None
        return wait_until(answer, f"NATS answers {subject}")[0]

    def leader(self, stream="KUDOS"):
        """The number of the server that leads the stream, once there is one."""
        def name():
            return self.ask(f"STREAM.INFO.{stream}").get("cluster", {}).get("leader")
        return int(wait_until(name, "the stream has a leader")[1:])

    def have_led(self, stream="KUDOS"):
        """The numbers of those that were elected, by their own word: also of those that are out of our reach."""
        def says(i):
            with open(os.path.join(self.folder, f"n{i}.log")) as log:
                return f"JetStream cluster new stream leader for '$G > {stream}'" in log.read()
        return {i for i in range(self.count) if says(i)}

    def records(self, stream="KUDOS"):
        """Every record of the stream, from the first on, and its headers."""
        last = self.ask(f"STREAM.INFO.{stream}")["state"]["last_seq"]
        for seq in range(1, last + 1):
            message = self.ask(f"STREAM.MSG.GET.{stream}", seq=seq).get("message")
            if not message:
                continue  # a full stream gives numbers to what it refuses
            if not message["subject"].startswith(f"{stream}.r."):
                continue  # STREAM.id
            body, headers = base64.b64decode(message["data"]), base64.b64decode(message["hdrs"]).decode()
            if "\r\nKudos-Encoding: zstd\r\n" in headers:
                body = zstandard.decompress(body)
            yield msgpack.unpackb(body), headers

    def runs(self, stream="KUDOS"):
        """node → {its run's origin: whether the last record of it ends it}."""
        runs = {}
        for record, headers in self.records(stream):
            node = headers.partition("Kudos-Node: ")[2].split("\r\n")[0]
            runs.setdefault(node, {})[record[1]] = "Kudos-End" in headers
        return runs

    def counts(self, stream="KUDOS"):
        """Every record, each batch once, as doc/stream.md says: key → count."""
        counts, seen = {}, set()
        for record, _ in self.records(stream):
            for issuer, number, batch, events in record[3]:
                if batch in (0, 2**64 - 1) or (issuer, number, batch) in seen:
                    continue  # a session's close, a lapse; or read before, in another server's record
                seen.add((issuer, number, batch))
                for key, n in zip(events[::2], events[1::2]):
                    counts[key] = counts.get(key, 0) + n
        return counts
