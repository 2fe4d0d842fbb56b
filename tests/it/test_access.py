"""Who may ask what: every route of the server's own table, by everybody. A new route is tested without a line here."""

import json
import subprocess

import pytest

from grid import BIN, Api

ROUTES = [json.loads(line) for line in subprocess.check_output([BIN / "dugnad-server", "routes"], text=True).splitlines()]
RANK = {"public": 0, "token": 1, "viewer": 2, "scientist": 3, "operator": 4}
SECRET = "A" * 43


@pytest.fixture(scope="module")
def people(grid):
    host = grid.host("pc")
    found = {role: grid.user(f"a {role}", role) for role in ("viewer", "scientist", "operator")}
    found["host"] = host.api
    found["volunteer"] = Api(grid, host.volunteer_token)
    found["nobody"] = Api(grid)
    found["stranger"] = Api(grid, f"dgu_1_{SECRET}")
    return found


def may(who, access):
    if access == "public":
        return True
    if who in ("nobody", "stranger"):
        return False
    if access == "host":
        return who == "host"
    return RANK.get(who, 1) >= RANK[access]


def ask(api, route, headers=()):
    path = route["path"].replace("**", "x").replace("*", "999999")
    body = None if route["method"] in ("GET", "HEAD", "DELETE") else "{}"
    return api.ask(route["method"], path, body, dict(headers))


def name(route):
    return f"{route['method']} {route['path']}"


@pytest.mark.parametrize("who", ["nobody", "stranger", "host", "volunteer", "viewer", "scientist", "operator"])
@pytest.mark.parametrize("route", [r for r in ROUTES if r["path"] not in ("/v1/events", "/v1/session", "/v1/hosts")], ids=name)
def test_only_who_may_is_let_in(people, who, route):
    status = ask(people[who], route).status
    if may(who, route["access"]):
        assert status not in (401, 403), status
    elif who in ("nobody", "stranger"):
        assert status == 401
    else:
        assert status == 403


# --- a browser's session: a cookie is not enough to change anything

@pytest.fixture(scope="module")
def session(grid, people):
    reply = Api(grid).ask("POST", "/v1/session", dict(token=people["operator"].token))
    assert reply.status == 200
    cookie = reply.headers["set-cookie"]
    for word in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert word in cookie
    assert cookie.startswith("__Host-")
    return dict(cookie=cookie.split(";")[0], csrf=reply.json["csrf"])


CHANGES = [r for r in ROUTES if r["method"] not in ("GET", "HEAD") and r["access"] not in ("public", "host")
           and r["path"] != "/v1/session"]


@pytest.mark.parametrize("route", CHANGES, ids=name)
def test_a_change_by_cookie_needs_the_pages_own_token(grid, session, route):
    nobody = Api(grid)
    assert ask(nobody, route, {"Cookie": session["cookie"]}).status == 403
    assert ask(nobody, route, {"Cookie": session["cookie"], "X-CSRF-Token": "0" * 64}).status == 403
    foreign = {"Cookie": session["cookie"], "X-CSRF-Token": session["csrf"], "Origin": "https://evil.example"}
    assert ask(nobody, route, foreign).status == 403


@pytest.mark.parametrize("route", CHANGES, ids=name)
def test_a_change_by_cookie_with_the_pages_token_is_let_in(grid, session, route):
    own = {"Cookie": session["cookie"], "X-CSRF-Token": session["csrf"]}
    assert ask(Api(grid), route, own).status not in (401, 403)


def test_a_login_link_opens_one_session_and_nothing_else(grid, people):
    link = people["operator"].post("/v1/tokens", dict(name="link", scope="login"))["token"]
    code = Api(grid, link)
    for path in ("/v1/batches", "/v1/tokens", "/v1/whoami", "/v1/stats"):
        assert code.ask("GET", path).status == 403
    assert Api(grid).ask("POST", "/v1/session", dict(token=link)).status == 200
    assert Api(grid).ask("POST", "/v1/session", dict(token=link)).status == 401


def test_a_session_that_was_ended_is_void(grid, people):
    reply = Api(grid).ask("POST", "/v1/session", dict(token=people["viewer"].token))
    cookie, csrf = reply.headers["set-cookie"].split(";")[0], reply.json["csrf"]
    own = {"Cookie": cookie, "X-CSRF-Token": csrf}
    assert Api(grid).ask("GET", "/v1/session", None, own).status == 200
    assert Api(grid).ask("DELETE", "/v1/session", None, own).status == 200
    assert Api(grid).ask("GET", "/v1/session", None, own).status == 401


def test_another_scientists_batch_is_not_there(grid, people):
    batch = grid.api.post("/v1/batches", dict(app="say", command=["{}"], array=dict(first=0, last=0)))["batch"]
    for method, path in (("GET", ""), ("GET", "/units"), ("GET", "/results"), ("GET", "/explain"), ("GET", "/failures"),
                         ("GET", "/order"), ("POST", "/cancel"), ("POST", "/pause"), ("PATCH", "")):
        assert people["scientist"].ask(method, f"/v1/batches/{batch}{path}", None if method == "GET" else "{}").status == 404
    assert people["scientist"].ask("GET", f"/v1/units/{batch}.0").status == 404
    assert batch not in [b["batch"] for b in people["scientist"].get("/v1/batches")["items"]]
    assert people["viewer"].ask("GET", f"/v1/batches/{batch}").status == 200
    grid.api.post(f"/v1/batches/{batch}/cancel")


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say")
