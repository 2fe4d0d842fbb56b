"""How people get into the console: passwords, recovery codes, passkeys in a real browser's virtual authenticator; where they are logged in;
and what wants a fresh login. Nothing secret ever gets into the server's log."""

import re

import pytest
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions

from browser import Browser
from grid import Api, eventually, set_conf

CONF = dict(login_fresh="3s")
PASSWORD = "fire små kinesere på rad"
SECRETS = [PASSWORD]


@pytest.fixture(scope="module", autouse=True)
def named(grid):
    """Passkeys belong to a name."""
    set_conf(grid.data / "server.conf", url=f"https://localhost:{grid.port}")
    grid.server.end()
    grid.start()
    yield
    log = grid.server.text()
    assert "login-failed" in log
    for secret in SECRETS:
        assert secret not in log, "a secret is in the log"


class Page(Api):
    """A browser's session."""

    def __init__(self, grid, agent="a test", **shown):
        super().__init__(grid)
        self.agent = agent
        self.log_in(**shown)

    def log_in(self, **shown):
        headers = {"User-Agent": self.agent, **({"Cookie": self.cookie} if getattr(self, "cookie", None) else {})}
        reply = super().ask("POST", "/v1/session", shown, headers)
        assert reply.status == 200, reply.body
        self.cookie, self.csrf = reply.headers["set-cookie"].split(";")[0], reply.json["csrf"]
        SECRETS.append(self.cookie.partition("=")[2])

    def ask(self, method, path, body=None, headers=()):
        return super().ask(method, path, body, {"Cookie": self.cookie, "X-CSRF-Token": self.csrf, "User-Agent": self.agent, **dict(headers)})


def person(grid, name, role="scientist"):
    token = grid.user(name, role).token
    SECRETS.append(token)
    return token


def refused(grid, status, code, **shown):
    return Api(grid).ask("POST", "/v1/session", shown).refused(status, code)


def test_a_password_lets_in_and_a_wrong_one_says_nothing_of_who_has_one(grid):
    page = Page(grid, token=person(grid, "kari"))
    page.post("/v1/credentials", dict(kind="password", password=PASSWORD))
    assert Page(grid, name="kari", password=PASSWORD).get("/v1/session")["name"] == "kari"
    wrong = refused(grid, 401, "auth", name="kari", password=PASSWORD + "x")
    assert refused(grid, 401, "auth", name="nobody at all", password=PASSWORD) == wrong
    page.log_in(name="kari", password=PASSWORD)
    page.ask("POST", "/v1/credentials", dict(kind="password", password="short")).refused(400, "invalid")
    stored = grid.stored()
    assert b"kari" in stored and PASSWORD.encode() not in stored


def test_recovery_codes_are_good_once_each_and_new_ones_end_the_old(grid):
    page = Page(grid, token=person(grid, "ola"))
    old = page.post("/v1/credentials", dict(kind="recovery"))["codes"]
    codes = page.post("/v1/credentials", dict(kind="recovery"))["codes"]
    SECRETS.extend(old + codes)
    assert len(set(codes)) == 10 and page.get("/v1/credentials")["recovery_codes"] == 10
    refused(grid, 401, "auth", name="ola", recovery=old[0])
    Page(grid, name="ola", recovery=codes[3].lower().replace("-", " "))
    refused(grid, 401, "auth", name="ola", recovery=codes[3])
    assert Page(grid, name="ola", recovery=codes[4]).get("/v1/credentials")["recovery_codes"] == 8


def test_sessions_are_seen_and_ended_one_by_one_all_at_once_and_by_operators(grid):
    token = person(grid, "liv")
    desk, phone, lost = Page(grid, "desk", token=token), Page(grid, "a phone\x7f", token=token), Page(grid, "lost", token=token)
    listed = {s["agent"]: s for s in desk.get("/v1/sessions")["items"]}
    assert set(listed) == {"desk", "a phone?", "lost"} and [a for a, s in listed.items() if s["current"]] == ["desk"]
    assert desk.ask("DELETE", f"/v1/tokens/{listed['lost']['session']}").status == 200
    lost.ask("GET", "/v1/session").refused(401, "auth")
    other = Page(grid, token=person(grid, "another"))
    other.ask("DELETE", f"/v1/tokens/{listed['desk']['session']}").refused(404, "missing")
    me = desk.get("/v1/session")["id"]
    other.ask("GET", f"/v1/sessions?user={me}").refused(403, "denied")
    desk.ask("DELETE", "/v1/sessions").ok()
    phone.ask("GET", "/v1/session").refused(401, "auth")
    assert len(grid.api.get(f"/v1/sessions?user={me}")["items"]) == 1
    grid.api.ask("DELETE", f"/v1/sessions?user={me}").ok()
    desk.ask("GET", "/v1/session").refused(401, "auth")


def test_what_hurts_most_wants_a_fresh_login_of_a_browser(grid):
    host, page = grid.host("to be banned"), Page(grid, token=grid.token)
    page.post(f"/v1/hosts/{host.id}/ban", dict(reason="at once"))
    page.post(f"/v1/hosts/{host.id}/unban")
    eventually(lambda: page.ask("DELETE", "/v1/releases/" + "0" * 64).status == 403, 10)
    for method, path in (("POST", f"/v1/hosts/{host.id}/ban"), ("POST", "/v1/releases"), ("DELETE", "/v1/releases/" + "0" * 64),
                         ("POST", "/v1/credentials"), ("POST", "/v1/users"), ("POST", "/v1/tokens")):
        assert "log in again" in page.ask(method, path, None if method == "DELETE" else "{}").refused(403, "reauth")
    assert page.get(f"/v1/hosts/{host.id}")["banned"] is False  # and all else goes on
    before = page.cookie
    page.log_in(token=grid.token)  # the step up: a new session in place of the old one
    page.post(f"/v1/hosts/{host.id}/ban", dict(reason="now"))
    Api(grid).ask("GET", "/v1/session", None, {"Cookie": before}).refused(401, "auth")
    grid.api.post(f"/v1/hosts/{host.id}/unban")  # a token as a bearer shows itself each time


# --- passkeys, with Chromium's virtual authenticator

WEBAUTHN = """
const done = arguments[arguments.length - 1], [what, mode] = arguments;
const un = (t) => Uint8Array.from(atob(t.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const b64 = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '');
const make = async () => {
  const c = await navigator.credentials.create({publicKey: {challenge: un(what.challenge), rp: {id: what.rp_id, name: what.rp_name},
    user: {id: un(what.user_handle), name: what.user_name, displayName: what.user_name}, attestation: 'none', excludeCredentials: what.exclude.map((id) => ({type: 'public-key', id: un(id)})),
    pubKeyCredParams: [{type: 'public-key', alg: what.alg}], authenticatorSelection: {residentKey: 'required', userVerification: what.verify || 'required'}}});
  return {client_data: b64(c.response.clientDataJSON), attestation: b64(c.response.attestationObject)};
};
const use = async () => {
  const c = await navigator.credentials.get({publicKey: {challenge: un(what.challenge), rpId: what.rp_id, userVerification: what.verify || 'required'}});
  return {id: b64(c.rawId), client_data: b64(c.response.clientDataJSON), authenticator_data: b64(c.response.authenticatorData), signature: b64(c.response.signature)};
};
(mode === 'make' ? make() : use()).then(done, (e) => done({error: `${e.name}: ${e.message}`}));
"""


@pytest.fixture(scope="module")
def browser(grid):
    made = Browser()
    made.open(f"https://localhost:{grid.port}/")
    options = VirtualAuthenticatorOptions(protocol="ctap2", transport="internal", has_resident_key=True, has_user_verification=True, is_user_verified=True)
    made.driver.add_virtual_authenticator(options)
    yield made
    made.close()


def ask_key(browser, mode, what):
    found = browser.driver.execute_async_script(WEBAUTHN, what, mode)
    assert "error" not in found, found["error"]
    return found


@pytest.fixture(scope="module")
def keyed(grid, browser):
    page = Page(grid, token=person(grid, "ada", "operator"))
    made = ask_key(browser, "make", {**page.post("/v1/credentials/challenge", {}), "alg": -7})
    page.post("/v1/credentials", dict(kind="passkey", name="this machine", **made))
    return dict(page=page, made=made)


def challenge(grid):
    return Api(grid).post("/v1/session/challenge", {})


def test_a_passkey_logs_in_without_a_name_and_is_counted(grid, browser, keyed):
    for _ in range(2):
        page = Page(grid, passkey=ask_key(browser, "use", challenge(grid)))
        assert page.get("/v1/session")["name"] == "ada"
    [key] = page.get("/v1/credentials")["items"]
    assert key["kind"] == "passkey" and key["name"] == "this machine" and key["used_ms"] >= key["created_ms"]


def test_what_a_passkey_signed_is_good_once(grid, browser, keyed):
    signed = ask_key(browser, "use", challenge(grid))
    Page(grid, passkey=signed)
    refused(grid, 403, "denied", passkey=signed)


def test_a_challenge_of_another_kind_server_or_user_is_refused(grid, browser, keyed):
    refused(grid, 403, "denied", passkey=ask_key(browser, "use", {**challenge(grid), "challenge": "AAAA"}))
    own = Page(grid, token=person(grid, "bo"))
    for_making = own.post("/v1/credentials/challenge", {})
    refused(grid, 403, "denied", passkey=ask_key(browser, "use", for_making))
    thief = Page(grid, token=person(grid, "thief"))
    made = ask_key(browser, "make", {**for_making, "alg": -7, "exclude": []})
    thief.ask("POST", "/v1/credentials", dict(kind="passkey", **made)).refused(403, "denied")
    own.post("/v1/credentials", dict(kind="passkey", **made))


def test_a_signature_that_was_changed_or_made_without_a_look_at_the_user_is_refused(grid, browser, keyed):
    signed = ask_key(browser, "use", challenge(grid))
    refused(grid, 403, "denied", passkey={**signed, "authenticator_data": "AAAA" + signed["authenticator_data"][4:]})
    refused(grid, 403, "denied", passkey={**signed, "signature": signed["signature"][:-6] + "AAAAAA"})
    refused(grid, 401, "auth", passkey={**signed, "id": "AAAA"})
    for name in signed:
        refused(grid, 400, "invalid", passkey={**signed, name: "!"})
        refused(grid, 400, "invalid", passkey={k: v for k, v in signed.items() if k != name})
    browser.driver.set_user_verified(False)
    unverified = ask_key(browser, "use", {**challenge(grid), "verify": "discouraged"})
    browser.driver.set_user_verified(True)
    assert "verify" in refused(grid, 403, "denied", passkey=unverified)


def test_a_passkey_that_was_removed_lets_in_no_more(grid, browser, keyed):
    page = Page(grid, token=person(grid, "kim"))
    made = ask_key(browser, "make", {**page.post("/v1/credentials/challenge", {}), "alg": -7})
    id = page.post("/v1/credentials", dict(kind="passkey", **made))["credential"]
    page.ask("POST", "/v1/credentials", dict(kind="passkey", **made)).refused(403, "denied")  # the challenge is used up
    Page(grid, token=person(grid, "else")).ask("DELETE", f"/v1/credentials/{id}").refused(404, "missing")
    grid.api.ask("DELETE", f"/v1/credentials/{id}").ok()
    assert page.get("/v1/credentials")["items"] == []
    assert {"credential.create", "credential.delete"} <= {entry["action"] for entry in grid.api.get("/v1/audit?limit=50")["items"]}


def test_a_disabled_user_gets_in_no_way(grid):
    page = Page(grid, token=person(grid, "gone"))
    page.post("/v1/credentials", dict(kind="password", password=PASSWORD))
    id = page.get("/v1/session")["id"]
    grid.api.ask("PATCH", f"/v1/users/{id}", dict(disabled=True)).ok()
    page.ask("GET", "/v1/session").refused(401, "auth")
    assert re.search("disabled", refused(grid, 401, "auth", name="gone", password=PASSWORD))


def test_guessing_is_slow_for_each_name_and_says_when_to_come_back(grid):
    person(grid, "per")
    replies = [Api(grid).ask("POST", "/v1/session", dict(name="per", recovery=f"guess {n}")) for n in range(15)]
    assert [r.status for r in replies][-1] == 429 and int(replies[-1].headers["retry-after"]) > 0
    assert sum(r.status == 401 for r in replies) <= 10
