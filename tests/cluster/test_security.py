#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Closed to strangers: who has no trusted key gets nothing, and a key does no more than its role allows."""
import contextlib
import os
import shutil
import time

import msgpack
import zmq

import cluster
from cluster import ClusterTest, run, wait_until

PORT = 22500
PATIENCE = 3  # seconds to wait for an answer that must not come


class SecureCluster(cluster.Cluster):
    def __init__(self, *arguments, **more):
        self.ready = False
        super().__init__(*arguments, start=False, **more)
        os.mkdir(self.path("trust"))
        for role in ("server", "operator", "client"):
            self.make_key(role, role)
            self.trust(role)
        self.ready = True
        self.variables = self.keys("client")
        self.start(*self.leaders, *self.servers)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def make_key(self, name, role):
        code, out, err = run("kudos", "keygen", "--role", role, "--name", name, self.path("keys") + "/")
        assert code == 0, err
        return out.strip()

    def trust(self, name):
        shutil.copy(self.path("keys", name + ".cert"), self.path("trust"))

    def distrust(self, name):
        os.remove(self.path("trust", name + ".cert"))

    def keys(self, name):
        return {"KUDOS_KEY": self.path("keys", name + ".cert"), "KUDOS_TRUST": self.path("trust")}

    def command(self, name):
        return super().command(name) + ["--key", self.path("keys", "server.cert"), "--trust", self.path("trust")]

    def kudos(self, *arguments, key="operator", **more):
        keys = self.keys(key) if key else {}
        return super().kudos(*arguments, **{**keys, **more})

    def asking(self):
        return self.keys("operator")


def certificate(path):
    """The public and secret key in it: the format is simple enough to be read like this."""
    with open(path) as file:
        lines = [line.split("=", 1) for line in file if "-key = " in line]
    found = {name.strip(): value.strip().strip('"').encode() for name, value in lines}
    return found["public-key"], found.get("secret-key")


class Security(ClusterTest):
    def setUp(self):
        self.context = zmq.Context()
        self.context.linger = 0  # what was never delivered would hold up the end
        self.addCleanup(self.context.destroy, 0)
        self.c = SecureCluster(PORT, servers=2)
        self.addCleanup(self.leave, self.c)

    def socket(self, kind, key, endpoint, server_key=None):
        """A connection of our own. key: a name among the keys; None: without CURVE."""
        socket = self.context.socket(kind)
        if key:
            socket.curve_serverkey = server_key or certificate(self.c.path("keys", "server.cert"))[0]
            socket.curve_publickey, socket.curve_secretkey = certificate(self.c.path("keys", key + ".cert_secret"))
        socket.connect(endpoint)
        return socket

    def dealer(self, key, endpoint, **more):
        return self.socket(zmq.DEALER, key, endpoint, **more)

    def ask(self, socket, message, seconds=10):
        socket.send(msgpack.packb(message))
        return msgpack.unpackb(socket.recv()) if socket.poll(seconds * 1000) else None

    def hello(self, key, endpoint, role="client", node=0):
        socket = self.dealer(key, endpoint)
        return socket, self.ask(socket, ["hello", 3, role, False, node])

    def notify_endpoint(self, name):
        return f"tcp://127.0.0.1:{self.c.ports(name)[1]}"

    def everywhere(self):
        return [self.c.endpoint("leader"), self.c.endpoint("s1")]

    def test_good_keys_get_in_and_likes_count(self):
        self.assertEqual(self.c.ok("like", "a", "5", key="client"), "a 5\n")
        self.assertEqual(self.c.ok("like", "a", "2", key="operator"), "a 7\n")
        self.c.await_count("a", 7)
        for endpoint in self.everywhere():
            self.assertEqual(self.hello("client", endpoint)[1][0], "welcome")
        self.c.kill("s2")
        self.c.ok("like", "a", key="client")
        self.c.start("s2")
        self.c.await_count("a", 8)
        code, out, err = run("kudos-load", "--clients", "4", "--count", "20000", KUDOS_LEADER=self.c.leader_endpoints(),
                             **self.c.keys("client"))
        self.assertEqual(code, 0, out + err)

    def test_strangers_hear_nothing(self):
        self.c.make_key("stranger", "operator")  # a good pair of keys, but not in the trust folder
        wrong = self.c.make_key("other", "server").encode()
        sockets = []
        for endpoint in self.everywhere():
            sockets += [self.dealer(None, endpoint), self.dealer("stranger", endpoint),
                        self.dealer("client", endpoint, server_key=wrong)]
        for socket in sockets:
            with contextlib.suppress(zmq.Again):  # libzmq has given up already
                socket.send(msgpack.packb(["hello", 3, "client", False, 0]), zmq.DONTWAIT)
        heard = self.context.socket(zmq.PAIR)  # nothing ever arrives at this one
        self.assertEqual(heard.poll(PATIENCE * 1000), 0)
        self.assertEqual([socket.poll(0) for socket in sockets], [0] * len(sockets))
        lines = self.c.log("s1").count("refused a connection")
        self.assertEqual(lines, 1, "refused all the time, and said so once")

    def test_the_commands_say_what_may_be_wrong(self):
        self.c.make_key("stranger", "client")
        code, _, err = self.c.kudos("like", "--timeout", "1", key=None)
        self.assertEqual(code, 1)
        self.assertIn("--key", err)
        code, _, err = self.c.kudos("like", "--timeout", "1", key="stranger")
        self.assertEqual(code, 1)
        self.assertIn("trust folder", err)
        code, _, err = self.c.kudos("like", key=None, KUDOS_KEY=self.c.keys("client")["KUDOS_KEY"])
        self.assertEqual(code, 1)
        self.assertIn("--trust", err)
        os.chmod(self.c.path("keys", "client.cert_secret"), 0o644)
        code, _, err = self.c.kudos("like", key="client")
        self.assertEqual(code, 1)
        self.assertIn("chmod 600", err)

    def test_a_client_key_is_not_a_servers(self):
        node = 4711
        for endpoint in self.everywhere():
            socket, answer = self.hello("client", endpoint, "server", node)
            self.assertEqual((answer[0], answer[2]), ("error", "forbidden"))
            socket, answer = self.hello("client", endpoint)
            self.assertEqual(answer[0], "welcome")
            answer = self.ask(socket, ["members", node, [], []])
            self.assertEqual((answer[0], answer[2]), ("error", "forbidden"))
        answer = self.ask(socket, ["fetch", 1, 1, 1])
        self.assertEqual((answer[0], answer[2]), ("error", "forbidden"))
        self.assertNotIn(f"{node:016x}", self.c.ok("status", "--json"))
        # The server's own key does get an answer to that: so it was the role that counted.
        socket, answer = self.hello("server", self.c.endpoint("s1"), "server", node)
        self.assertEqual(answer[0], "welcome")
        self.assertEqual(self.ask(socket, ["fetch", 1, 1, 1])[0], "gone")

    def test_records_are_for_servers(self):
        records = self.socket(zmq.SUB, "server", self.notify_endpoint("s1"))
        records.subscribe(b"r")
        curious = [self.socket(zmq.SUB, key, self.notify_endpoint("s1")) for key in ("client", "operator")]
        for socket, topic in zip(curious, (b"", b"r")):
            socket.subscribe(topic)

        def told():
            self.c.ok("--server", self.c.endpoint("s1"), "like", "published", key="client")
            return records.poll(200)
        wait_until(told, "records for the server")
        wait_until(lambda: "not a server's" in self.c.log("s1"), "they are told why")
        for _ in range(3):
            self.drain(records)
            wait_until(told, "records for the server")
            self.assertEqual([socket.poll(0) for socket in curious], [0, 0])

    def test_a_server_key_that_is_taken_back(self):
        """With two in the folder no client knows which to expect; but vectors are published without anybody's likes."""
        self.c.make_key("former", "server")
        self.c.trust("former")
        sockets = [self.socket(zmq.SUB, key, self.notify_endpoint("s1")) for key in ("server", "former", "former")]
        for socket in sockets[:2]:
            socket.subscribe(b"v")
        wait_until(lambda: all(socket.poll(100) for socket in sockets[:2]), "vectors for both")
        self.c.distrust("former")

        def quiet():
            self.drain(*sockets)
            return sockets[0].poll(1000) and not sockets[1].poll(500)
        wait_until(quiet, "vectors for the one that is still trusted")
        sockets[2].subscribe(b"v")  # its connection was there before
        self.assertTrue(quiet() and quiet())
        self.assertEqual([socket.poll(0) for socket in sockets[1:]], [0, 0])

    def drain(self, *sockets):
        for socket in sockets:
            while socket.poll(0):
                socket.recv_multipart()

    def test_forget_is_for_operators(self):
        code, _, err = self.c.kudos("forget", "s2", key="client")
        self.assertEqual(code, 1)
        self.assertIn("client", err)
        self.assertEqual(set(self.c.states()), {"s1", "s2"})
        code, _, err = self.c.kudos("--server", self.c.endpoint("s1"), "forget", "s2", key="client")
        self.assertEqual(code, 1)
        self.assertEqual(set(self.c.states()), {"s1", "s2"})
        self.c.ok("forget", "s2", key="operator")
        self.assertEqual(self.c.ended("s2"), 3)

    def test_drain_is_for_operators(self):
        for where in [], ["--server", self.c.endpoint("s1")], ["--server", self.c.endpoint("s2")]:
            code, _, err = self.c.kudos(*where, "drain", "s2", key="client")
            self.assertEqual(code, 1)
            self.assertIn("client", err)
        self.assertEqual(self.c.states(), {"s1": "up", "s2": "up"})
        # By the leader, by another server, and by the one that is to stop.
        for where in "leader", "s1", "s2":
            to = ["--server", self.c.endpoint(where)] if where != "leader" else []
            wait_until(lambda: self.c.kudos(*to, "drain", "s2", key="operator")[:2] == (0, "s2 draining\n"),
                       "who is asked reaches it")
            self.assertEqual(self.c.ended("s2"), 0)
            elsewhere = to if where == "s1" else []
            wait_until(lambda: "nothing to drain" in self.c.kudos(*elsewhere, "drain", "s2", key="operator")[2],
                       "who was asked misses it")
            self.c.start("s2")

    def test_a_key_that_is_taken_back_while_it_is_connected(self):
        sockets = [self.hello("client", endpoint)[0] for endpoint in self.everywhere()]
        for socket in sockets:
            self.assertEqual(self.ask(socket, ["ping", 1]), ["pong", 1])
        watching, other = (self.hello(key, self.c.endpoint("s1"))[0] for key in ("client", "operator"))

        def watch(socket):
            return self.ask(socket, ["watch", 1, ["watched"], []])

        def changed(socket):
            self.c.ok("--server", self.c.endpoint("s2"), "like", "watched")
            return socket.poll(200) and msgpack.unpackb(socket.recv())[0] == "changed"
        for socket in watching, other:
            self.assertEqual(watch(socket)[0], "counts")
            wait_until(lambda: changed(socket), "changes are told")
        self.c.distrust("client")
        for socket in sockets:
            wait_until(lambda: self.ask(socket, ["ping", 2], seconds=1) is None, "no answer any more")
        self.drain(watching, other)
        self.assertEqual(watch(other)[0], "counts")
        wait_until(lambda: changed(other), "who is still trusted is told of changes when it says so again")
        self.assertEqual(watching.poll(0), 0)
        code, _, _ = self.c.kudos("--timeout", "1", "like", key="client")
        self.assertEqual(code, 1)
        self.c.ok("like", "x", key="operator")
        self.c.await_count("x", 1)
        # Put back, it is good again, on the very connections that were silent meanwhile.
        self.c.trust("client")
        for socket in sockets:
            wait_until(lambda: self.ask(socket, ["ping", 3], seconds=1), "answers again")

    def test_a_key_that_is_added(self):
        self.c.make_key("late", "client")
        socket = self.dealer("late", self.c.endpoint("leader"))
        self.assertIsNone(self.ask(socket, ["hello", 3, "client", False, 0], seconds=1))
        self.c.trust("late")
        self.assertTrue(socket.poll(10000), "the same socket, which has been trying all the time")
        self.assertEqual(self.c.ok("like", "late", key="late"), "late 1\n")
        # From client to operator, without a new key.
        self.assertEqual(self.c.kudos("forget", "s2", key="late")[0], 1)
        text = open(self.c.path("keys", "late.cert")).read().replace('"client"', '"operator"')
        with open(self.c.path("trust", "late.cert"), "w") as file:
            file.write(text)
        wait_until(lambda: self.c.kudos("forget", "s2", key="late")[0] == 0, "it is an operator's now")

    def test_daemons_refuse_what_makes_no_sense(self):
        base = ["--port", str(PORT + 9)]
        key, trust = self.c.path("keys", "server.cert"), self.c.path("trust")
        code, _, err = run("kudos-leader", *base, "--key", key)
        self.assertEqual(code, 2)
        self.assertIn("--trust", err)
        code, _, err = run("kudos-leader", *base, "--key", self.c.path("keys", "client.cert"), "--trust", trust)
        self.assertEqual(code, 1)
        self.assertIn("role server", err)
        code, _, err = run("kudos-leader", *base, "--key", self.c.path("none"), "--trust", trust)
        self.assertEqual(code, 1)
        self.assertIn("none", err)
        code, _, err = run("kudos-leader", *base, "--bind", "0.0.0.0")
        self.assertEqual(code, 2)
        self.assertIn("--key", err)

    def test_the_launcher_makes_and_uses_keys(self):
        folder = self.c.path("launched")
        env = {"KUDOS_DIR": folder, "KUDOS_BIN": os.path.abspath(cluster.BINDIR)}
        self.addCleanup(run, "kudos-cluster", "stop", **env)
        code, _, err = run("kudos-cluster", "start", "--secure", "--port", str(PORT + 80), "-n", "2", **env)
        self.assertEqual(code, 0, err)
        self.assertEqual(os.stat(os.path.join(folder, "keys")).st_mode & 0o777, 0o700)
        leader = {"KUDOS_LEADER": f"tcp://127.0.0.1:{PORT + 80}"}
        keys = {"KUDOS_KEY": os.path.join(folder, "keys", "client.cert"), "KUDOS_TRUST": os.path.join(folder, "trust")}
        self.assertEqual(run("kudos", "like", "a", "3", **leader, **keys)[:2], (0, "a 3\n"))
        self.assertEqual(run("kudos", "--timeout", "1", "like", "a", **leader)[0], 1)
        for verb in ("kill", "s2"), ("restart", "s2"), ("add",), ("status",), ("stop",):
            code, _, err = run("kudos-cluster", *verb, **env)
            self.assertEqual(code, 0, f"{verb}: {err}")


if __name__ == "__main__":
    cluster.main(__name__)
