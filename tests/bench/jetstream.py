#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Asks JetStream's interface one thing: jetstream.py ADDRESS PORT SUBJECT [JSON]. Prints the answer, an object."""

import socket
import sys


def main(address, port, subject, body=""):
    with socket.create_connection((address, int(port)), 10) as there, there.makefile("rb") as file:
        there.sendall(b'CONNECT {"verbose":false}\r\nSUB _INBOX.1 1\r\n'
                      + f"PUB {subject} _INBOX.1 {len(body)}\r\n{body}\r\n".encode())
        for line in file:
            words = line.split()
            if words[0] == b"-ERR":
                sys.exit(line.decode())
            if words[0] == b"MSG":
                print(file.read(int(words[-1])).decode())
                return
        sys.exit("the connection has ended")


if __name__ == "__main__":
    main(*sys.argv[1:])
