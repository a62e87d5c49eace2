# SPDX-License-Identifier: MIT
"""Machines to try doc/operations.md on: each has an address, /etc, /var/lib and /run of its own, and runs what is typed at
its prompt as it is. What a machine under test cannot have is stood in for: apt lays down what the package would and
restarts what runs, systemctl reads the unit's file and does as it says, journalctl shows what the daemon said, scp copies
from machine to machine."""
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile

import cluster
from cluster import DEADLINE, SLOW, die_with_parent, wait_until
from hosts import Hosts
from test_units import NOBODY, Unit

# Mounts the machine's own folders over the real ones, for this process and its children alone.
ENTER = """cd "$1" && mount --bind etc /etc && mount --bind lib /var/lib && mount --bind run /run &&
mount --bind "$2" /usr/local/bin && cd "$1/home" && shift 2 && exec "$@" """


class Machine:
    def __init__(self, site, name):
        self.site, self.name = site, name
        self.folder = os.path.join(site.folder, "machine-" + name)
        self.processes, self.sockets = {}, {}
        for part in ("lib", "run/credentials", "home"):
            os.makedirs(os.path.join(self.folder, part))
        shutil.copytree("/etc", self.path("/etc"), symlinks=True, ignore=shutil.ignore_patterns("kudos"))
        os.chmod(self.folder, 0o755)

    def path(self, path):
        """Where it really is. Units say /usr/local/etc here, and /etc in a package, whose prefix is /usr."""
        for there, here in (("/etc", "etc"), ("/usr/local/etc", "etc"), ("/var/lib", "lib"), ("/run", "run")):
            if path == there or path.startswith(there + "/"):
                return os.path.join(self.folder, here + path[len(there):])
        return os.path.join(self.folder, "home", path.removeprefix("~/"))

    def prefix(self):
        return [*self.site.hosts.prefix(self.name), "unshare", "--mount", "sh", "-c", ENTER, "sh", self.folder,
                os.path.abspath(cluster.BINDIR)]

    def environment(self, **more):
        return cluster.environment(HOME=os.path.join(self.folder, "home"), PATH="/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                   **more)

    def type(self, line):
        """(exit status, what was printed) of a command line, which may be several lines with what stands in them."""
        words = shlex.split(line.split("\n", maxsplit=1)[0])
        if words[0] in ("apt", "scp", "journalctl", "systemctl"):
            return 0, getattr(self, words[0])(*words[1:]) or ""
        # What it exports holds for the next line, as in a shell that stays open.
        script = f'[ -f .exported ] && . ./.exported\n{line}\ncode=$?\nexport -p >.exported\nexit $code'
        # stdbuf: so that what is printed comes in the order in which a terminal has it.
        done = subprocess.run([*self.prefix(), "stdbuf", "-oL", "bash", "-c", script], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120 * SLOW,
                              env=self.environment(), check=False)
        return done.returncode, done.stdout

    # ---- stand-ins ----

    def apt(self, verb, *packages):
        """Checks that there are such packages, lays down what they bring besides the programs, and restarts what runs."""
        assert verb == "install", verb
        with open(os.path.join(self.site.source, "debian", "control")) as file:
            known = re.findall(r"^Package: (.*)$", file.read(), re.M)
        names = [os.path.basename(package).split("_")[0] for package in packages]
        assert set(names) <= set(known), f"{names}, but debian/control has {known}"
        for name in sorted({"kudos-server", "kudos-gateway"} & set(names)):
            self.lay_down(name)
        if "kudos-server" in names:
            self.systemctl("restart", *(unit for unit, process in self.processes.items() if process.poll() is None))

    def lay_down(self, package):
        keys, *confs = {"kudos-server": ("keys", "leader", "server"), "kudos-gateway": ("gateway-keys", "gateway")}[package]
        os.makedirs(self.path("/etc/kudos/trust"), 0o755, exist_ok=True)
        os.makedirs(self.path("/etc/kudos/" + keys), 0o700, exist_ok=True)
        for conf in confs:
            if not os.path.exists(self.path(f"/etc/kudos/{conf}.conf")):  # it is the operator's
                shutil.copy(os.path.join(cluster.BINDIR, "tools", "systemd", conf + ".conf"), self.path("/etc/kudos"))

    def scp(self, *words):
        *sources, target = [word for word in words if not word.startswith("-")]
        machine, path = target.split(":")
        there = self.site.machines[machine].path(path)
        for source in sources:
            here = self.path(source)
            into = os.path.join(there, os.path.basename(here)) if os.path.isdir(there) else there
            copy = shutil.copytree if os.path.isdir(here) else shutil.copy2
            copy(here, into, **({"dirs_exist_ok": True} if copy == shutil.copytree else {}))

    def journalctl(self, *words):
        unit, lines = words[words.index("-u") + 1], int(words[words.index("-n") + 1])
        with open(self.log(unit)) as file:
            return "".join(file.readlines()[-lines:])

    def systemctl(self, verb, *words):
        for unit in (word for word in words if not word.startswith("-")):
            if verb in ("stop", "restart"):
                self.stop(unit)
            if verb in ("start", "restart") or (verb == "enable" and "--now" in words):
                self.start(unit)

    # ---- what systemd does ----

    def log(self, unit):
        return os.path.join(self.folder, unit + ".log")

    def start(self, name):
        credentials = f"/run/credentials/{name}.service"
        unit = Unit(name + ".service", S="/var/lib", l=self.name, d=credentials)
        variables = unit.environment()
        for file in unit["EnvironmentFile"]:
            variables |= read_variables(self.path(file.removeprefix("-")))
        for key, source in (line.split(":") for line in unit["LoadCredential"]):
            self.give_credentials(credentials, key, self.path(source))
        for state in unit.said.get("StateDirectory", []):
            self.make_state(state)
        self.spawn(name, ["setpriv", "--pdeathsig=KILL", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                          *unit["ExecStart"][0].split()], NOTIFY_SOCKET=self.listen(name), **variables)
        wait_until(lambda: self.is_ready(name), lambda: f"{name} on {self.name} is ready:\n{self.said(name)}", DEADLINE)

    def spawn(self, name, command, **variables):
        with open(self.log(name), "a") as log:
            self.processes[name] = subprocess.Popen([*self.prefix(), *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                    preexec_fn=die_with_parent, env=self.environment(**variables))

    def listen(self, name):
        path = self.path(f"/run/{name}.notify")
        if name in self.sockets:
            self.sockets.pop(name).close()
            os.remove(path)
        self.sockets[name] = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.sockets[name].bind(path)
        os.chmod(path, 0o666)
        return f"/run/{name}.notify"

    def is_ready(self, name):
        assert self.processes[name].poll() is None, f"{name} on {self.name} has ended:\n{self.said(name)}"
        try:
            return "READY=1" in self.sockets[name].recv(4096).decode()
        except BlockingIOError:
            return False

    def give_credentials(self, credentials, key, source):
        shutil.rmtree(self.path(credentials), ignore_errors=True)
        os.makedirs(self.path(credentials))
        for file in os.listdir(source):
            copy = shutil.copy(os.path.join(source, file), os.path.join(self.path(credentials), f"{key}_{file}"))
            os.chown(copy, NOBODY, NOBODY)
            os.chmod(copy, 0o400)

    def make_state(self, state):
        """What DynamicUser= and StateDirectory= make: the folder behind a link, and all in it the user's."""
        real, link = self.path("/var/lib/private/" + state), self.path("/var/lib/" + state)
        os.makedirs(real, exist_ok=True)
        if not os.path.islink(link):
            os.makedirs(os.path.dirname(link), exist_ok=True)
            os.symlink("/var/lib/private/" + state, link)
        for folder, _, files in os.walk(real):
            for path in [folder, *(os.path.join(folder, file) for file in files)]:
                os.chown(path, NOBODY, NOBODY)

    def said(self, name):
        with open(self.log(name)) as file:
            return file.read()

    def stop(self, name, number=signal.SIGTERM):
        process = self.processes[name]
        process.send_signal(number)
        code = process.wait(DEADLINE * SLOW)
        assert number != signal.SIGTERM or code == 0, f"{name} on {self.name}: exit status {code}\n{self.said(name)}"


def read_variables(path):
    """An EnvironmentFile: NAME=VALUE, comments, empty lines."""
    with open(path) as file:
        lines = [line.strip() for line in file]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


class Site:
    """All of the machines, and an end without trace."""

    def __init__(self, source, *names):
        self.source = source
        self.hosts = Hosts(*names, network="10.0.0")
        self.folder = tempfile.mkdtemp(prefix="kudos-site-")
        os.chmod(self.folder, 0o755)
        self.machines = {name: Machine(self, name) for name in names}

    def remove(self):
        for machine in self.machines.values():
            for process in machine.processes.values():
                process.kill()
                process.wait()
            for one in machine.sockets.values():
                one.close()
            for process in self.hosts.processes(machine.name):  # what a launcher left
                os.kill(process, signal.SIGKILL)
        self.hosts.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def logs(self, lines=30):
        return "\n".join(f"==== {unit} on {machine.name}\n" + "\n".join(machine.said(unit).splitlines()[-lines:])
                         for machine in self.machines.values() for unit in machine.processes)
