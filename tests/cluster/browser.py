# SPDX-License-Identifier: MIT
"""Debian's chromium, steered through chromedriver by the W3C's WebDriver protocol: as much of it as the tests need."""
import base64
import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from cluster import SLOW, die_with_parent, wait_until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name for a reference to one
RELEASE, TAB, ENTER, SHIFT, CONTROL = "\ue000", "\ue004", "\ue007", "\ue008", "\ue009"  # likewise
MISSING = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb"]


class Browser:
    """One browser with a fresh profile; tabs are WebDriver's windows."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.profile = tempfile.mkdtemp(prefix="kudos-test-")
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self.session = None
        try:
            wait_until(self.ready, "chromedriver is ready")
            options = {"args": [*FLAGS, "--user-data-dir=" + self.profile]}
            made = self.send("POST", "/session", {"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
            self.session = "/session/" + made["sessionId"]
        except BaseException:
            self.close()
            raise

    def ready(self):
        try:
            return self.send("GET", "/status")["ready"]
        except OSError:
            return False

    def send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60 * SLOW) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {json.load(error)['value']['message']}") from None

    def ask(self, method, path, body=None):
        return self.send(method, self.session + path, body)

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", "")
        finally:
            self.driver.kill()
            self.driver.wait()
            shutil.rmtree(self.profile, ignore_errors=True)

    # ---- tabs ----

    def go(self, url):
        self.ask("POST", "/url", {"url": url})

    def reload(self):
        self.ask("POST", "/refresh", {})

    def tab(self):
        return self.ask("GET", "/window")

    def start_anew(self, url):
        """One tab, without anything that was set in another, on a site that has stored nothing."""
        old = self.ask("GET", "/window/handles")
        self.open_tab()
        new = self.tab()
        for tab in old:
            self.switch(tab)
            self.close_tab()
        self.switch(new)
        self.go(url)
        self.run("localStorage.clear()")
        self.log()

    def open_tab(self):
        self.switch(self.ask("POST", "/window/new", {"type": "tab"})["handle"])
        return self.tab()

    def switch(self, tab):
        self.ask("POST", "/window", {"handle": tab})

    def close_tab(self):
        self.ask("DELETE", "/window")

    # ---- what is in one ----

    def run(self, script, *arguments):
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector):
        return self.ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.ask("POST", f"/element/{self.find(selector)}/click", {})

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def keys(self, text):
        """Types into whatever has the focus. SHIFT and CONTROL are held until RELEASE."""
        actions, held = [], []
        for c in text:
            if c == RELEASE:
                actions += [{"type": "keyUp", "value": key} for key in held]
                held = []
                continue
            actions.append({"type": "keyDown", "value": c})
            if c in (SHIFT, CONTROL):
                held.append(c)
            else:
                actions.append({"type": "keyUp", "value": c})
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    # ---- chromium's own ----

    def devtools(self, command, **parameters):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def offline(self, yes):
        self.devtools("Network.enable")
        self.devtools("Network.emulateNetworkConditions", offline=yes, latency=0, downloadThroughput=-1, uploadThroughput=-1)

    def size(self, width, height):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def scheme(self, name):
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("GET", "/screenshot")))

    def log(self):
        """What the page wrote to the console, and the browser about it, since the last call."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]
