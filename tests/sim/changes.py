# SPDX-License-Identifier: MIT
"""The conditions of a C source as this project writes them, and every change of one that tests/sim/conditions tries."""
import collections
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def blank(text):
    """The text with comments and preprocessor lines as spaces, strings as names: the same places, nothing to trip over."""
    pattern = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|^[ \t]*#(?:\\\n|[^\n])*", re.S | re.M)
    return pattern.sub(lambda m: re.sub(r"[^\n]", "_" if m[0][0] in "'\"" else " ", m[0]), text)


def close_of(code, at):
    depth = 0
    for i in range(at, len(code)):
        depth += code[i] in "([{"
        depth -= code[i] in ")]}"
        if depth == 0:
            return i
    return len(code)


def operand(code, at, step, stops):
    """Where the operand ends that begins beside an operator, going left (-1) or right (1): at a bracket that it is within, or at
    one of the stops."""
    opening, closing = ("([{", ")]}") if step > 0 else (")]}", "([{")
    depth = 0
    while 0 <= at < len(code):
        c = code[at]
        if depth == 0 and (c in closing or c in ";{}"):
            break
        if depth == 0 and any(code.startswith(s, at if step > 0 else at - len(s) + 1) for s in stops):
            break
        if depth == 0 and c == "=" and code[at - 1] not in "=!<>" and code[at + 1] != "=":
            break
        if depth == 0 and step < 0 and re.search(r"\breturn$", code[max(0, at - 6):at + 1]):
            break
        depth += c in opening
        depth -= c in closing
        at += step
    return at if step > 0 else at + 1


def trimmed(code, start, end):
    while start < end and code[start].isspace():
        start += 1
    while end > start and code[end - 1].isspace():
        end -= 1
    return start, end


def conditions(code):
    """The places of whole conditions."""
    found = set()
    for m in re.finditer(r"\b(if|while|for|return)\b", code):
        at = code.find("(", m.end())
        if m[1] == "return":
            end = code.find(";", m.end())
            if re.search(r"&&|\|\||[=!<>]=|(?<![-<>])[<>](?![<>])|^\s*!", code[m.end():end]) and "?" not in code[m.end():end]:
                found.add(trimmed(code, m.end(), end))
        elif m[1] == "for":
            first = code.find(";", at)
            second = code.find(";", first + 1)
            if code[first + 1:second].strip() and second < close_of(code, at):
                found.add(trimmed(code, first + 1, second))
        else:
            found.add(trimmed(code, at + 1, close_of(code, at)))
    for m in re.finditer(r"\?", code):
        found.add(trimmed(code, operand(code, m.start() - 1, -1, (",", "?", ":")), m.start()))
    for m in re.finditer(r"\b\w+ = ([^;{}]*(?:&&|\|\|)[^;{}]*);", code):
        if "?" not in m[1] and m[1].count("(") == m[1].count(")"):
            found.add(trimmed(code, m.start(1), m.end(1)))
    return sorted(found)


SHIFTED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}


def is_minimum(code, left, operator, right):
    """a < b ? a : b, or the like, for which <= is the same."""
    rest = re.match(r"\s*\?([^?:]*):([^?;,]*)", code[right[1]:])
    ends = [" ".join(code[slice(*side)].split()) for side in (left, right)]
    return operator[1] not in ("==", "!=") and rest and sorted(ends) == sorted(" ".join(x.split()).rstrip(")") for x in rest.groups())


def changes(code):
    """(start, end, replacement, the expression that it is within) of every change."""
    for whole in conditions(code):
        start, end = whole
        if not re.search(r"^[^&|()]*[!=]=[^&|()]*$", code[start:end]):  # else != for == does so
            yield start, end, "!(" + code[start:end] + ")", whole
        for m in re.finditer(r"(?<![\w.])\d+(?![\w.])", code[start:end]):
            for number in {int(m[0]) + 1, max(int(m[0]) - 1, 0)} - {int(m[0])}:
                yield start + m.start(), start + m.end(), str(number), whole
    for m in re.finditer(r"(?<![-<>=!])(<=|>=|==|!=|<|>)(?![<>=])|&&|\|\|", code):
        stops = (",", "?", ":", "||") if m[0] == "&&" else (",", "?", ":")
        left = trimmed(code, operand(code, m.start() - 1, -1, stops), m.start())
        right = trimmed(code, m.end(), operand(code, m.end(), 1, stops))
        if m[1] and is_minimum(code, left, m, right):
            yield m.start(), m.end(), {"<": ">", ">": "<"}[m[1][0]], (left[0], right[1])
        elif m[1]:
            yield m.start(), m.end(), SHIFTED[m[0]], (left[0], right[1])
        else:
            yield left[0], right[0], "", (left[0], right[1])
            yield left[1], right[1], "", (left[0], right[1])
            yield m.start(), m.end(), "||" if m[0] == "&&" else "&&", (left[0], right[1])


Change = collections.namedtuple("Change", "path start end replacement place name")


def find_changes(path):
    """Those of a file, each with what it is known by: the line as it is, with the change marked, wherever it moves to."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        text = f.read()
    code = re.sub(r"\b(assert|_Static_assert)\(.*?\);", lambda m: re.sub(r"[^\n]", " ", m[0]), blank(text), flags=re.S)
    found = {}
    for start, end, replacement, place in sorted(set(changes(code))):
        if replacement.startswith("!("):
            replacement = "!(" + text[start:end] + ")"
        line = text[text.rfind("\n", 0, start) + 1:start] + "[-" + text[start:end] + "-]{+" + replacement + "+}" + \
            text[end:text.find("\n", end)]
        name = path + ": " + re.sub(r"\s+", " ", line).strip()
        found.setdefault(name, Change(path, start, end, replacement, place, name))
    return text, list(found.values())
