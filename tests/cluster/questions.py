# SPDX-License-Identifier: MIT
"""A `kudos` command that is kept and asked a line at a time: who waits for something asks fifty times a second, and a
process for every question would take most of the processor, under a sanitizer above all."""
import json
import select
import subprocess


class Questions:
    """The answers are JSON, one line each, and so is what went wrong."""

    def __init__(self, command, **more):
        self.process = subprocess.Popen([*command, "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, bufsize=1, **more)
        self.answered = select.poll()  # not select(): a test may have thousands of descriptors
        self.answered.register(self.process.stdout, select.POLLIN)

    def ask(self, line, deadline):
        """What it answers; None: it failed, and is to be ended."""
        try:
            self.process.stdin.write(line + "\n")
        except BrokenPipeError:
            return None
        assert self.answered.poll(deadline * 1000), f"no answer to '{line}' in {deadline} s"
        answer = json.loads(self.process.stdout.readline() or '{"error": "ended"}')
        return None if "error" in answer else answer

    def end(self, deadline):
        """In order: leaks are looked for at its end."""
        try:
            self.process.communicate(timeout=deadline)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
