"""Logging in to the console, in Chromium: password, passkey, recovery code, token; where one is logged in; logging in once more before a ban; and the screens
of what wants it: bans with a look at what they take back, versions of apps on trial, the oldest client that gets work."""

import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions

from browser import Browser
from grid import Api, eventually, set_conf

CONF = dict(login_fresh="4s")
PASSWORD = "fire små kinesere på rad"


@pytest.fixture(scope="module", autouse=True)
def named(grid):
    """Passkeys belong to a name."""
    set_conf(grid.data / "server.conf", url=f"https://localhost:{grid.port}")
    grid.server.end()
    grid.start()
    grid.url = f"https://localhost:{grid.port}"
    grid.publish("dugnad-say", "say")
    grid.publish("dugnad-say", "say", "--version", "2")


@pytest.fixture(scope="module")
def browser(grid, named):
    made = Browser()
    made.open(f"{grid.url}/")
    made.driver.add_virtual_authenticator(VirtualAuthenticatorOptions(protocol="ctap2", transport="internal", has_resident_key=True, has_user_verification=True, is_user_verified=True))
    made.log_in(grid)
    yield made
    made.close()


def type_in(browser, element, text):
    field = browser.driver.find_element(By.ID, element)
    field.clear()
    field.send_keys(text)
    return field


def settings(browser, grid):
    browser.open(f"{grid.url}/admin/settings")
    browser.settled()
    browser.wait("/How you log in/.test(document.body.innerText) && /Where you are logged in/.test(document.body.innerText)")


def answer_once_more(browser, token):
    """The dialog, where the session is too old; nothing where it is not."""
    browser.wait("!!document.querySelector('[aria-labelledby=again-title]')")
    browser.run("document.querySelector('[aria-labelledby=again-title] details').open = true")
    browser.driver.find_element(By.CSS_SELECTOR, "[aria-labelledby=again-title] #token").send_keys(token + Keys.ENTER)
    browser.wait("!document.querySelector('[aria-labelledby=again-title]')")


def comes_true(browser, grid, check):
    """What was asked has happened; logging in once more where that is wanted."""
    def look():
        if browser.run("return !!document.querySelector('[aria-labelledby=again-title]')"):
            answer_once_more(browser, grid.token)
        return check()
    eventually(look, 20)


def age(browser):
    """Until the session is not fresh any more; a login is one request before the page that is looked at."""
    browser.wait("performance.now() > 5000", 10)


def test_a_password_is_set_and_lets_in(grid, browser):
    settings(browser, grid)
    type_in(browser, "password-password", PASSWORD + Keys.ENTER)
    comes_true(browser, grid, lambda: any(c["kind"] == "password" for c in grid.api.get("/v1/credentials")["items"]))
    browser.log_out()
    browser.open(f"{grid.url}/admin/")
    browser.wait("!!document.getElementById('password')")
    browser.shot("login-ways")
    assert not browser.violations()
    type_in(browser, "name", "operator")
    type_in(browser, "password", PASSWORD + "x" + Keys.ENTER)
    browser.wait("!!document.querySelector('[role=alert]')")
    type_in(browser, "password", PASSWORD + Keys.ENTER)
    browser.wait("!!document.getElementById('search')")
    browser.complaints()


def test_a_passkey_is_made_and_lets_in_without_a_name(grid, browser):
    settings(browser, grid)
    type_in(browser, "passkey-name", "this machine" + Keys.ENTER)
    comes_true(browser, grid, lambda: browser.run("return /this machine/.test(document.querySelector('[aria-label=credentials]').innerText)"))
    browser.log_out()
    browser.open(f"{grid.url}/admin/")
    browser.press("Log in with a passkey")
    browser.wait("!!document.getElementById('search')")
    assert any(c["kind"] == "passkey" and c["used_ms"] for c in grid.api.get("/v1/credentials")["items"])


def test_a_recovery_code_lets_in_once(grid, browser):
    settings(browser, grid)
    browser.press("New recovery codes")
    browser.press("New recovery codes", "dialog")
    comes_true(browser, grid, lambda: browser.run("return !!document.querySelector('.note pre')"))
    codes = browser.run("return document.querySelector('.note pre').innerText").split()
    assert len(codes) == 10
    browser.log_out()
    browser.open(f"{grid.url}/admin/")
    browser.wait("!!document.getElementById('recovery')")
    browser.run("document.querySelector('details').open = true")
    type_in(browser, "recovery-name", "operator")
    type_in(browser, "recovery", codes[0] + Keys.ENTER)
    browser.wait("!!document.getElementById('search')")
    settings(browser, grid)
    assert "9 recovery codes are left" in browser.text()


def test_other_sessions_are_seen_and_ended(grid, browser):
    other = Api(grid)
    reply = other.ask("POST", "/v1/session", dict(token=grid.token), {"User-Agent": "a lost phone"})
    cookie = {"Cookie": reply.headers["set-cookie"].split(";")[0]}
    settings(browser, grid)
    browser.wait("/a lost phone/.test(document.querySelector('[aria-label=sessions]').innerText)")
    browser.run("[...document.querySelectorAll('[aria-label=sessions] tr')].find(x => /lost phone/.test(x.innerText)).querySelector('button').click()")
    browser.press("End this session", "dialog")
    comes_true(browser, grid, lambda: other.ask("GET", "/v1/session", None, cookie).status == 401)


def test_a_ban_says_what_it_takes_back_and_wants_a_fresh_login(grid, browser):
    host = grid.host("to be banned")
    batch = grid.submit("say", array=2, quorum=1)
    host.take_all(2)
    browser.open(f"{grid.url}/admin/hosts/{host.id}")
    browser.settled()
    age(browser)
    browser.press("Ban")
    answer_once_more(browser, grid.token)  # already for the look
    browser.wait(f"/2 attempts that are out, to go to other hosts \\({batch}\\.[01], {batch}\\.[01]\\)/.test(document.querySelector('dialog').innerText)")
    browser.shot("ban-preview")
    browser.driver.find_element(By.ID, "confirm-word").send_keys(host.id + Keys.ENTER)
    comes_true(browser, grid, lambda: grid.api.get(f"/v1/hosts/{host.id}")["banned"])
    browser.wait("/Lift the ban/.test(document.body.innerText)")
    browser.complaints()
    grid.cancel_all()


def test_a_version_goes_to_more_hosts_and_is_stopped(grid, browser):
    browser.log_out()
    browser.log_in(grid)
    browser.open(f"{grid.url}/admin/apps")
    browser.settled()

    def version():
        return next(a for a in grid.api.get("/v1/versions")["apps"] if a["version"] == 2)


    row = "[...document.querySelectorAll('[aria-label=versions] tr')].find(x => /say 2/.test(x.innerText))"
    browser.wait(f"!!{row}")
    browser.run(f"[...{row}.querySelectorAll('button')].find(x => x.innerText === 'Stop').click()")
    browser.wait("!!document.getElementById('confirm-word')")
    browser.driver.find_element(By.ID, "confirm-word").send_keys("say" + Keys.ENTER)
    comes_true(browser, grid, lambda: version()["halted"])
    browser.wait(f"/stopped/.test({row}.innerText)")
    browser.run(f"[...{row}.querySelectorAll('button')].find(x => x.innerText === '10 %').click()")
    comes_true(browser, grid, lambda: version()["share"] == 0.1 and not version()["halted"])
    browser.wait(f"/on trial/.test({row}.innerText)")
    browser.shot("apps-rollout")
    assert not browser.violations()
    found = grid.dugnad("versions")
    assert re.search(r"say +2 +10 %", found), found


def test_older_clients_are_refused_after_the_word_was_typed(grid, browser):
    browser.open(f"{grid.url}/admin/apps")
    browser.settled()
    browser.wait("!!document.getElementById('client_min')")
    type_in(browser, "client_min", "0.0.2")
    browser.press("Set")
    browser.wait("/dugnad versions --client-min/.test(document.querySelector('dialog').innerText)")
    browser.driver.find_element(By.ID, "confirm-word").send_keys("refuse" + Keys.ENTER)
    comes_true(browser, grid, lambda: grid.api.get("/v1/versions")["client_min"] == "0.0.2")
