#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kudos-gateway in the open: tokens, pages from elsewhere, limits, those who dawdle, the access log."""
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
import unittest

import cluster
from cluster import ClusterTest, wait_until
from test_gateway import Gateway, Stream

PORT = 27100
HTTP = PORT + 90
TLS = PORT + 95
PATH = os.environ.get("PATH", "") + ":/usr/sbin"
READ, WRITE, OPERATE = ("r" * 16, "write-0123456789abcdef", "operate/0123456789+abc==")
TOKENS = f"# who may what\n\nread {READ} page\nwrite\t{WRITE} shop\noperate {OPERATE}\n"


def bearer(token):
    return {"Authorization": "Bearer " + token}


def dial(port, text=b"", source="127.0.0.1"):
    s = socket.create_connection(("127.0.0.1", port), 60, (source, 0))
    s.sendall(text)
    return s


def ends(s):
    """Reads until the other side ends the connection: all it said."""
    text = b""
    try:
        while part := s.recv(65536):
            text += part
    except ConnectionResetError:
        pass
    s.close()
    return text


class OpenTest(ClusterTest):
    def setUp(self):
        self.cluster_ = self.common_cluster(PORT, servers=1)

    def gateway(self, *flags):
        log = os.path.join(self.cluster_.folder, f"gateway-{HTTP}.log")
        if os.path.exists(log):
            os.unlink(log)
        gateway = Gateway(self.cluster_, HTTP, *flags)
        self.addCleanup(gateway.log.close)
        self.addCleanup(gateway.process.wait)
        self.addCleanup(gateway.process.kill)
        return gateway

    def file(self, text, mode=0o640, name="tokens"):
        """Written as whoever changes such a file should: another takes its place."""
        path = os.path.join(self.cluster_.folder, name)
        with open(path + ".new", "w", encoding="ascii") as out:
            out.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def logged(self, gateway):
        gateway.log.seek(0)
        return gateway.log.read()

    def test_tokens(self):
        g = self.gateway("--tokens", self.file(TOKENS))
        like = {"key": "allowed"}
        for method, path, body, needs in (("GET", "/healthz", None, 0), ("GET", "/readyz", None, 0),
                                          ("GET", "/v1/counts/k", None, 1), ("HEAD", "/v1/counts/k", None, 1),
                                          ("GET", "/v1/top", None, 1), ("POST", "/v1/likes", like, 2),
                                          ("GET", "/v1/status", None, 3)):
            with self.subTest(path=path):
                none = g.ask(method, path, body)
                self.assertEqual(none.status, 401 if needs else 200)
                if needs:
                    self.assertEqual(none.headers["WWW-Authenticate"], 'Bearer realm="kudos"')
                for role, token in enumerate((READ, WRITE, OPERATE), 1):
                    answer = g.ask(method, path, body, **bearer(token))
                    self.assertEqual(answer.status, 200 if role >= needs else 403, token)
        for wrong in (READ[:-1], READ + "r", "x" * 200, "", READ + "\0", WRITE.upper()):
            answer = g.ask("GET", "/v1/top", **bearer(wrong.replace("\0", " ")))
            self.assertEqual((answer.status, answer.json["code"]), (401, "token"), wrong)
            self.assertIn("invalid_token", answer.headers["WWW-Authenticate"])
        self.assertEqual(g.ask("GET", "/v1/top", Authorization="Basic cjpy").status, 401)
        self.assertEqual(g.ask("GET", "/v1/top", Authorization="bearer " + READ).status, 200)
        self.assertEqual(g.ask("GET", "/v1/counts/allowed", **bearer(READ)).json["count"], 2, "none but the allowed")
        self.assertEqual(g.ask("GET", "/nothing").status, 401, "what there is, is told to those with a token")
        self.assertEqual(g.ask("GET", "/nothing", **bearer(READ)).status, 404)

    def test_tokens_that_change(self):
        g = self.gateway("--tokens", self.file(TOKENS))
        other = "another-token-of-mine"
        self.assertEqual(g.ask("GET", "/v1/top", **bearer(READ)).status, 200)
        self.file(f"read {other}\n")
        wait_until(lambda: g.ask("GET", "/v1/top", **bearer(other)).status == 200, "the new one is good")
        self.assertEqual(g.ask("GET", "/v1/top", **bearer(READ)).status, 401)
        for text, mode, why in (("read short\n", 0o640, ":1: a token is 16"), (f"read {READ}\n", 0o644, "chmod o-r"),
                                ("#\n", 0o640, "no token"), (f"own {READ}\n", 0o640, ":1: the role")):
            self.file(text, mode)
            wait_until(lambda w=why: g.answers() and w in self.logged(g), lambda: self.logged(g))
        path = self.file("")
        os.unlink(path)
        wait_until(lambda: g.answers() and "No such file" in self.logged(g), lambda: self.logged(g))
        self.assertEqual(g.ask("GET", "/v1/top", **bearer(other)).status, 200, "those from before stay")
        self.assertEqual(self.logged(g).count("No such file"), 1, "told once")
        self.file(TOKENS)
        wait_until(lambda: g.ask("GET", "/v1/top", **bearer(READ)).status == 200, "it is back")
        s = dial(HTTP, f"GET /v1/watch?key=k HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {READ}\r\n\r\n".encode())
        self.assertTrue(s.recv(1))
        self.file(f"read {other}\n")
        wait_until(lambda: g.ask("GET", "/v1/top", **bearer(READ)).status == 401, "it is taken back")
        ends(s)  # the stream that it opened, too

    def test_beginnings(self):
        missing = os.path.join(self.cluster_.folder, "none")
        for flags, code, why in ((["--tokens", missing], 1, "No such file"),
                                 (["--tokens", self.file("read x\n", name="bad")], 1, "bad:1: a token is 16"),
                                 (["--tokens", self.file(TOKENS, 0o644, "seen")], 1, "chmod o-r"),
                                 (["--bind", "0.0.0.0"], 2, "--tokens"), (["--proxy", "here"], 2, "--proxy"),
                                 (["--proxy", ",".join(["127.0.0.1"] * 17)], 2, "--proxy"),
                                 (["--rate", "-1"], 2, "--rate"), (["--patience", "0"], 2, "--patience"),
                                 (["--address-connections", "x"], 2, "--address-connections")):
            with self.subTest(flags=flags):
                ended, _, err = cluster.run("kudos-gateway", "--port", str(HTTP), *flags)
                self.assertEqual(ended, code, err)
                self.assertIn(why, err)
        g = self.gateway("--bind", "0.0.0.0", "--tokens", self.file(TOKENS))
        self.assertEqual(g.ask("GET", "/v1/top").status, 401)

    def test_pages_from_elsewhere(self):
        page, other = "https://shop.example", "https://evil.example"
        g = self.gateway("--origin", f"https://a.example,{page}")
        answer = g.ask("GET", "/v1/counts/k", Origin=page)
        self.assertEqual((answer.headers["Access-Control-Allow-Origin"], answer.headers["Vary"]), (page, "Origin"))
        self.assertIn("Kudos-Token", answer.headers["Access-Control-Expose-Headers"])
        wrong = g.ask("GET", "/v1/counts", Origin=page)
        self.assertEqual((wrong.status, wrong.headers["Access-Control-Allow-Origin"]), (400, page))
        for origin in (None, other, "https://shop.example.evil.example", "https://a.example," + page, "null"):
            headers = {"Origin": origin} if origin else {}
            answer = g.ask("GET", "/v1/counts/k", **headers)
            self.assertEqual((answer.status, answer.headers["Access-Control-Allow-Origin"]), (200, None), origin)
            self.assertEqual(answer.headers["Vary"], "Origin")
        asks = {"Access_Control_Request_Method": "POST"}
        may = g.ask("OPTIONS", "/v1/likes", Origin=page, **asks)
        self.assertEqual((may.status, may.headers["Access-Control-Allow-Origin"]), (204, page))
        self.assertIn("POST", may.headers["Access-Control-Allow-Methods"])
        self.assertIn("Authorization", may.headers["Access-Control-Allow-Headers"])
        self.assertIsNone(may.headers["Access-Control-Allow-Credentials"])
        self.assertEqual(g.ask("OPTIONS", "/v1/likes", Origin=other, **asks).status, 403)
        self.assertEqual(g.ask("OPTIONS", "/nothing", Origin=page, **asks).status, 404)
        plain = g.ask("OPTIONS", "/v1/likes")
        self.assertEqual((plain.status, plain.headers["Allow"]), (405, "POST"))
        # A form or script of another page needs no leave to ask, only to read: it must not be counted.
        like = {"key": "origin"}
        self.assertEqual(g.ask("POST", "/v1/likes", like, Origin=other).json["code"], "origin")
        self.assertEqual(g.ask("POST", "/v1/likes", like, Origin=page).status, 200)
        self.assertEqual(g.ask("POST", "/v1/likes", like, Origin=f"http://127.0.0.1:{HTTP}").status, 200)
        self.assertEqual(g.ask("GET", "/v1/counts/origin").json["count"], 2)

    def test_preflight_needs_no_token(self):
        g = self.gateway("--origin", "*", "--tokens", self.file(TOKENS))
        may = g.ask("OPTIONS", "/v1/likes", Origin="https://x.example", Access_Control_Request_Method="POST")
        self.assertEqual((may.status, may.headers["Access-Control-Allow-Origin"]), (204, "https://x.example"))
        self.assertEqual(g.ask("POST", "/v1/likes", {"key": "k"}, Origin="https://x.example").status, 401)

    def test_rate(self):
        g = self.gateway("--rate", "5", "--proxy", "127.0.0.2,127.0.0.3")
        wait_until(lambda: g.ask("GET", "/healthz").status == 200, "there is room")  # the start used some of it

        def many(source="127.0.0.1", *headers):
            """How many of 40 are answered; they come faster than five a second."""
            lines = "".join(line + "\r\n" for line in headers)
            one = f"GET /healthz HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()
            text = ends(dial(HTTP, one * 39 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), source))
            self.assertEqual(len(re.findall(rb"HTTP/1.1 429", text)), len(re.findall(rb"Retry-After: 1\r", text)))
            statuses = re.findall(rb"HTTP/1.1 (\d+)", text)
            self.assertEqual(statuses.count(b"200") + statuses.count(b"429"), 40, text)
            return statuses.count(b"200")
        quick = 5 + 5 * 3  # a second's worth and what comes in while a slow machine answers
        for _ in range(2):
            self.assertLess(many(), quick)
        self.assertLess(many("127.0.0.9"), quick)
        self.assertGreaterEqual(many("127.0.0.10"), 5, "another address has its own")
        # Behind a proxy it is the last address that it was not a proxy's that counts, whatever stands before.
        self.assertGreaterEqual(many("127.0.0.2", "X-Forwarded-For: 10.0.0.1"), 5)
        for lie in ("X-Forwarded-For: 10.0.0.77, 10.0.0.1", "X-Forwarded-For: 1.1.1.1 ,10.0.0.1, 127.0.0.3"):
            self.assertLess(many("127.0.0.2", lie), quick, lie)
        self.assertLess(many("127.0.0.2", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-For: 10.0.0.1"), 5)
        self.assertGreaterEqual(many("127.0.0.2", "X-Forwarded-For: 2001:db8::1"), 5)
        self.assertLess(many("127.0.0.3", "X-Forwarded-For: 2001:db8::2"), 5, "one network")
        self.assertGreaterEqual(many("127.0.0.3", "X-Forwarded-For: 2001:db8:0:1::2"), 5)
        self.assertLess(many("127.0.0.9", "X-Forwarded-For: 8.8.8.8"), 5 + 5, "no proxy: not believed")

    def test_connections_of_an_address(self):
        g = self.gateway("--address-connections", "3", "--proxy", "127.0.0.2")
        held = [dial(HTTP, source="127.0.0.7") for _ in range(3)]
        wait_until(lambda: ends(dial(HTTP, source="127.0.0.7")) == b"", "the fourth is turned away")
        self.assertTrue(g.answers(), "others come in")
        behind = [dial(HTTP, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "127.0.0.2")
                  for _ in range(6)]
        for s in behind:
            self.assertIn(b"200 OK", ends(s), "a proxy brings many")
        held.pop().close()
        asks = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        wait_until(lambda: b"200 OK" in ends(dial(HTTP, asks, "127.0.0.7")), "there is room again")
        for s in held:
            s.close()

    def test_headers_have_an_end(self):
        g = self.gateway()
        s = dial(HTTP, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20000 + b"\r\n\r\n")
        self.assertRegex(ends(s), rb"HTTP/1.[01] 431")
        self.assertTrue(g.answers())

    def dawdles(self, s, part):
        """One that says a little from time to time, and never all of it, until it is shown out."""
        said = []

        def shown_out():
            try:
                s.sendall(part)
                said.append(part)
                s.settimeout(0.05)
                return s.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True
        began = time.monotonic()
        wait_until(shown_out, "it is shown out")
        self.assertGreater(len(said), 3, "it was moving all the time")
        return time.monotonic() - began

    def test_who_asks_slowly(self):
        g = self.gateway("--patience", "1.5")
        head = b"POST /v1/likes HTTP/1.1\r\nHost: x\r\n"
        for begin, part in ((head, b"X-A: b\r\n"), (head + b"Content-Length: 60000\r\n\r\n", b" "),
                            (b"", b"G"), (head + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n")):
            took = self.dawdles(dial(HTTP, begin), part)
            self.assertGreater(took, 1)
            self.assertLess(took, 10 * cluster.SLOW)
        self.assertEqual(ends(dial(HTTP)), b"", "one that says nothing")
        self.assertTrue(g.answers())

    def test_who_reads_slowly(self):
        g = self.gateway("--patience", "1.5", "--watch-rate", "1000")
        keys = ["r%03d" % i + "x" * 120 for i in range(100)]
        g.ask("POST", "/v1/likes", {"events": [[key, 1] for key in keys]})
        query = "&".join("key=" + key for key in keys)
        slow = socket.socket()
        self.addCleanup(slow.close)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", HTTP))
        slow.sendall(b"GET /v1/watch?" + query[:4000].rpartition("&")[0].encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        quick = Stream(g, "key=" + keys[0])
        self.addCleanup(quick.close)
        port = slow.getsockname()[1]

        def connected():
            """Whether the gateway's end is still there."""
            with open("/proc/net/tcp", encoding="ascii") as table:
                rows = [line.split() for line in table][1:]
            return any(row[1].endswith(f":{HTTP:04X}") and row[2].endswith(f":{port:04X}") and row[3] == "01"
                       for row in rows)
        self.assertTrue(connected())

        def changes():
            g.ask("POST", "/v1/likes", {"events": [[key, 1] for key in keys]})
            return not connected()
        wait_until(changes, "who reads nothing is ended", 120)
        before = len(quick.events)
        g.ask("POST", "/v1/likes", {"key": keys[0]})
        wait_until(lambda: len(quick.events) > before, "who reads is told")

    def test_who_stops_reading_for_a_while(self):
        """Misses counts in between, and nothing else: no event comes in pieces, and the last of each key comes."""
        g = self.gateway("--watch-rate", "1000")
        keys = ["w%02d" % i + "y" * 120 for i in range(25)]
        slow = socket.socket()
        self.addCleanup(slow.close)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 500)  # or the kernel takes each send whole
        slow.connect(("127.0.0.1", HTTP))
        slow.sendall(f"GET /v1/watch?{'&'.join('key=' + key for key in keys)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        quick = Stream(g, "key=" + keys[-1])
        self.addCleanup(quick.close)
        rounds = 100  # several times what fits into sockets
        for i in range(rounds):
            g.ask("POST", "/v1/likes", {"events": [[key, 1] for key in keys]}, Prefer="return=minimal")
        wait_until(lambda: quick.events and quick.events[-1][1] == rounds, "the quick one is told")
        slow.settimeout(cluster.DEADLINE)
        said, counts = b"", {key: [] for key in keys}
        while not all(counts[key] and counts[key][-1] == rounds for key in keys):
            part = slow.recv(65536)
            self.assertTrue(part, "it is not ended")
            *lines, said = (said + part).split(b"\n")
            for line in lines:
                if line.startswith(b"data: "):
                    event = json.loads(line[6:])
                    counts[event["key"]].append(event["count"])
        for key in keys:
            self.assertEqual(counts[key], sorted(set(counts[key])), "each count once, upwards")
            self.assertLess(len(counts[key]), rounds / 2, "counts in between were left out")

    def test_streams_that_are_quiet_stay(self):
        g = self.gateway("--patience", "1")
        stream = Stream(g, "key=quiet")
        self.addCleanup(stream.close)
        wait_until(lambda: stream.events, "the first count")
        silent = dial(HTTP)  # shown out after a second: two of them have passed when the second one is
        self.assertEqual(ends(silent), b"")
        self.assertEqual(ends(dial(HTTP)), b"")
        g.ask("POST", "/v1/likes", {"key": "quiet"})
        wait_until(lambda: stream.events[-1] == ("quiet", 1), "it is still told")

    def test_access_log(self):
        g = self.gateway("--access-log", "--tokens", self.file(TOKENS), "--proxy", "127.0.0.1")
        g.ask("GET", "/v1/counts/secret?token=0.1", **bearer(READ), X_Forwarded_For="192.0.2.7")
        g.ask("POST", "/v1/likes", {"key": "k"}, **bearer(OPERATE))
        g.ask("GET", "/nothing/secret")
        self.assertEqual(g.ended(), 0)
        text = self.logged(g)
        self.assertNotIn("secret", text)
        self.assertNotIn(READ, text)
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        lines = [line for line in lines if line["route"] != "/healthz"]
        self.assertEqual([(line["method"], line["route"], line["status"], line["token"], line["address"])
                          for line in lines],
                         [("GET", "/v1/counts/", lines[0]["status"], "page", "192.0.2.7"),
                          ("POST", "/v1/likes", 200, None, "127.0.0.1"),
                          ("GET", None, 401, None, "127.0.0.1")])
        self.assertEqual(lines[1]["body_bytes"], len(json.dumps({"key": "k"})))
        for line in lines:
            self.assertRegex(line["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertTrue(0 <= line["seconds"] < 60, line)

    def test_no_access_log_unless_wanted(self):
        g = self.gateway()
        self.assertEqual(g.ended(), 0)
        self.assertNotIn("{", self.logged(g))

    @unittest.skipUnless(shutil.which("nginx", path=PATH) and shutil.which("openssl"), "nginx or openssl is not installed")
    def test_behind_nginx(self):
        """What operations.md shows, but for the two ports and where the certificate is."""
        g = self.gateway("--rate", "20", "--proxy", "127.0.0.1")
        certificate = self.start_nginx()
        context = ssl.create_default_context(cafile=certificate)

        def ask(text, source):
            s = context.wrap_socket(dial(TLS, source=source), server_hostname="kudos.example")
            s.sendall(text)
            return s
        asks = b"GET /v1/top HTTP/1.1\r\nHost: kudos.example\r\nConnection: close\r\n\r\n"
        wait_until(lambda: b"HTTP/1.1 200" in ends(ask(asks, "127.0.0.4")), "nginx reaches the gateway")
        stream = ask(b"GET /v1/watch?key=tls HTTP/1.1\r\nHost: kudos.example\r\n\r\n", "127.0.0.5")
        said = b""
        for count in range(4):
            while b'"count":%d}' % count not in said:  # each at once, though the answer has not ended
                said += stream.recv(4096)
            body = b'{"key": "tls"}'
            like = ask(b"POST /v1/likes HTTP/1.1\r\nHost: kudos.example\r\nOrigin: https://kudos.example\r\n"
                       b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body, "127.0.0.5")
            self.assertIn(b"HTTP/1.1 200", ends(like))
        stream.close()
        lies = b"GET /healthz HTTP/1.1\r\nHost: kudos.example\r\nX-Forwarded-For: 10.0.0.%d\r\n\r\n"
        many = ask(b"".join(lies % i for i in range(200)) + asks, "127.0.0.4")
        self.assertIn(b"HTTP/1.1 429", ends(many), "it is nginx that says who asks")
        self.assertIn(b"HTTP/1.1 200", ends(ask(asks, "127.0.0.6")), "others are not meant")
        self.assertTrue(g.answers())

    def start_nginx(self):
        folder = os.path.join(self.cluster_.folder, "nginx")
        os.mkdir(folder)
        files = {"key": os.path.join(folder, "kudos.key"), "pem": os.path.join(folder, "kudos.pem")}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", files["key"], "-out", files["pem"], "-days", "2", "-subj", "/CN=kudos.example",
                        "-addext", "subjectAltName=DNS:kudos.example"], check=True, capture_output=True)
        with open(os.path.join(os.path.dirname(__file__), "../../doc/operations.md"), encoding="utf-8") as manual:
            snippet = re.search(r"^    server \{\n.*?^    \}\n", manual.read(), re.M | re.S).group()
        for old, new in (("listen 443", f"listen 127.0.0.1:{TLS}"), ("127.0.0.1:8080", f"127.0.0.1:{HTTP}"),
                         ("/etc/ssl/certs/kudos.example.pem", files["pem"]),
                         ("/etc/ssl/private/kudos.example.key", files["key"])):
            self.assertEqual(snippet.count(old), 1, old)
            snippet = snippet.replace(old, new)
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n"
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        root = "user root;\n" if os.getuid() == 0 else ""
        with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as out:
            out.write(f"{root}daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
                      f"events {{ worker_connections 100; }}\nhttp {{\naccess_log off;\n{temporary}{snippet}}}\n")
        nginx = subprocess.Popen([shutil.which("nginx", path=PATH), "-p", folder, "-c", f"{folder}/nginx.conf", "-e",
                                  f"{folder}/error.log"], preexec_fn=cluster.die_with_parent)
        self.addCleanup(nginx.wait)
        self.addCleanup(nginx.kill)

        def listens():
            self.assertIsNone(nginx.poll(), "nginx has ended")
            try:
                dial(TLS).close()
                return True
            except OSError:
                return False
        wait_until(listens, "nginx listens")
        return files["pem"]


if __name__ == "__main__":
    cluster.main("__main__")
