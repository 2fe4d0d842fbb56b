"""The volunteer's local page in a real browser: light, dark, narrow, with the keyboard alone; nothing for axe-core to complain of."""

import time

import pytest
from selenium.webdriver.common.keys import Keys

from browser import Browser
from grid import eventually

CONF = dict(contact="1s", contact_idle="1s")


@pytest.fixture(scope="module")
def client(grid):
    grid.publish("dugnad-say", "say", "--title", "Says what it is told")
    client = grid.client("ada", cores=1, memory_bytes="1G").start()
    eventually(lambda: client.call("status").returncode == 0)
    batch = grid.submit("say", lines=["a", "b", "c"], quorum=1, policy="once")
    grid.wait_done(batch)
    grid.submit("say", lines=["--sleep 30000"], quorum=1, policy="once", command=("{}",))
    return client


@pytest.fixture(scope="module")
def browser(client):
    made = Browser()
    made.open(client.call("page").stdout.strip())
    made.settled()
    made.complaints()
    yield made
    made.close()


def paused(client):
    return "Paused by the owner" in client.call("status").stdout


def test_it_is_clean_in_light_and_dark_and_narrow(browser):
    wrong = []
    for name, dark, width, height in (("light", False, 1280, 900), ("dark", True, 1280, 900), ("narrow", False, 390, 844)):
        browser.media(dark)
        browser.size(width, height)
        time.sleep(0.3)
        browser.shot(f"local-{name}")
        wrong += [f"{name}: {v}" for v in browser.violations()]
        wrong += [f"{name}: wider than the screen"] if browser.too_wide() else []
    assert not wrong + browser.complaints()


def test_it_is_used_with_the_keyboard_alone(browser, client):
    """Tab reaches every control in turn, what has the focus can be seen, and Enter does what it says."""
    browser.size(1280, 900)
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    body, seen = browser.driver.find_element("tag name", "body"), []
    body.send_keys(Keys.TAB)
    for _ in range(80):
        at = browser.run("const e = document.activeElement, s = getComputedStyle(e);"
                         "return [e.tagName + '|' + (e.id || e.innerText || e.name).slice(0, 40), s.outlineStyle !== 'none' || s.boxShadow !== 'none', e === document.body]")
        if at[2] or (seen and at[0] == seen[0] and len(seen) > 3):
            break
        assert at[1], f"{at[0]} has the focus and does not show it"
        seen.append(at[0])
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
    controls = browser.run("return [...document.querySelectorAll('button, a[href], input, select, textarea, summary')].filter(e => e.checkVisibility() && !e.disabled).length")
    assert len(seen) >= min(controls, 80), (controls, seen)
    assert browser.run("const b = [...document.querySelectorAll('button')].find(x => /^Pause/.test(x.innerText)); b && b.focus(); return !!b")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    eventually(lambda: paused(client), 10)
    assert client.call("resume").returncode == 0
    eventually(lambda: not paused(client), 10)
    assert not browser.complaints()


def test_a_client_that_has_ended_is_not_said_to_wait_or_to_be_a_server(browser, client):
    client.end()
    browser.wait("/The client on this computer does not answer/.test(document.body.innerText)")
    assert browser.run("return document.querySelector('h1').innerText") == "Not answering"
    assert "server" not in browser.run("return document.querySelector('.note').innerText")
