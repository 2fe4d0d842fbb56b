"""The console and the public pages in a real browser: every screen, light and dark and narrow, with nothing for axe-core or the browser to
complain of. Screenshots are kept beside the programs (build/screenshots), for eyes."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser import Browser
from grid import Grid, eventually

SCREENS = ["", "batches", "batches/new", "batches/{batch}", "batches/{failing}", "units/{batch}.0", "units/{failing}.0", "hosts", "hosts/1", "validation", "apps",
           "streams", "volunteers", "audit", "health", "settings", "wall"]
PAGES = ["/", "/join"]
QUEUED = 1_000_000


@pytest.fixture(scope="module")
def busy(grid):
    """A project with something on every screen."""
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
    grid.api.ask("POST", "/v1/streams/readings", "one\n").ok()
    grid.api.get("/v1/streams/readings/records?cursor=archive&member=m&limit=1")
    grid.user("carol", role="viewer")
    grid.api.post("/v1/invitations", dict(uses_max=3, name="the club"))
    return dict(batch=batch, failing=failing, host=hosts[0].id)


@pytest.fixture(scope="module")
def browser(grid, busy):
    made = Browser()
    log_in(made, grid)
    yield made
    made.close()


def log_in(browser, grid):
    browser.open(f"{grid.url}/admin/")
    browser.wait("!!document.getElementById('token')")
    browser.driver.find_element(By.ID, "token").send_keys(grid.token + Keys.ENTER)
    browser.wait("!document.getElementById('token')")
    browser.settled()
    browser.complaints()


def name_of(screen):
    return screen.format(batch="N", failing="failing").replace("/", "-") or "overview"


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
    browser.size(390, 844)
    browser.settled()
    browser.shot(f"{name}-narrow")
    wrong += ["narrow: the page is wider than the screen"] if browser.too_wide() else []
    wrong += [f"narrow: {v}" for v in browser.violations()]
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


def test_the_first_paint_comes_at_once_though_a_million_units_wait(grid, browser, busy):
    browser.size(1280, 900)
    paints = []
    for _ in range(5):
        browser.open(f"{grid.url}/admin/batches")
        browser.settled()
        paints.append(browser.wait("(performance.getEntriesByName('first-contentful-paint')[0] || {}).startTime"))
    print("first paint, ms:", [round(p) for p in paints])
    assert min(paints) < 300, paints


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
            log_in(browser, grid)
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
                "p.style.background = '#fff'; document.querySelector('main').append(i, p); setTimeout(() => { throw new Error('planted') }, 0)")
    found = browser.violations()
    assert any(v.startswith("label:") for v in found) and any(v.startswith("color-contrast:") for v in found), found
    assert any("planted" in c for c in browser.complaints())
