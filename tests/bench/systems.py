# SPDX-License-Identifier: MIT
"""The systems that are measured, each started afresh on ports of its own and ended whatever happens.

Everything a system keeps lies in a folder below `Bench.folder`, on a real disk: what is durable in memory would
win every comparison.
"""

import contextlib
import csv
import glob
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

LEADER_PORT = 15000
SERVER_PORT = 15010  # and the next ones, two a server
REDIS_PORT = 15100
NATS_PORT = 15200
NATS_ROUTE_PORT = 15220
BARE_PORT = 15300
START_SECONDS = 30
MEMORY, MEMORY_BYTES = "/dev/shm", 4 << 30


class Missing(Exception):
    """Something that a row needs is not installed."""


class Failed(Exception):
    """A program did not do what it was started for."""


def pause(seconds):
    threading.Event().wait(seconds)


def wait_until(condition, what, seconds=START_SECONDS):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        pause(0.005)


def cpu_seconds(pid):
    """What all threads of the process have used, to the nanosecond (stat counts in hundredths of a second)."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def resident_bytes(pid, what="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024
    raise Failed(f"process {pid} has no {what}")


def written_bytes(pid):
    """What the process has had written to a disk."""
    with open(f"/proc/{pid}/io", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("write_bytes:"))


class Bench:
    """Where the programs are, where to put files, and every process that was started."""

    def __init__(self, build, work):
        self.build = build
        self.folder = tempfile.mkdtemp(prefix="kudos-bench-", dir=work)
        self.in_memory = None
        self.running = []

    def memory_folder(self):
        """A folder whose files are in memory, for what is to be seen without the disk."""
        if not self.in_memory:
            if not os.path.ismount(MEMORY) or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
                raise Missing(f"{MEMORY} is no file system in memory with {MEMORY_BYTES >> 30} GiB free")
            self.in_memory = tempfile.mkdtemp(prefix="kudos-bench-", dir=MEMORY)
        return self.in_memory

    def program(self, name):
        for path in (f"{self.build}/{name}", f"{self.build}/tests/bench/{name}"):
            if os.access(path, os.X_OK) and not os.path.isdir(path):
                return path
        path = shutil.which(name)
        if not path:
            raise Missing(f"{name} is not installed")
        return path

    def start(self, name, *args, log):
        """A process in the background, that cannot outlive this one."""
        with open(log, "ab") as output:
            command = ["setpriv", "--pdeathsig", "KILL", self.program(name), *map(str, args)]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.running.append(process)
        return process

    def stop(self, process, kill=False):
        (process.kill if kill else process.terminate)()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.running.remove(process)

    def close(self):
        for process in list(self.running):
            self.stop(process, kill=True)
        for folder in filter(None, (self.folder, self.in_memory)):
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, name, *args):
        """Runs a probe to its end: what it printed as JSON."""
        command = ["setpriv", "--pdeathsig", "KILL", self.program(name), *map(str, args)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{name}: status {done.returncode}: {done.stderr.strip()[-300:] or done.stdout[-300:]}")
        return json.loads(done.stdout)

    def sub_folder(self, name, in_memory=False):
        path = f"{self.memory_folder() if in_memory else self.folder}/{name}"
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path


class System:
    """What Kudos, Redis and NATS have in common: several processes, ended together."""

    def __init__(self, bench, name, in_memory=False):
        self.bench = bench
        self.folder = bench.sub_folder(name, in_memory)
        self.processes = {}

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def begin(self):
        raise NotImplementedError

    def end(self):
        for name in reversed(list(self.processes)):
            self.stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, program, *args):
        self.processes[name] = self.bench.start(program, *args, log=f"{self.folder}/{name}.log")
        return self.processes[name]

    def stop(self, name, kill=False):
        self.bench.stop(self.processes.pop(name), kill)

    def cpu(self):
        return sum(cpu_seconds(process.pid) for process in self.processes.values())


class Kudos(System):
    """A leader and servers s1, s2, …, durable before they acknowledge."""

    leader = f"tcp://127.0.0.1:{LEADER_PORT}"

    def __init__(self, bench, servers=3, in_memory=False):
        super().__init__(bench, "kudos", in_memory)
        self.names = [f"s{i + 1}" for i in range(servers)]

    def endpoint(self, name):
        return f"tcp://127.0.0.1:{SERVER_PORT + 2 * self.names.index(name)}"

    def endpoints(self):
        return [self.endpoint(name) for name in self.names]

    def begin(self):
        self.start("leader", "kudos-leader", "--port", LEADER_PORT)
        for name in self.names:
            self.start_server(name)
        self.wait_serving()
        wait_until(self.leader_knows, "the leader knows all servers")

    def leader_knows(self):
        try:
            status = self.bench.run("kudos", "--leader", self.leader, "--json", "status")
        except Failed:
            return False
        return sum(server["state"] == "up" for server in status["servers"]) == len(self.names)

    def start_server(self, name):
        port = SERVER_PORT + 2 * self.names.index(name)
        self.start(name, "kudos-server", "--leader", self.leader, "--name", name, "--client-port", port,
                   "--notify-port", port + 1, "--data", f"{self.folder}/{name}")

    def wait_serving(self, *names, seconds=START_SECONDS):
        """Until all of them take likes and have nothing left to apply that they know of."""
        self.bench.run("serving", seconds, *[self.endpoint(name) for name in names or self.names])

    def load(self, *args):
        """kudos-load with its check that every server holds what was acknowledged."""
        report = self.bench.run("kudos-load", "--leader", self.leader, "--json", "--settle", "60s", *args)
        if not report["ok"]:
            raise Failed(f"kudos-load: {report['check']}")
        return report

    def likes(self, order, keys, count, clients=16):
        return self.bench.run("likes", order, self.leader, clients, keys, count)

    def commits(self, name):
        """{"commits": how many the server made since its start, "bytes": what it wrote to its journal in them}"""
        return self.bench.run("commits", self.endpoint(name))

    def server_pids(self):
        return [self.processes[name].pid for name in self.names]

    def checkpoints(self):
        """When each server last wrote its checkpoint."""
        return [os.stat(path).st_mtime_ns
                for name in self.names
                for path in sorted(glob.glob(f"{self.folder}/{name}/checkpoint.mdb"))]

    def wait_settled(self, seconds=2):
        """Until no checkpoint has been written for a while."""
        last, since = self.checkpoints(), time.monotonic()

        def settled():
            nonlocal last, since
            now = self.checkpoints()
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since > seconds

        wait_until(settled, "checkpoints", 120)


class Redis(System):
    """A Redis server and its replicas."""

    def __init__(self, bench, replicas=2, durable=True):
        super().__init__(bench, "redis")
        self.replicas = replicas
        self.durable = durable

    def begin(self):
        for i in range(self.replicas + 1):
            self.start_one(i)
        wait_until(lambda: self.info("replication").get("connected_slaves") == str(self.replicas)
                   and self.lag() == 0, "Redis replicas")

    def start_one(self, i):
        folder = f"{self.folder}/{i}"
        os.makedirs(folder, exist_ok=True)
        durable = ("--appendonly", "yes", "--appendfsync", "always") if self.durable else ("--appendonly", "no")
        replica = ("--replicaof", "127.0.0.1", REDIS_PORT) if i else ()
        self.start(f"redis{i}", "redis-server", "--port", REDIS_PORT + i, "--bind", "127.0.0.1", "--dir", folder,
                   "--save", "", "--repl-diskless-sync-delay", 0, *durable, *replica)
        self.wait_loaded(i)

    def wait_loaded(self, i):
        wait_until(lambda: self.ask("PING", i).startswith("+PONG"), "Redis", 300)

    def ask(self, command, i=0):
        """One command that has a short answer; "" when nobody answers."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", REDIS_PORT + i), 600) as s:
            s.sendall(command.encode() + b"\r\n")
            answer = s.recv(65536)
            if answer[:1] == b"$":
                size = int(answer[1:answer.index(b"\r\n")])
                while len(answer) < size:
                    answer += s.recv(65536)
            return answer.decode()
        return ""

    def info(self, section):
        lines = self.ask(f"INFO {section}").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def lag(self):
        """How many bytes the replicas are behind. They tell once a second, so each is asked itself."""
        offset = int(self.info("replication")["master_repl_offset"])
        behind = 0
        for i in range(1, self.replicas + 1):
            for line in self.ask("INFO replication", i).splitlines():
                if line.startswith("slave_repl_offset:"):
                    behind = max(behind, offset - int(line.split(":")[1]))
        return behind

    def increments(self, clients, pipeline, keys, count):
        """INCR of drawn keys, until the replicas have all of them: how many a second."""
        start = time.monotonic()
        self.benchmark(clients, pipeline, keys, count)
        wait_until(lambda: self.lag() <= 0, "Redis replicas", 120)
        return count / (time.monotonic() - start)

    def benchmark(self, clients, pipeline, keys, count):
        """(INCR a second, p50 and p99 in ms), as redis-benchmark tells them."""
        command = [self.bench.program("redis-benchmark"), "-p", str(REDIS_PORT), "-c", str(clients), "-P",
                   str(pipeline), "-r", str(keys), "-n", str(count), "--csv", "INCR", "like:__rand_int__"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        row = list(csv.DictReader(line for line in done.stdout.splitlines() if line.startswith('"')))[0]
        return float(row["rps"]), float(row["p50_latency_ms"]), float(row["p99_latency_ms"])

    def fill(self, keys):
        """INCR of each key, once."""
        feed = subprocess.Popen([self.bench.program("redis-cli"), "-p", str(REDIS_PORT), "--pipe"],
                                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for first in range(0, keys, 10000):
            feed.stdin.write(b"".join(b"INCR likes:%011d\r\n" % i for i in range(first, min(first + 10000, keys))))
        feed.stdin.close()
        if feed.wait() != 0:
            raise Failed("redis-cli --pipe failed")


class Nats(System):
    """Three NATS servers with JetStream, in files."""

    ports = [NATS_PORT + i for i in range(3)]

    def __init__(self, bench):
        super().__init__(bench, "nats")

    def begin(self):
        routes = ", ".join(f'"nats://127.0.0.1:{NATS_ROUTE_PORT + i}"' for i in range(3))
        for i, port in enumerate(self.ports):
            with open(f"{self.folder}/{i}.conf", "w", encoding="ascii") as file:
                file.write(f'listen: "127.0.0.1:{port}"\nserver_name: n{i}\n'
                           f'jetstream {{ store_dir: "{self.folder}/{i}" }}\n'
                           f'cluster {{ name: bench, listen: "127.0.0.1:{NATS_ROUTE_PORT + i}", '
                           f"routes: [{routes}] }}\n")
            self.start(f"nats{i}", "nats-server", "-c", f"{self.folder}/{i}.conf")
        for port in self.ports:
            wait_until(lambda port=port: self.listens(port), "nats-server")

    @staticmethod
    def listens(port):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    def publish(self, clients, window, seconds):
        return self.bench.run("nats-publish", seconds, clients, window, *self.ports)
