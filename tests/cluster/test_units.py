#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The systemd units, as far as they can be tried without systemd: the daemons start with a unit's environment, keys and
limits, as an ordinary user, and under its filters of system calls and address families (libzmq aborts when it is
refused what it takes for granted)."""
import ctypes
import ctypes.util
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import urllib.request

import cluster
from cluster import SANITIZED, ClusterTest, die_with_parent, main, run
from test_notify import Managed

PORT = 24700
HTTP = PORT + 90
ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # SCMP_ACT_ALLOW, SCMP_ACT_ERRNO
NOBODY = 65534


class Unit:
    """What a unit file says: key → values, in order."""

    def __init__(self, name, **specifiers):
        self.said = {}
        with open(os.path.join(cluster.BINDIR, "tools", "systemd", name)) as file:
            for key, value in re.findall(r"^(\w+)=(.*)$", file.read(), re.M):
                value = re.sub("%([a-zA-Z])", lambda found: specifiers[found[1]], value)
                self.said.setdefault(key, []).append(value)

    def __getitem__(self, key):
        return self.said[key]

    def environment(self):
        return dict(word.split("=", 1) for word in self.said.get("Environment", []))

    def calls(self):
        """The system calls that SystemCallFilter= allows."""
        allowed = set()
        for line in ["@default", *self["SystemCallFilter"]]:
            found = set().union(*map(expand, line.lstrip("~").split()))
            allowed = allowed - found if line[0] == "~" else allowed | found
        return allowed


def expand(word):
    if word[0] != "@":
        return {word}
    said = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True).stdout
    words = [line.strip() for line in said.splitlines()[1:] if not line.strip().startswith("#")]
    return set().union(*(expand(word) for word in words if word))


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class Filter:
    """A seccomp filter as systemd makes it of a unit; seccomp_load() puts it onto the process."""

    def __init__(self, library, unit):
        self.library, eperm, eafnosupport = library, 1, 97
        library.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(library.seccomp_init(REFUSE | eperm))
        families = {int(getattr(socket, name)) for name in unit["RestrictAddressFamilies"][0].split()}
        for call in unit.calls() - {"socket"}:
            self.rule(ALLOW, call)
        for family in range(64):
            equal = Compare(0, 4, family, 0)  # SCMP_CMP_EQ
            self.rule(ALLOW if family in families else REFUSE | eafnosupport, "socket", equal)

    def rule(self, action, call, *compare):
        number = self.library.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:
            array = (Compare * len(compare))(*compare)
            assert self.library.seccomp_rule_add_array(self.context, action, number, len(compare), array) == 0, call

    def load(self):
        assert self.library.seccomp_load(self.context) == 0


def reachable(path):
    """For everybody."""
    while path != "/":
        if not os.stat(path).st_mode & 1:
            return False
        path = os.path.dirname(path)
    return True


class Confined(Managed):
    """Started as by systemd, but for what only systemd can do (name spaces, a user of its own)."""

    def __init__(self, library, **more):
        super().__init__(PORT, servers=1, **more)
        self.user = NOBODY if os.geteuid() == 0 and reachable(os.path.abspath(cluster.BINDIR)) else None
        for name in ("trust", "credentials", "state"):
            os.mkdir(self.path(name))
        for role in ("server", "operator", "client"):
            code, _, err = run("kudos", "keygen", "--role", role, self.path("keys") + "/")
            assert code == 0, err
            shutil.copy(self.path("keys", role + ".cert"), self.path("trust"))
        if self.user:
            os.chmod(self.folder, 0o777)  # DynamicUser's folders are systemd's to make
            os.chown(self.path("state"), self.user, self.user)
        for role in ("server", "client"):
            secret = self.secret(role)
            shutil.copy(self.path("keys", role + ".cert_secret"), secret)
            if self.user:
                os.chown(secret, 0, self.user)
            os.chmod(secret, 0o440 if self.user else 0o400)
        self.variables = {"KUDOS_KEY": self.path("keys", "operator.cert"), "KUDOS_TRUST": self.path("trust")}
        names = {"l": "host", "S": self.path("state"), "d": self.path("credentials")}
        self.units = {"leader": Unit("kudos-leader.service", **names), "s1": Unit("kudos-server.service", **names)}
        if os.path.isfile(os.path.join(cluster.BINDIR, "kudos-gateway")):
            self.units["gateway"] = Unit("kudos-gateway.service", **names)
        self.filters = {name: Filter(library, unit) for name, unit in self.units.items()}

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def secret(self, role):
        return self.path("credentials", f"keys_{role}.cert_secret")

    def environment(self, name):
        """The unit's, then what an operator would write into the configuration."""
        client, notify = self.ports("s1")
        conf = {"KUDOS_KEY": self.secret("client" if name == "gateway" else "server"), "KUDOS_TRUST": self.path("trust")}
        if name == "leader":
            conf["KUDOS_LEADER_PORT"] = str(self.ports("leader")[0])
        elif name == "gateway":
            conf |= {"KUDOS_LEADER": self.leader_endpoints(), "KUDOS_GATEWAY_PORT": str(HTTP)}
        else:
            conf |= {"KUDOS_LEADER": self.leader_endpoints(), "KUDOS_CLIENT_PORT": str(client),
                     "KUDOS_NOTIFY_PORT": str(notify)}
        told = super().environment(name)
        if self.user and name == "leader":
            os.chmod(told["NOTIFY_SOCKET"], 0o777)
        return {**told, **self.units[name].environment(), **conf}

    def spawn(self, *names):
        for name in names:
            command = self.units[name]["ExecStart"][0].split()
            command[0] = cluster.program(os.path.basename(command[0]))

            def confine():
                limit = min(int(self.units[name]["LimitNOFILE"][0]), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
                if self.user:
                    os.setgroups([])
                    os.setgid(self.user)
                    os.setuid(self.user)
                die_with_parent()
                self.filters[name].load()
            with open(self.path(name + ".log"), "a") as log:
                self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                        env=self.environment(name), preexec_fn=confine)

    def kudos(self, *arguments, **more):
        return super().kudos(*arguments, **{**self.variables, **more})


class Units(ClusterTest):
    def test_confined(self):
        if SANITIZED:
            self.skipTest("the sanitizers make system calls of their own")
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not here (Debian package systemd)")
        name = ctypes.util.find_library("seccomp") or "libseccomp.so.2"
        try:
            library = ctypes.CDLL(name)
        except OSError as error:
            self.skipTest(f"no libseccomp: {error}")
        c = Confined(library)
        self.addCleanup(self.leave, c)
        c.spawn("leader", "s1")
        c.await_told("leader", "READY=1")
        c.await_told("s1", "READY=1")
        self.assertEqual(c.ok("like", "k", "5"), "k 5\n")
        self.assertEqual(cluster.wait_until(c.status, "the leader answers")["servers"][0]["name"], "host")
        self.assertTrue(os.listdir(c.path("state", "kudos", "server")))
        if "gateway" in c.units:
            c.spawn("gateway")
            c.await_told("gateway", "READY=1")
            with urllib.request.urlopen(f"http://127.0.0.1:{HTTP}/v1/counts/k") as answer:
                self.assertEqual(json.load(answer)["count"], 5)
            c.terminate("gateway")
            self.assertEqual(c.processes["gateway"].returncode, 0)

        # A key is taken back and given again while they run.
        trusted = c.path("trust", "operator.cert")
        os.rename(trusted, c.path("operator.cert"))
        cluster.wait_until(lambda: c.kudos("--timeout", "1", "count", "k")[0] == 1, "a key is taken back")
        os.rename(c.path("operator.cert"), trusted)
        cluster.wait_until(lambda: c.kudos("count", "k")[1] == "k 5\n", "a key is given again")

        c.terminate("s1", "leader")
        self.assertEqual([c.processes[name].returncode for name in ("s1", "leader")], [0, 0])

    def test_instances_keep_apart(self):
        units = [Unit("kudos-server.service", l="host", S="/S", d="/d"),
                 Unit("kudos-server@.service", l="host", S="/S", d="/d", i="a")]
        one, other = (unit.environment() for unit in units)
        self.assertEqual((one["KUDOS_NAME"], other["KUDOS_NAME"]), ("host", "a"))
        for unit, variables in zip(units, (one, other)):
            self.assertEqual(variables["KUDOS_DATA"], "/S/" + unit["StateDirectory"][0])
        self.assertNotEqual(one["KUDOS_DATA"], other["KUDOS_DATA"])
        self.assertTrue(units[1]["EnvironmentFile"][1].endswith("/kudos/server-a.conf"))

    def test_who_is_handed_what(self):
        """The gateway faces the web, and must not hold the key that makes a server."""
        for name, keys in ("leader", "keys"), ("server", "keys"), ("gateway", "gateway-keys"):
            if name == "gateway" and not os.path.isfile(os.path.join(cluster.BINDIR, "kudos-gateway")):
                continue
            for suffix in "", "@":
                unit = Unit(f"kudos-{name}{suffix}.service", l="host", S="/S", d="/d", i="a")
                self.assertTrue(unit["LoadCredential"][0].endswith("/kudos/" + keys), unit["LoadCredential"])


if __name__ == "__main__":
    main(sys.modules["__main__"])
