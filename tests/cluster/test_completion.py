#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Completion in the shells that are here: commands, flags, and the names of a cluster that runs."""
import os
import pty
import select
import shutil
import subprocess
import sys
import time

import cluster
from cluster import SLOW, ClusterTest, die_with_parent, environment, main, program, run

PORT = 24800
FILES = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "completion")


class Completion(ClusterTest):
    def setUp(self):
        self.c = self.common_cluster(PORT, servers=2, memory_only=True)

    def variables(self, **more):
        path = os.path.dirname(program("kudos")) + os.pathsep + os.environ["PATH"]
        return environment(**{"PATH": path, "KUDOS_LEADER": self.c.leader_endpoints(), "HOME": self.c.folder, "TERM": "dumb",
                              "KUDOS_DIR": os.path.join(self.c.folder, "launched"), **more})

    def need(self, shell):
        if not shutil.which(shell):
            self.skipTest(f"{shell} is not here")
        os.makedirs(os.path.join(self.c.folder, "launched", "s1"), exist_ok=True)

    def script(self, *command, **more):
        done = subprocess.run(command, text=True, capture_output=True, env=self.variables(**more), timeout=60 * SLOW,
                              cwd=FILES, preexec_fn=die_with_parent)
        self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        return sorted(done.stdout.splitlines())

    def all_lines(self, complete_all):
        """complete_all([line, …]) → for each the words that may stand at its end"""
        wanted = {
            "kudos dr": ["drain"],
            "kudos --json stat": ["status"],
            "kudos --le": ["--leader"],
            "kudos drain ": ["s1", "s2"],
            "kudos --timeout 3 forget s2": ["s2"],
            "kudos drain s1 ": [],
            "kudos count --e": ["--everywhere"],
            "kudos help fo": ["forget"],
            "kudos keygen --role o": ["operator"],
            "kudos-load --dur": ["--duration"],
            "kudos-load --distribution ": ["uniform", "zipf"],
            "kudos-export --rec": ["--records"],
            "kudos-import --key-c": ["--key-column"],
            "kudos-import kudos.b": ["kudos.bash"],
            "kudos-gateway --watch": ["--watch-rate"],
            "kudos-leader --po": ["--port"],
            "kudos-server --ack": ["--ack-peers"],
            "kudos-server --key kudos.b": ["kudos.bash"],
            "kudos-cluster sta": ["start", "status"],
            "kudos-cluster restart ": ["leader", "s1"],
            "kudos-cluster --mem": ["--memory-only"],
            "kudos-cluster start -- --ack": ["--ack-peers"],
        }
        for (line, words), found in zip(wanted.items(), complete_all(list(wanted)), strict=True):
            with self.subTest(line):
                self.assertEqual(found, words)
        line = f"kudos --leader {self.c.leader_endpoints()} drain "
        with self.subTest("another cluster than the environment's"):
            self.assertEqual(complete_all([line], KUDOS_LEADER="tcp://127.0.0.1:1"), [["s1", "s2"]])

    def test_bash(self):
        self.need("bash")

        def complete(line, **more):
            return self.script("bash", "-c", 'source ./kudos.bash; COMP_LINE=$1 COMP_POINT=${#1}; word=${1##* }; '
                               '"$(complete -p "${1%% *}" | sed "s/.*-F \\([^ ]*\\).*/\\1/")" "${1%% *}" "$word" ""; '
                               '((!${#COMPREPLY[@]})) || printf "%s\\n" "${COMPREPLY[@]}"', "bash", line, **more)
        self.all_lines(lambda lines, **more: [complete(line, **more) for line in lines])

    def test_fish(self):
        self.need("fish")

        def complete(line, **more):
            found = self.script("fish", "--no-config", "-c", "source ./kudos.fish; complete -C $argv[1]", line, **more)
            return [word.split("\t")[0] for word in found]
        self.all_lines(lambda lines, **more: [complete(line, **more) for line in lines])

    def test_zsh(self):
        self.need("zsh")
        setup, out = (os.path.join(self.c.folder, name) for name in ("setup.zsh", "found"))
        with open(setup, "w") as file:
            file.write("""
                fpath=($FILES $fpath); autoload -Uz compinit; compinit -u -D; PS1='READY''> '
                asked() {
                    compadd() { local -a found; builtin compadd -O found "$@"; print -rl -- $found >>$OUT }
                    print -r -- "@$BUFFER" >>$OUT
                    _main_complete
                    compstate[insert]= compstate[list]=
                }
                zle -C asked complete-word asked; bindkey '^I' asked\n""")

        def complete_all(lines, **more):
            edits = "\x1b[?2004h"  # zsh has the terminal, and ^U is its to read
            exchange = [f"source {setup}\n", "READY>", "", edits]
            for i, line in enumerate(lines):
                exchange += [f"{line}\t\x15print D''ONE {i}.\n", f"DONE {i}.", "", edits]
            open(out, "w").close()
            self.type_into(["zsh", "-f", "-i"], *exchange, OUT=out, FILES=os.path.abspath(FILES), **more)
            with open(out) as file:
                answers = (answer.split("\n") for answer in file.read().split("@")[1:])
                found = {answer[0]: sorted({word for word in answer[1:] if word}) for answer in answers}
            return [found.get(line) for line in lines]
        self.all_lines(complete_all)

    def type_into(self, command, *exchange, **more):
        """On a terminal: writes what is to be typed, then reads up to what is to come, in turns."""
        variables = self.variables(**more)
        pid, fd = pty.fork()
        if pid == 0:
            try:
                die_with_parent()
                os.chdir(FILES)
                os.execvpe(command[0], command, variables)
            finally:
                os._exit(127)
        said, at, end = "", 0, time.monotonic() + 60 * SLOW
        try:
            for typed, awaited in zip(exchange[::2], exchange[1::2]):
                os.write(fd, typed.encode())
                while awaited not in said[at:]:
                    self.assertTrue(select.select([fd], [], [], max(0, end - time.monotonic()))[0], said)
                    said += os.read(fd, 4096).decode(errors="replace")
                at = said.index(awaited, at) + len(awaited)
        finally:
            os.close(fd)
            os.kill(pid, 9)
            os.waitpid(pid, 0)

    def test_nobody_there(self):
        """Silence, and soon."""
        began = time.monotonic()
        nowhere = f"tcp://127.0.0.1:{PORT + 99}"
        self.assertEqual(run("kudos", "--complete", "--leader", nowhere, "drain", ""), (0, "", ""))
        self.assertLess(time.monotonic() - began, 2 * SLOW)
        for words in (["--leader", "nonsense", "drain", ""], ["--bogus", ""], ["nonsense", ""], ["--leader", ""]):
            self.assertEqual(run("kudos", "--complete", *words), (0, "", ""), words)
        self.assertEqual(run("kudos-server", "--complete", "--data", ""), (0, "<folder>\n", ""))

    def test_a_name_that_a_shell_would_read_otherwise(self):
        c = self.c
        command = [program("kudos-server"), "--leader", c.leader_endpoints(), "--memory-only", "--name", "$(reboot)"]
        client, notify = (str(PORT + 40 + i) for i in range(2))
        c.processes["odd"] = subprocess.Popen([*command, "--client-port", client, "--notify-port", notify], env=environment(),
                                              stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        cluster.wait_until(lambda: c.states().get("$(reboot)") == "up", "it is up")
        self.assertEqual(sorted(c.ok("--complete", "drain", "").split()), ["s1", "s2"])
        c.terminate("odd")
        c.ok("forget", "$(reboot)")


if __name__ == "__main__":
    main(sys.modules["__main__"])
