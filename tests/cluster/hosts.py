# SPDX-License-Identifier: MIT
"""Hosts with addresses of their own, for tests: network namespaces, joined by a bridge in one more."""
import os
import subprocess


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")


class Hosts:
    """The first of the names has the address NETWORK.1 and so on; whatever has another name lives where the bridge
    is, NETWORK.100. OSError: this machine or user cannot have such."""

    def __init__(self, *names, network="10.209.0"):
        self.tag = f"kt{os.getpid()}"
        self.names, self.network = names, network
        self.made = []
        try:
            self.make()
        except OSError:
            self.remove()
            raise

    def make(self):
        self.add("hub")
        self.inside("hub", "ip", "link", "add", "bridge", "type", "bridge")
        self.inside("hub", "ip", "address", "add", self.address("hub") + "/24", "dev", "bridge")
        self.inside("hub", "ip", "link", "set", "bridge", "up")
        for name in self.names:
            self.add(name)
            self.inside("hub", "ip", "link", "add", name, "type", "veth", "peer", "name", "net", "netns",
                        self.space(name))
            self.inside("hub", "ip", "link", "set", name, "master", "bridge", "up")
            self.inside(name, "ip", "address", "add", self.address(name) + "/24", "dev", "net")
            self.inside(name, "ip", "link", "set", "net", "up")

    def add(self, name):
        command("ip", "netns", "add", self.space(name))
        self.made.append(name)
        self.inside(name, "ip", "link", "set", "lo", "up")

    def remove(self):
        for name in self.made:
            command("ip", "netns", "del", self.space(name))
        self.made = []

    def space(self, name):
        return f"{self.tag}-{name if name in self.names else 'hub'}"

    def address(self, name):
        return f"{self.network}.{self.names.index(name) + 1 if name in self.names else 100}"

    def prefix(self, name):
        return ["ip", "netns", "exec", self.space(name)]

    def inside(self, name, *words):
        command("ip", "netns", "exec", self.space(name), *words)

    def processes(self, name):
        """Those whose network it is, by their ids."""
        listed = subprocess.run(["ip", "netns", "pids", self.space(name)], capture_output=True, text=True, check=True)
        return [int(line) for line in listed.stdout.split()]

    def cut(self, one, other):
        """Nothing that one sends reaches the other."""
        self.inside(one, "ip", "route", "add", "blackhole", self.address(other) + "/32")

    def mend(self, one, other):
        self.inside(one, "ip", "route", "del", "blackhole", self.address(other) + "/32")

    def cut_off(self, name, *others, both=True):
        for other in others:
            self.cut(name, other)
            if both:
                self.cut(other, name)

    def mend_all(self, name, *others, both=True):
        for other in others:
            self.mend(name, other)
            if both:
                self.mend(other, name)
