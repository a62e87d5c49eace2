# SPDX-License-Identifier: MIT
"""What a NATS server with accounts is given, made by hand: keys, JSON web tokens that they sign, a user's credentials.
Debian has no program for it. Ed25519 is libsodium's."""
import base64
import ctypes
import json
import os
import time

SODIUM = ctypes.CDLL("libsodium.so.23")
OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3
SEED = 18 << 3


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xffff
    return crc


def base32(data):
    return base64.b32encode(data + crc16(data).to_bytes(2, "little")).decode().rstrip("=")


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    def __init__(self, kind):
        self.kind, self.entropy = kind, os.urandom(32)
        public, self.secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        SODIUM.crypto_sign_seed_keypair(public, self.secret, self.entropy)
        self.name = base32(bytes([kind]) + public.raw)

    def seed(self):
        return base32(bytes([SEED | self.kind >> 5, (self.kind & 31) << 3]) + self.entropy)

    def token(self, subject, kind, **claims):
        """What this key says of another."""
        body = {"jti": base32(os.urandom(8)), "iat": int(time.time()), "iss": self.name, "name": kind, "sub": subject.name,
                "nats": {"type": kind, "version": 2, **claims}}
        parts = [{"typ": "JWT", "alg": "ed25519-nkey"}, body]
        text = ".".join(base64url(json.dumps(part).encode()) for part in parts)
        signature = ctypes.create_string_buffer(64)
        SODIUM.crypto_sign_detached(signature, None, text.encode(), ctypes.c_ulonglong(len(text)), self.secret)
        return text + "." + base64url(signature.raw)


def account(operator, **storage):
    """(its key, its token)"""
    key = Key(ACCOUNT)
    limits = dict.fromkeys(["subs", "data", "payload", "imports", "exports", "conn", "leaf"], -1)
    return key, operator.token(key, "account", limits={**limits, "wildcards": True, **storage})


def config_and_credentials(folder):
    """A server's configuration, and the file with the credentials of a user that it lets in."""
    operator = Key(OPERATOR)
    ours, our_token = account(operator, mem_storage=-1, disk_storage=-1, streams=-1, consumer=-1)
    system, system_token = account(operator)  # has no JetStream
    user = Key(USER)
    path = os.path.join(folder, "user.creds")
    token = ours.token(user, "user", pub={}, sub={}, subs=-1, data=-1, payload=-1)
    with open(path, "w") as file:
        file.write(f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
                   f"-----BEGIN USER NKEY SEED-----\n{user.seed()}\n------END USER NKEY SEED------\n")
    return (f"operator: {operator.token(operator, 'operator')}\nsystem_account: {system.name}\nresolver: MEMORY\n"
            f"resolver_preload: {{ {ours.name}: {our_token}\n {system.name}: {system_token} }}\n"), path
