"""The console and the public pages in a real browser: every screen, light and dark and narrow, with nothing for axe-core or the browser to
complain of. Screenshots are kept beside the programs (build/screenshots), for eyes."""

import json
import os
import re
import time

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser import Browser
from grid import Grid, eventually

SCREENS = ["", "batches", "batches/new", "batches/{batch}", "batches/{failing}", "units/{batch}.0", "units/{failing}.0", "hosts", "hosts/1", "validation", "apps",
           "streams", "volunteers", "audit", "health", "settings", "wall", "find?text=a", "hosts?sort=-errors", "batches/{stage}"]
PAGES = ["/", "/join"]
QUEUED = int(os.environ.get("CONSOLE_UNITS", 1_000_000))


def remember_a_day(grid):
    """What the server has kept of the day before: one line a minute."""
    now = int(time.time() * 1000)
    lines = [[now - (1440 - m) * 60000, m * 40 + m % 60 * 7, 0, m // 9 * (2 if 600 < m < 700 else 1), m * 45, 60000 - m * 35, 8 + m // 200] for m in range(1440) if not 900 < m < 960]
    grid.server.end()
    (grid.data / "history.ndjson").write_text("".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines))
    grid.server.start()
    grid.wait_ready()


@pytest.fixture(scope="module")
def busy(grid):
    """A project with something on every screen, and with a past."""
    remember_a_day(grid)
    grid.login()
    grid.publish("dugnad-say", "say", "--title", "Says what it is told", "--summary", "Repeats a word.")
    hosts = [grid.host("ada's box"), grid.host("bo")]
    batch = grid.submit("say", lines=[f"line {n}" for n in range(60)])
    for host in hosts:
        host.work_off(most=40)
    failing = grid.submit("say", lines=["x", "y", "z"], quorum=1, max_error_attempts=0)
    for host in hosts:
        held = host.take(60)
        wrong = [a for a in held if a.startswith(f"{failing}.")]
        host.report(*[host.error(a, "exit", exit_code=3, stderr="no such file: <b>input.txt</b>\n") for a in wrong])
    grid.dugnad("submit", "say", "--quiet", "--name", "a million", "--array", f"1..{QUEUED}", "--priority", "-1", "--", "{}")
    disputed = grid.submit("say", lines=["true"], priority=5)
    for n, host in enumerate(hosts + [grid.host("cy", team="Owls")]):
        held = host.take(60)
        host.report(*[host.answer(a, f"{n % 2}\n") for a in held if a.startswith(f"{disputed}.")])
    first = grid.api.post("/v1/batches", dict(app="say", name="split", command=["{}"], array=dict(first=1, last=5)))["batch"]
    stage = grid.api.post("/v1/batches", dict(app="say", name="each", command=["{}"], stage=dict(each=first)))["batch"]
    grid.api.ask("POST", "/v1/streams/readings", "one\n").ok()
    grid.api.get("/v1/streams/readings/records?cursor=archive&member=m&limit=1")
    grid.user("carol", role="viewer")
    grid.api.post("/v1/invitations", dict(uses_max=3, name="the club"))
    return dict(batch=batch, failing=failing, stage=stage)


@pytest.fixture(scope="module")
def browser(grid, busy):
    made = Browser()
    made.log_in(grid)
    assert not made.complaints()
    yield made
    made.close()


def name_of(screen):
    return re.sub(r"[^a-z0-9N.]+", "-", screen.format(batch="N", failing="failing", stage="graph")) or "overview"


@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_is_clean_in_light_and_dark_and_narrow(grid, browser, busy, screen):
    name = name_of(screen)
    browser.size(1280, 900)
    browser.media(dark=False)
    browser.open(f"{grid.url}/admin/{screen.format(**busy)}")
    browser.settled()
    browser.shot(f"{name}-light")
    wrong = [f"light: {v}" for v in browser.violations()]
    browser.media(dark=True)
    browser.settled()
    browser.shot(f"{name}-dark")
    wrong += [f"dark: {v}" for v in browser.violations()]
    browser.media(dark=False)
    for name_of_size, size in (("narrow", (360, 780)), ("zoomed", (640, 450))):  # as at 200 % on a screen of 1280 by 900
        browser.size(*size)
        browser.settled()
        browser.shot(f"{name}-{name_of_size}")
        wrong += [f"{name_of_size}: the page is wider than the screen"] if browser.too_wide() else []
        wrong += [f"{name_of_size}: {v}" for v in browser.violations()] if name_of_size == "narrow" else []
    wrong += browser.complaints()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES)
def test_public_pages_are_clean(grid, browser, page):
    browser.size(1280, 900)
    browser.open(grid.url + page)
    browser.settled()
    name = page.strip("/") or "home"
    browser.shot(f"{name}-light")
    wrong = browser.violations()
    browser.size(390, 844)
    browser.settled()
    browser.shot(f"{name}-narrow")
    wrong += ["wider than the screen"] if browser.too_wide() else []
    wrong += browser.complaints()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("screen", ["", "batches", "batches/{million}", "batches/{million}?state=failed", "batches/{million}?after={million}.{late}"])
def test_the_first_paint_comes_at_once_though_a_million_units_wait(grid, browser, busy, screen):
    million = grid.api.get("/v1/batches?search=a%20million")["items"][0]["batch"]
    eventually(lambda: grid.status(million)["units"] == QUEUED, max(300, QUEUED // 2000), 1, "all units are queued")
    browser.size(1280, 900)
    paints, whole = [], []
    for _ in range(5):
        browser.open(f"{grid.url}/admin/{screen.format(million=million, late=QUEUED * 9 // 10)}")
        browser.run("window.since = 0; (function look() { if (!/Loading/.test(document.body.innerText) && document.querySelector('h1')) window.since = performance.now(); else setTimeout(look, 5) })()")
        whole.append(browser.wait("window.since"))
        paints.append(browser.wait("(performance.getEntriesByName('first-contentful-paint')[0] || {}).startTime"))
    print(f"{screen or 'overview'}: first paint {[round(p) for p in paints]} ms, all there {[round(p) for p in whole]} ms")
    assert min(paints) < 300 and min(whole) < 1000, (paints, whole)


def test_the_past_is_there_after_a_restart(grid, browser, busy):
    past = grid.api.get("/v1/stats/history?hours=24")["items"]
    gaps = [b["time_ms"] - a["time_ms"] for a, b in zip(past, past[1:])]
    assert len(past) > 600 and [g // 60000 for g in gaps if g > 10 * 60000] in ([g] for g in range(59, 65)), sorted(gaps)[-5:]  # when no server ran
    browser.open(f"{grid.url}/admin/")
    browser.settled()
    browser.wait("document.querySelectorAll('.plot path.line').length === 4")
    for path in browser.run("return [...document.querySelectorAll('.plot path.line')].map(x => x.getAttribute('d'))"):
        assert path.count("L") > 300 and path.count("M") >= 2, path[:200]  # broken where no server ran


def test_a_batch_is_paused_and_resumed_with_the_keyboard_alone(grid, browser, busy):
    browser.size(1280, 900)
    browser.open(f"{grid.url}/admin/batches/{busy['batch']}")
    browser.settled()
    pressed = browser.run("const b = [...document.querySelectorAll('main button')].find(x => /^Pause/.test(x.innerText)); b && b.focus(); return !!b")
    assert pressed, browser.text()
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    eventually(lambda: grid.status(busy["batch"])["state"] == "paused", 10)
    browser.wait("[...document.querySelectorAll('main button')].some(x => /^Resume/.test(x.innerText))")
    browser.run("[...document.querySelectorAll('main button')].find(x => /^Resume/.test(x.innerText)).focus()")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    eventually(lambda: grid.status(busy["batch"])["state"] != "paused", 10)


def test_what_a_program_said_is_text_and_never_markup(grid, browser, busy):
    browser.open(f"{grid.url}/admin/units/{busy['failing']}.0")
    browser.settled()
    assert "<b>input.txt</b>" in browser.text() and browser.run("return document.querySelectorAll('main b').length") == 0


def test_slash_jumps_to_a_unit(grid, browser, busy):
    browser.open(f"{grid.url}/admin/")
    browser.settled()
    browser.driver.find_element(By.TAG_NAME, "body").send_keys("/")
    browser.wait("document.activeElement.id === 'search'")
    browser.driver.switch_to.active_element.send_keys(f"{busy['batch']}.3" + Keys.ENTER)
    browser.wait(f"location.pathname.endsWith('/units/{busy['batch']}.3')")


def test_a_new_project_says_what_to_do_first(tmp_path):
    with Grid(tmp_path) as grid:
        browser = Browser()
        try:
            browser.open(f"{grid.url}/admin/")
            browser.settled()
            browser.shot("login-light")
            assert not browser.violations()
            browser.log_in(grid)
            browser.wait("/First steps/.test(document.body.innerText)")
            assert "No PC takes part yet" in browser.text() and "No batch yet" in browser.text()
            wrong = []
            for screen in ("", "batches", "hosts", "streams", "health"):
                browser.open(f"{grid.url}/admin/{screen}")
                browser.settled()
                browser.shot(f"{name_of(screen)}-empty")
                wrong += browser.violations() + browser.complaints()
            assert not wrong, "\n".join(wrong)
        finally:
            browser.close()


def test_a_server_that_is_gone_is_said_and_found_again(grid, browser, busy):
    browser.size(1280, 900)
    browser.open(f"{grid.url}/admin/")
    browser.settled()
    grid.server.kill()
    browser.wait("/The server does not answer/.test(document.body.innerText)", 30)
    browser.shot("overview-broken")
    assert "All is well" not in browser.text()
    assert not browser.violations()
    grid.server.start()
    grid.wait_ready()
    browser.wait("/All is well/.test(document.body.innerText)", 60)
    browser.complaints()


def test_what_would_keep_people_out_is_found(grid, browser):
    """The searching itself: a field without a label, a word that one cannot read, a script that fails."""
    if browser.axe is None:
        pytest.skip("DUGNAD_TESTS_WITHOUT_AXE is set")
    browser.open(f"{grid.url}/admin/batches")
    browser.settled()
    assert not browser.violations() and not browser.complaints()
    browser.run("const i = document.createElement('input'), p = document.createElement('p'); p.innerText = 'pale'; p.style.color = '#eee';"
                "p.style.background = '#fff'; document.body.append(i, p); setTimeout(() => { throw new Error('planted') }, 0)")
    found = browser.violations()
    assert any(v.startswith("label:") for v in found) and any(v.startswith("color-contrast:") for v in found), found
    assert any("planted" in c for c in browser.complaints())
