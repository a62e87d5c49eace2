# SPDX-License-Identifier: MIT
"""One program with all changes in it, each behind a number (mutant schemata): sources that are copied, changed and built."""
import json
import os
import re
import shlex
import subprocess

from changes import ROOT, find_changes

PRELUDE = """#include <stdlib.h>
__attribute__((weak)) unsigned kudos_mutant;
__attribute__((constructor)) static void kudos_choose_mutant(void)
{ const char *m = getenv("KUDOS_MUTANT"); kudos_mutant = m ? (unsigned)atoi(m) : 0; }
"""

# In Criterion's place: each test in a process that is forked, where Criterion starts the program anew.
CRITERION = """#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
struct cr_test { void (*run)(void); struct cr_test *next; };
static struct cr_test *cr_first;
#define Test(suite, name, ...) \\
	static void cr_run_##suite##name(void); \\
	static struct cr_test cr_test_##suite##name = {cr_run_##suite##name, NULL}; \\
	__attribute__((constructor)) static void cr_add_##suite##name(void) { cr_test_##suite##name.next = cr_first; cr_first = &cr_test_##suite##name; } \\
	static void cr_run_##suite##name(void)
#define cr_assert(x, ...) ((x) ? (void)0 : abort())
#define cr_assert_null(x, ...) cr_assert(!(x))
#define cr_assert_not_null(x, ...) cr_assert(x)
#define cr_assert_str_eq(a, b, ...) cr_assert(strcmp(a, b) == 0)
#define cr_assert_fail(...) abort()
#define cr_skip_test(...) _exit(0)
int main(void)
{
	for (struct cr_test *test = cr_first; test; test = test->next) {
		int status = 1;
		pid_t child = fork();
		if (child == 0) { test->run(); _exit(0); }
		if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) return 1;
	}
	return 0;
}
"""


def schema(text, found, numbers):
    """The source with its changes, each on a line of its own, and which line holds which change."""
    places = []
    for place in sorted({c.place for c in found}, key=lambda p: (p[0], -p[1])):
        if not places or place[0] >= places[-1][1]:
            places.append(place)
    out, at, lines = PRELUDE, 0, {}
    for start, end in places:
        inner = [c for c in found if start <= c.start and c.end <= end]
        if not inner:
            continue
        numbered = [numbers[c.name] for c in inner]
        out += text[at:start] + f"(__builtin_expect(kudos_mutant - {min(numbered)}u <= {max(numbered) - min(numbered)}u, 0) ? "
        for c in inner:
            changed = text[start:c.start] + c.replacement + text[c.end:end]
            out += f"kudos_mutant == {numbers[c.name]}u ? ("
            out += "\n" + re.sub(r"\s+", " ", changed) + ") : "
            lines[out.count("\n") + 1] = c
        out += "\n(" + text[start:end] + ") : (" + text[start:end] + "))"
        at = end
    return out + text[at:], lines


class Builder:
    def __init__(self, work, paths):
        """All but the files of `paths`, which make_schema() puts there."""
        self.work, self.source, self.texts = work, os.path.join(work, "source"), {}
        self.builds = {"": os.path.join(work, "release"), "checked ": os.path.join(work, "checked")}
        for path in subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n"):
            if os.path.isfile(os.path.join(ROOT, path)) and path not in paths:
                with open(os.path.join(ROOT, path), "rb") as f:
                    self.put(path, f.read(), os.stat(os.path.join(ROOT, path)).st_mode)
        self.put(os.path.join("tests", "criterion", "criterion.h"), CRITERION.encode())

    def put(self, path, content, mode=0o644):
        to = os.path.join(self.source, path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if os.path.exists(to):
            with open(to, "rb") as f:
                if f.read() == content:
                    return
        with open(to, "wb") as f:
            f.write(content)
        os.chmod(to, mode)

    def set_up(self):
        for which, build in self.builds.items():
            if not os.path.exists(os.path.join(build, "build.ninja")):
                flags = ["-Dbuildtype=debugoptimized", "-Db_sanitize=address,undefined", "-Db_lundef=false"] if which else \
                    ["-Dbuildtype=release"]
                more = " -fno-sanitize-recover=all" if which else ""
                subprocess.run(["meson", "setup", build, self.source, "-Dwerror=false", "-Dgateway=disabled",
                                "-Dc_args=-w" + more] + flags, check=True, stdout=subprocess.DEVNULL)
            subprocess.run(["ninja", "-C", build, "build.ninja"], check=True, stdout=subprocess.DEVNULL)  # there may be other files now
        with open(os.path.join(self.builds[""], "compile_commands.json"), encoding="utf-8") as f:
            self.commands = {os.path.relpath(os.path.join(c["directory"], c["file"]), self.source): c["command"]
                             for c in json.load(f) if ".so.p" not in c["output"]}

    def compile(self, path, source, *more):
        words = [w for w in shlex.split(self.commands[path]) if w != "ccache"]
        at = words.index("-o")
        words = [w for i, w in enumerate(words) if i not in (at, at + 1) and w not in ("-c", "-MD", "-g")]
        words = [w for i, w in enumerate(words) if w not in ("-MQ", "-MF") and words[i - 1] not in ("-MQ", "-MF")][:-1]
        return subprocess.run(words + list(more) + ["-w", "-fdiagnostics-color=never", "-I" + os.path.dirname(os.path.join(ROOT, path)),
                              "-x", "c", "-"], cwd=self.builds[""], input=source, capture_output=True, text=True, check=False)

    def make_schema(self, path, numbers):
        """Returns the changes of the file that can be compiled."""
        text, found = find_changes(path)
        self.texts[path] = text
        while True:
            content, lines = schema(text, found, numbers)
            run = self.compile(path, content, "-fsyntax-only")
            if run.returncode == 0:
                self.put(path, content.encode())
                return found
            wrong = {lines.get(int(line)) for line in re.findall(r"<stdin>:(\d+):\d+: error", run.stderr)} - {None}
            if not wrong:
                raise SystemExit(f"{path}: {run.stderr}")
            found = [c for c in found if c not in wrong]

    def same_code(self, change):
        """Whether it compiles to what the source compiles to."""
        text = self.texts[change.path]
        changed = text[:change.start] + change.replacement + text[change.end:]
        one, other = (self.compile(change.path, t, "-S", "-DNDEBUG", "-o", "-").stdout for t in (text, changed))
        return one == other

    def build(self, wanted):
        for kind, build in self.builds.items():
            programs = sorted({program for k, program in wanted if k == kind})
            if programs:
                subprocess.run(["ninja", "-C", build] + programs, check=True, stdout=subprocess.DEVNULL,
                               env=dict(os.environ, CCACHE_NODIRECT="1"))  # else it goes on with the real Criterion
