# SPDX-License-Identifier: MIT
"""doc/openapi.yaml: what it says of a request, and whether an answer is as it says."""
import functools
import json
import os
import re

import jsonschema
import yaml

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../doc/openapi.yaml")
METHODS = ("get", "put", "post", "delete")


@functools.lru_cache(None)
def document():
    with open(FILE, encoding="utf-8") as file:
        return yaml.safe_load(file)


def resolve(node):
    """What a $ref points at; schemas are left to their validator."""
    if not isinstance(node, dict) or "$ref" not in node:
        return node
    found = document()
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def operations():
    """(method, path, operation), …"""
    return [(method, path, item[method]) for path, item in document()["paths"].items() for method in METHODS
            if method in item]


@functools.lru_cache(None)
def find(method, path):
    """The operation for a request; a path of its own goes before one with parameters, and that before what has slashes."""
    method = "get" if method == "HEAD" else method.lower()
    for hole in ("[^/]+", ".+"):
        fits = [(template.count("{"), template) for template in document()["paths"]
                if re.fullmatch(re.sub(r"\\{[a-z]+\\}", lambda _, h=hole: h, re.escape(template)), path)]
        for _, template in sorted(fits):
            if method in document()["paths"][template]:
                return document()["paths"][template][method]
    return None


@functools.lru_cache(None)
def validator(schema):
    resolver = jsonschema.RefResolver("", document())
    return jsonschema.Draft202012Validator(json.loads(schema), resolver=resolver)


def fits(schema, value):
    validator(json.dumps(schema)).validate(value)


def check(method, path, response, body):
    """Raises when the answer is not one that the file has."""
    operation = find(method, path.partition("?")[0])
    seen = f"{method} {path[:200]}: {response.status}"
    if method == "OPTIONS" or not operation:
        assert response.status in (204, 401, 403, 404, 405, 429), seen
        return
    assert str(response.status) in operation["responses"], f"{seen} is not in openapi.yaml"
    said = resolve(operation["responses"][str(response.status)])
    for name, header in said.get("headers", {}).items():
        value, schema = response.headers[name], resolve(header)["schema"]
        assert value is not None, f"{seen}: no {name}"
        fits(schema, int(value) if schema.get("type") == "integer" else value)
    kind = (response.headers["Content-Type"] or "").partition(";")[0]
    content = said.get("content", {})
    assert kind in content if content else not body, f"{seen}: {kind} is not in openapi.yaml"
    if kind.endswith("json") and method != "HEAD":
        fits(content[kind]["schema"], json.loads(body))


def problem_codes(schema):
    """Those that a problem may have."""
    if "properties" not in schema:
        schema = resolve(schema)
    return schema.get("properties", {}).get("code", {}).get("enum", [])
