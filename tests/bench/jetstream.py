#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Asks JetStream's interface one thing: jetstream.py ADDRESS PORT SUBJECT [JSON]. Prints the answer, an object."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cluster"))
from nats import Client  # noqa: E402


def main(address, port, subject, fields="{}"):
    print(json.dumps(Client(int(port), host=address).request(subject, **json.loads(fields))))


if __name__ == "__main__":
    main(*sys.argv[1:])
