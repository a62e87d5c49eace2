#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The gateway's page in a real browser: what was pressed is counted once, through kills, reloads, offline and two tabs.

KUDOS_TEST_SCREENSHOT=FILE: a picture of the page is written there."""
import os
import re
import signal
import unittest

import browser
import cluster
from browser import CONTROL, ENTER, RELEASE, SHIFT, TAB, Browser
from cluster import ClusterTest, wait_until
from test_gateway import Gateway

PORT = 25600
HTTP, DRIVER = PORT + 90, PORT + 91
OUTBOXES = """return Object.keys(localStorage).filter(name => name.startsWith("kudos.outbox."))
    .map(name => JSON.parse(localStorage[name]))"""


@unittest.skipIf(browser.MISSING, f"no {' and no '.join(browser.MISSING)} here")
class PageTest(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.b = Browser(DRIVER)
        cls.addClassCleanup(cls.b.close)

    def setUp(self):
        self.c = self.servers()
        self.start_gateway()
        self.b.start_anew(f"http://127.0.0.1:{HTTP}/healthz")

    def servers(self):
        return self.common_cluster(PORT)

    def start_gateway(self, *flags):
        self.g = Gateway(self.c, HTTP, "--timeout", "2", *flags)
        self.addCleanup(self.g.log.close)
        self.addCleanup(self.g.process.wait)
        self.addCleanup(self.g.process.kill)

    def open(self, key="likes"):
        self.b.go("about:blank")
        self.b.go(f"http://127.0.0.1:{HTTP}/#key={key}")

    def ready(self):
        wait_until(lambda: self.b.run("return !document.querySelector('#like').disabled"), lambda: self.said())

    def said(self):
        return self.b.text("#pending") + "|" + self.b.text("#said") + "|" + self.b.text("#told")

    def like(self, times):
        self.ready()
        for _ in range(times):
            self.b.click("#like")

    def await_pending(self, text):
        wait_until(lambda: self.b.text("#pending") == text, lambda: f"{text!r} is on the way: {self.said()}")

    def all_counted(self, key, count):
        """The page says so, and every server does."""
        self.await_pending("")
        wait_until(lambda: self.b.text("#count") == f"{count:,}", lambda: f"{count} is shown: {self.b.text('#count')}")
        self.c.await_count(key, count)

    def outboxes(self):
        return self.b.run(OUTBOXES)


class Faults(PageTest):
    def servers(self):
        return self.cluster(PORT + 40)

    def test_what_it_shows(self):
        self.c.ok("like", "a:1", "30")
        self.c.ok("like", "b<i>2", "20")
        self.open("a:1")
        self.like(3)
        self.all_counted("a:1", 33)
        self.assertEqual(self.b.text("#said"), "Counted.")
        self.c.ok("like", "b<i>2", "25")  # overtakes
        wait_until(lambda: self.b.run("return [...document.querySelectorAll('#top li')].map(li => li.innerText.split(/\\s+/))")
                   == [["b<i>2", "45"], ["a:1", "33"]], lambda: f"the top: {self.b.text('#top')}")
        rows = "return [...document.querySelectorAll('#servers tr')].map(tr => tr.innerText.split(/\\s+/).slice(0, 2))"
        wait_until(lambda: self.b.run(rows) == [["s1", "up"], ["s2", "up"], ["s3", "up"]], lambda: self.b.text("#servers"))
        self.c.kill("s2")
        wait_until(lambda: ["s2", "down"] in self.b.run(rows), lambda: self.b.text("#servers"))
        self.assertTrue(self.b.text("#cluster").startswith("2 of 3 servers up"), self.b.text("#cluster"))
        self.b.click("#top button")
        wait_until(lambda: self.b.text("#count") == "45", "the other key is shown")
        self.b.reload()
        wait_until(lambda: self.b.text("#shown") == "b<i>2", "a reload keeps it")
        loaded = self.b.run("return performance.getEntriesByType('resource').map(entry => new URL(entry.name).host)")
        self.assertEqual(set(loaded), {f"127.0.0.1:{HTTP}"}, "nothing from elsewhere")
        # An answer that came too late, when a server was killed, is one for the browser's log and none for the reader.
        self.assertEqual([line for line in self.b.log() if not re.search("status of 50[34]", line)], [])
        self.assertEqual(self.b.run("return document.querySelectorAll('#top i').length"), 0)

    def test_kills(self):
        self.open("kills")
        self.like(10)
        self.all_counted("kills", 10)
        for i in range(1, 4):
            # A stopped server has the batch in its socket when the gateway dies: it counts it, and nobody is told.
            self.c.signal(signal.SIGSTOP, "s1", "s2", "s3")
            self.like(2)
            self.await_pending("2 likes on the way")
            self.g.ended(signal.SIGKILL)
            self.like(1)
            self.await_pending("3 likes on the way")
            self.c.signal(signal.SIGCONT, "s1", "s2", "s3")
            self.start_gateway()
            self.all_counted("kills", 10 + 5 * i - 2)
            self.c.kill(f"s{i}")
            self.like(2)
            self.await_pending("")
            self.c.start(f"s{i}")
            self.all_counted("kills", 10 + 5 * i)
        self.assertEqual(self.b.text("#told"), "")

    def test_reload(self):
        self.open("reload")
        self.like(1)
        self.all_counted("reload", 1)
        self.c.kill("s1", "s2", "s3")
        for i in range(3):  # each page has something of its own, and what those before it have left
            self.c.start("s1")
            self.ready()
            self.c.kill("s1")
            self.like(1)
            self.b.reload()
            self.await_pending("1 like on the way" if i == 0 else self.b.text("#pending"))
        self.c.start("s1", "s2", "s3")
        self.all_counted("reload", 4)
        wait_until(lambda: len(self.outboxes()) == 1, lambda: f"this page's outbox is left: {self.outboxes()}")

    def test_a_tab_is_closed(self):
        self.open("closed")
        self.ready()
        first, second = self.b.tab(), self.b.open_tab()
        self.open("closed")
        self.ready()
        self.c.kill("s1", "s2", "s3")
        for tab in first, second:
            self.b.switch(tab)
            self.like(3)
        self.b.close_tab()  # the first one takes over
        self.b.switch(first)
        self.await_pending("6 likes on the way")
        other = self.b.open_tab()
        self.b.switch(first)
        self.b.close_tab()  # nobody does, now
        self.b.switch(other)
        self.c.start("s1", "s2", "s3")
        self.open("closed")
        self.all_counted("closed", 6)


class Quiet(PageTest):
    def test_offline(self):
        self.open("offline")
        self.ready()
        self.b.offline(True)
        self.like(7)
        self.await_pending("7 likes on the way")
        wait_until(lambda: "Trying again" in self.b.text("#said"), self.said)
        self.assertEqual(self.g.ask("GET", "/v1/counts/offline").json["count"], 0)
        self.b.offline(False)
        self.all_counted("offline", 7)

    def test_two_tabs(self):
        self.open("tabs")
        self.ready()
        first, second = self.b.tab(), self.b.open_tab()
        self.open("tabs")
        for tab in (first, second) * 5:
            self.b.switch(tab)
            self.like(4)
        for tab in first, second:
            self.b.switch(tab)
            self.all_counted("tabs", 40)
        sessions = {box["session"] for box in self.outboxes()}
        self.assertEqual(len(sessions), 2, "an outbox and a session each")
        self.assertEqual(self.b.text("#told"), "")
        self.b.close_tab()
        self.b.switch(first)
        wait_until(lambda: len(self.outboxes()) == 1, "what is empty is cleared away")
        self.like(1)
        self.all_counted("tabs", 41)

    def test_what_cannot_be_known_is_said(self):
        self.open("doubt")
        self.like(1)
        self.all_counted("doubt", 1)
        box = self.outboxes()[0]
        self.assertEqual(self.g.ask("DELETE", "/v1/sessions/" + box["session"]).status, 204)
        self.like(1)
        wait_until(lambda: "1 like of doubt: in doubt" in self.b.text("#told"), self.said)
        self.like(1)
        self.all_counted("doubt", 2)
        box = self.outboxes()[0]
        path = f"/v1/sessions/{box['session']}/batches/{box['next']}"
        self.assertEqual(self.g.ask("PUT", path, {"key": "else"}).status, 200)
        self.like(1)
        wait_until(lambda: "1 like of doubt: not counted" in self.b.text("#told"), self.said)
        self.like(1)
        self.all_counted("doubt", 3)

    def test_a_session_that_rested(self):
        """It is closed before another one is taken, so that nothing of it can be counted any more."""
        self.open("rest")
        self.like(1)
        self.all_counted("rest", 1)
        old = self.outboxes()[0]["session"]
        self.assertEqual(int(old[0], 16) >> 1, 1, "one that may rest for an hour")
        self.b.run("const now = Date.now; Date.now = () => now() + 31 * 60e3")
        self.like(1)
        self.all_counted("rest", 2)
        self.assertNotEqual(self.outboxes()[0]["session"], old)
        late = self.g.ask("PUT", f"/v1/sessions/{old}/batches/9", {"key": "rest"})
        self.assertEqual((late.status, late.json["code"]), (410, "expired"))
        self.assertEqual(self.b.text("#told"), "")

    def test_tokens(self):
        self.g.ended()
        path = os.path.join(self.c.folder, "tokens")
        with open(path, "w", opener=lambda name, how: os.open(name, how, 0o600)) as file:
            file.write("write may-write-0123456789\noperate may-see-all-0123456789\n")
        self.start_gateway("--tokens", path)
        self.open("token")
        hidden = "return document.querySelector(arguments[0]).hidden"
        for token, sees_servers in ("may-write-0123456789", False), ("may-see-all-0123456789", True):
            wait_until(lambda: not self.b.run(hidden, "#enter"), "it asks for a token")
            self.b.click("#token")
            self.b.keys(token + ENTER)
            wait_until(lambda: self.b.run(hidden, "#enter"), "it takes the token")
            wait_until(lambda s=sees_servers: self.b.run(hidden, "#of-servers") != s, "the servers")
            self.like(1)
            self.all_counted("token", 1 + sees_servers)
            self.b.run("localStorage['kudos.token'] = 'another-0123456789'")
        self.like(1)
        self.await_pending("1 like on the way")
        wait_until(lambda: "Trying again" in self.b.text("#said"), self.said)

    def test_without_locks(self):
        """As over plain HTTP from another machine."""
        self.b.devtools("Page.addScriptToEvaluateOnNewDocument", source="""
            Object.defineProperty(navigator, "locks", {value: undefined}); crypto.randomUUID = undefined""")
        self.open("alone")
        self.like(5)
        self.all_counted("alone", 5)
        self.assertEqual(self.outboxes(), [])

    def test_without_storage(self):
        """When there is no room a like is not taken, and that is said; nothing is lost of what was."""
        self.open("full")
        self.like(1)
        self.all_counted("full", 1)
        self.b.run("localStorage['kudos.outbox.left'] = JSON.stringify({waiting: {}})")
        self.b.run("""localStorage.x = "";
                      for (let size = 2 ** 20; size; size >>= 1)
                          try { for (;;) localStorage.setItem("junk" + Math.random(), "x".repeat(size)) } catch {}
                      try { for (;;) localStorage.x += "x" } catch {}""")
        self.like(1)
        self.assertIn("Not taken", self.b.text("#said"))
        # What another tab has left is looked at meanwhile.
        self.b.run("""window.heard = [];
                      const said = document.querySelector("#said");
                      new MutationObserver(() => heard.push(said.textContent)).observe(said, {childList: true})""")
        self.b.run("dispatchEvent(new StorageEvent('storage', {key: 'kudos.outbox.left', newValue: localStorage['kudos.outbox.left']}))")
        wait_until(lambda: len(self.outboxes()) == 1, "it is cleared away")
        self.assertNotIn("Counted.", self.b.run("return heard"))
        self.b.run("Object.keys(localStorage).filter(name => !name.startsWith('kudos')).forEach(name => delete localStorage[name])")
        self.like(1)
        self.all_counted("full", 2)

    def test_keyboard(self):
        self.open()
        self.ready()
        self.b.keys(TAB + CONTROL + "a" + RELEASE + "keys:1" + ENTER)
        wait_until(lambda: self.b.text("#shown") == "keys:1", "Enter shows the key")
        self.b.keys(TAB + TAB)
        focus = self.b.run("""const focused = document.activeElement, style = getComputedStyle(focused);
                              return [focused.id, style.outlineStyle, style.outlineWidth]""")
        self.assertEqual(focus, ["like", "solid", "2px"])
        self.b.keys("  " + ENTER)
        self.all_counted("keys:1", 3)
        self.g.ask("POST", "/v1/likes", {"key": "best", "n": 1000000})
        wait_until(lambda: self.b.text("#top .n") == "1,000,000", "it is in the top")
        self.b.keys(TAB + ENTER)
        wait_until(lambda: self.b.text("#shown") == "best", "a key of the top is chosen")
        self.b.keys(SHIFT + TAB * 3 + RELEASE + CONTROL + "a" + RELEASE + "a b" + ENTER)  # that is no key
        self.assertTrue(self.b.run("return document.querySelector('#key').matches('[aria-invalid=true]')"))
        self.assertEqual(self.b.text("#shown"), "best")

    def test_names_for_all_that_can_be_used(self):
        self.g.ask("POST", "/v1/likes", {"key": "named", "n": 1})
        self.open()
        self.ready()
        wait_until(lambda: self.b.run("return document.querySelectorAll('#top button').length"), "the top")
        nodes = self.b.devtools("Accessibility.getFullAXTree")["nodes"]
        used = [(node["role"]["value"], node.get("name", {}).get("value")) for node in nodes
                if any(p["name"] == "focusable" for p in node.get("properties", [])) and node["role"]["value"] != "RootWebArea"]
        own = {("textbox", "Key"), ("button", "Show"), ("button", "Like")}
        self.assertLess(own, set(used))
        self.assertTrue(all(role == "button" and re.fullmatch(r"\S+ [\d,]+", name) for role, name in set(used) - own), used)

    def test_narrow(self):
        key = "long:" + "x" * 123
        self.g.ask("POST", "/v1/likes", {"events": [[f"{key[:-2]}{i:02}", 10 ** 5] for i in range(12)] * 10})
        self.b.size(360, 740)
        self.open(key[:-2] + "11")
        self.like(1)
        self.all_counted(key[:-2] + "11", 1000001)
        wait_until(lambda: self.b.run("return document.querySelectorAll('#servers tr').length") == 3, "the servers")
        self.g.ask("DELETE", "/v1/sessions/" + self.outboxes()[0]["session"])
        self.like(1)
        wait_until(lambda: "in doubt" in self.b.text("#told"), self.said)
        for scheme in "light", "dark":
            self.b.scheme(scheme)
            self.assertEqual(self.b.run("""const wide = [...document.querySelectorAll("body *")].filter(
                element => element.getBoundingClientRect().right > 360.5 && !element.closest("svg"));
                return [document.documentElement.scrollWidth, wide.map(element => element.outerHTML)]"""), [360, []])

    @unittest.skipUnless(os.environ.get("KUDOS_TEST_SCREENSHOT"), "KUDOS_TEST_SCREENSHOT names no file")
    def test_screenshot(self):
        amounts = [912, 871, 640, 522, 518, 377, 341, 290, 233, 121]
        self.g.ask("POST", "/v1/likes", {"events": [[f"post:{i + 1}", 1000 * n] for i, n in enumerate(amounts)]})
        self.b.size(1040, 760)
        self.open("post:3")
        self.like(3)
        self.c.load("--keys", "40", rate=800)
        rates = "return document.querySelector('#servers polyline').getAttribute('points').split(' ').length"
        wait_until(lambda: self.b.run(rates) >= 30, "half a line", deadline=60)
        self.b.screenshot(os.environ["KUDOS_TEST_SCREENSHOT"])


if __name__ == "__main__":
    cluster.main("__main__")
