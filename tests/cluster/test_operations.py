#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""doc/operations.md and the README are true: every line behind a prompt in them is typed, in order, and what the page
shows is what comes.

    one,two# COMMAND      at the prompt of these machines; the README has one, and no name for it
    what is printed       compared, when anything is shown: … is anything, a line of … any lines; spaces do not count

Commands that only look are repeated until they show what the page does: it takes a moment until a like is everywhere."""
import os
import re
import sys
import unittest

import hosts
from cluster import main, wait_until
from machines import Site

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROMPT = re.compile(r"^    ([a-z,]*)[#$] (.*)$")
LOOKS = re.compile(r"(kudos (count|status)|curl|journalctl)\b")


class Step:
    def __init__(self, number, names, command):
        self.number, self.command, self.shown = number, command, []
        self.names = (names or "here").split(",")

    def matches(self, printed):
        if not self.shown:
            return True
        lines = ["(.*\n)*" if line == "…" else squeeze(re.escape(line).replace("\\ ", " ")).replace("…", ".*") + "\n"
                 for line in self.shown]
        return re.fullmatch("".join(lines), squeeze(printed.rstrip("\n") + "\n")) is not None


def squeeze(text):
    return re.sub(" +", " ", text)


def steps(page):
    found, heredoc = [], None
    for number, line in enumerate(page.splitlines(), 1):
        prompt = PROMPT.match(line)
        if heredoc:
            found[-1].command += "\n" + line[4:]
            if line[4:] == heredoc:
                heredoc = None
        elif prompt:
            found.append(Step(number, *prompt.groups()))
            heredoc = (re.search(r"<<(\w+)", prompt[2]) or [None, None])[1]
        elif line.startswith("    ") and found and found[-1].number + found[-1].command.count("\n") + len(
                found[-1].shown) + 1 == number:
            found[-1].shown.append(line[4:])
    return found


class Operations(unittest.TestCase):
    def test_operations(self):
        self.type_all("doc/operations.md", "one", "two", "three", "four", "five")

    def test_readme(self):
        self.type_all("README.md", "here")

    def test_no_settings_at_all(self):
        """The words that came first: the leader is on 5001, the rest finds it there; like, like many, exit, and -d."""
        here = self.site("here").machines["here"]
        self.failed = True
        for name in ("kudos-leader", "kudos-server"):
            here.spawn(name, [name, "-d"])
        wait_until(lambda: "serving" in here.said("kudos-server"), "it serves")
        self.assertEqual(here.type(r"printf 'like\nlike many\n0\n3\nexit\nlike\n' | kudos"), (0, "likes 1\nlikes 4\n"))
        self.assertIn("listening on tcp://127.0.0.1:5001", here.said("kudos-leader"))
        self.assertIn(" debug ", here.said("kudos-leader"))
        self.failed = False

    def site(self, *machines):
        try:
            hosts.command("unshare", "--mount", "true")
            site = Site(SOURCE, *machines)
        except OSError as error:
            self.skipTest(f"needs root, network and mount namespaces: {error}")
        self.addCleanup(site.remove)
        self.addCleanup(self.show_if_failed, site)
        return site

    def type_all(self, page, *machines):
        site = self.site(*machines)
        with open(os.path.join(SOURCE, page)) as file:
            todo = steps(file.read())
        self.assertGreater(len(todo), 10)
        self.failed = True
        for step in todo:
            for name in step.names:
                self.take(page, site.machines[name], step)
        self.failed = False

    def take(self, page, machine, step):
        code, printed = 0, ""

        def well():
            nonlocal code, printed
            code, printed = machine.type(step.command)
            return code == 0 and step.matches(printed)

        def complaint():
            return (f"{page}:{step.number}: {machine.name}: {step.command}\nexit status {code}, printed:\n{printed}the page "
                    "shows:\n" + "\n".join(step.shown))
        if LOOKS.match(step.command):
            wait_until(well, complaint)
        else:
            self.assertTrue(well(), complaint())

    def show_if_failed(self, site):
        if self.failed:
            print(site.logs(), file=sys.stderr)


if __name__ == "__main__":
    main(sys.modules["__main__"])
