"""A browser without a window (Debian's chromium), and axe-core to look for what keeps people out (WCAG 2.2 AA)."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from grid import BIN, eventually

AXE = "4.10.2"
AXE_SHA256 = "9ea2d2d6917da998122bdacfd3b473e31ead53f4b87146c716a12edf89158100"  # of the package as npm's registry has it
SHOTS = Path(os.environ.get("DUGNAD_SHOTS", BIN.parent / "screenshots"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dugnad-tests"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def fetch_axe():
    """axe-core's source. That it is the right one says its digest, whoever sent it. Without a network: DUGNAD_TESTS_WITHOUT_AXE=1."""
    if os.environ.get("DUGNAD_TESTS_WITHOUT_AXE"):
        return None
    kept = CACHE / f"axe-core-{AXE}.tgz"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            done = subprocess.run(["npm", "pack", "--silent", f"axe-core@{AXE}"], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=120)
            assert done.returncode == 0, f"npm cannot fetch axe-core {AXE} (DUGNAD_TESTS_WITHOUT_AXE=1 does without): {done.stderr}"
            (Path(folder) / kept.name).rename(kept)
    content = kept.read_bytes()
    if hashlib.sha256(content).hexdigest() != AXE_SHA256:
        kept.unlink()
        raise AssertionError(f"what npm gave is not axe-core {AXE}")
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return tar.extractfile("package/axe.min.js").read().decode()


class Browser:
    def __init__(self, dark=False, width=1280, height=900):
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--ignore-certificate-errors", "--hide-scrollbars",
                     "--no-first-run", "--disable-background-networking", "--disable-component-update", f"--window-size={width},{height}"):
            options.add_argument(word)
        if dark:
            options.add_argument("--force-dark-mode")
        self.downloads = Path(tempfile.mkdtemp(prefix="dugnad-downloads-"))
        options.add_experimental_option("prefs", {"download.default_directory": str(self.downloads), "profile.default_content_setting_values.automatic_downloads": 1})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_page_load_timeout(30)
        self.media(dark)
        self.axe = fetch_axe()

    def media(self, dark):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                                                                                 {"name": "prefers-reduced-motion", "value": "reduce"}]})

    def size(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", dict(width=width, height=height, deviceScaleFactor=1, mobile=False))

    def open(self, url):
        self.driver.get(url)

    def run(self, script, *args):
        return self.driver.execute_script(script, *args)

    def text(self):
        return self.run("return document.body.innerText")

    def wait(self, script, seconds=15):
        return eventually(lambda: self.run(f"return {script}"), seconds, what=script)

    def settled(self):
        """A screen with a heading that is not loading any more."""
        self.wait("!!document.querySelector('h1') && !/Loading/.test(document.body.innerText)")
        time.sleep(0.15)  # what comes with the next frame

    def shot(self, name):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SHOTS / f"{name}.png"))

    def violations(self):
        if self.axe is None:
            return []
        found = self.driver.execute_async_script(
            self.axe + ";const done = arguments[arguments.length - 1]; axe.run(document, {runOnly: arguments[0], rules: {'target-size': {enabled: true}}, resultTypes: ['violations']})"
            ".then(r => done(r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | '))),"
            " e => done(['axe failed: ' + e]));", RULES)
        return found

    def complaints(self):
        """What the page's scripts and the browser complained of since the last time."""
        return [x["message"] for x in self.driver.get_log("browser") if x["level"] in ("SEVERE", "WARNING") and "favicon" not in x["message"]]

    def too_wide(self):
        return self.run("return document.documentElement.scrollWidth - window.innerWidth") > 0

    def log_in(self, grid, token=None):
        """From whatever page, through the login page."""
        self.open(f"{grid.url}/admin/")
        self.wait("!!document.getElementById('token')")
        self.run("document.querySelectorAll('details').forEach(d => { d.open = true })")
        self.driver.find_element(By.ID, "token").send_keys((token or grid.token) + Keys.ENTER)
        self.wait("!document.getElementById('token')")
        self.settled()

    def log_out(self):
        self.driver.delete_all_cookies()
        self.run("localStorage.clear()")

    def press(self, label, within="main"):
        """The button of that label."""
        self.wait(f"[...document.querySelectorAll('{within} button')].some(x => x.innerText.startsWith('{label}') && !x.disabled)")
        self.run("[...document.querySelectorAll(arguments[0] + ' button')].find(x => x.innerText.startsWith(arguments[1]) && !x.disabled).click()", within, label)

    def key(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def close(self):
        self.driver.quit()
        shutil.rmtree(self.downloads, ignore_errors=True)

    def downloaded(self, name):
        """The bytes of a file that the page has saved."""
        path = self.downloads / name
        eventually(path.exists, 20, what=f"{name} is saved")
        return path.read_bytes()
