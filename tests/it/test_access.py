"""Who may ask what: every route of the server's own table, by everybody. A new route is tested without a line here."""

import json
import subprocess

import pytest

from grid import BIN, Api, digest, eventually

ROUTES = [json.loads(line) for line in subprocess.check_output([BIN / "dugnad-server", "routes"], text=True).splitlines()]
RANK = {"public": 0, "token": 1, "viewer": 2, "scientist": 3, "operator": 4}
SECRET = "A" * 43


# What a token cannot get: who shows it is nobody.
VOID = ["nobody", "stranger", "wrong secret", "expired", "revoked", "disabled", "link"]


@pytest.fixture(scope="module")
def people(grid):
    host = grid.host("pc")
    found = {role: grid.user(f"a {role}", role) for role in ("viewer", "scientist", "operator")}
    found["host"] = host.api
    found["volunteer"] = Api(grid, host.volunteer_token)
    found["nobody"] = Api(grid)
    found["stranger"] = Api(grid, f"dgu_999999_{SECRET}")
    found["wrong secret"] = Api(grid, f"dgu_1_{SECRET}")
    found["expired"] = Api(grid, grid.api.post("/v1/tokens", dict(name="old", expires_ms=1))["token"])
    revoked = grid.api.post("/v1/tokens", dict(name="lost"))
    grid.api.ask("DELETE", f"/v1/tokens/{revoked['id']}").ok()
    found["revoked"] = Api(grid, revoked["token"])
    found["disabled"] = grid.user("disabled", "operator")
    grid.api.ask("PATCH", f"/v1/users/{found['disabled'].get('/v1/whoami')['id']}", dict(disabled=True)).ok()
    for scope in ("read", "submit", "release", "admin"):
        found[f"only {scope}"] = Api(grid, grid.api.post("/v1/tokens", dict(name=scope, scope=scope))["token"])
    found["link"] = Api(grid, grid.api.post("/v1/tokens", dict(name="link", scope="login"))["token"])
    return found


def may(who, access):
    if access == "public":
        return True
    if who in VOID:
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


@pytest.mark.parametrize("who", [*VOID, "host", "volunteer", "viewer", "scientist", "operator"])
@pytest.mark.parametrize("route", [r for r in ROUTES if r["path"] not in ("/v1/events", "/v1/session", "/v1/hosts")], ids=name)
def test_only_who_may_is_let_in(people, who, route):
    status = ask(people[who], route).status
    if may(who, route["access"]):
        assert status not in (401, 403), status
    elif who in VOID and who != "link":
        assert status == 401
    else:
        assert status == 403


@pytest.mark.parametrize("route", [r for r in ROUTES if r["access"] in ("viewer", "scientist", "operator") and r["path"] not in ("/v1/session", "/v1/events")],
                         ids=name)
def test_a_narrow_token_changes_nothing_beyond_its_scope(people, route):
    """Each scope of an operator's token by each route: what is refused is refused before anything is looked at, and `read` never changes anything."""
    let_in = [scope for scope in ("read", "submit", "release", "admin") if ask(people[f"only {scope}"], route).status not in (401, 403)]
    if (route["method"], route["path"]) == ("POST", "/v1/tokens"):  # none makes a token that may do more than itself
        made = people["only admin"].post("/v1/tokens", dict(scope="admin"))
        assert made["scope"] == "admin" and let_in == []
        return
    assert let_in, "no scope reaches it"
    acknowledges = route["path"] == "/v1/streams/*/cursors/*/ack"  # reading in order is marked so
    if route["method"] not in ("GET", "HEAD") and not acknowledges:
        assert "read" not in let_in
    if route["access"] == "operator" and route["method"] not in ("GET", "HEAD"):
        assert let_in == ["admin"]


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


def test_every_change_that_succeeds_is_in_the_audit_log(grid):
    """Each route that changes something, with a body that it takes: one entry more, by who asked. What hosts and records do is no operator's act."""
    made = {}
    def entries():
        return grid.api.pages("/v1/audit")
    def does(method, path, body=None, action=None):
        before = {e["seq"] for e in entries()}
        reply = grid.api.ask(method, path, body).ok()
        new = [e for e in entries() if e["seq"] not in before]
        assert new and all(e["user_name"] for e in new), f"{method} {path} left no entry"
        assert action in {e["action"] for e in new}, (action, new)
        done.add((method, "/".join("*" if part in made.values() else part for part in path.split("?")[0].split("/"))))
        return reply
    done = set()
    batch = made["batch"] = does("POST", "/v1/batches", dict(app="say", command=["{}"]), "batch.create")["batch"]
    grid.api.post(f"/v1/batches/{batch}/units?first=0", "{\"vars\":{\"\":\"x\"}}\n")
    unit = made["unit"] = f"{batch}.0"
    does("POST", f"/v1/batches/{batch}/close", {}, "batch.close")
    for verb in ("pause", "resume"):
        does("POST", f"/v1/batches/{batch}/{verb}", {}, f"batch.{verb}")
    does("PATCH", f"/v1/batches/{batch}", dict(priority=1), "batch.change")
    for what, verb in (("units", "cancel"), ("batches", "retry"), ("units", "cancel"), ("units", "retry"), ("batches", "cancel")):
        does("POST", f"/v1/{what}/{unit if what == 'units' else batch}/{verb}", {}, f"{'unit' if what == 'units' else 'batch'}.{verb}")
    eventually(lambda: grid.status(batch)["state"] == "cancelled" and grid.status(batch)["finished_ms"])
    does("POST", f"/v1/batches/{batch}/purge", {}, "batch.purge")
    schedule = made["schedule"] = does("POST", "/v1/schedules", dict(cron="0 0 1 1 *", batch=dict(app="say", command=["{}"], array=dict(first=0, last=0))), "schedule.create")["schedule"]
    does("PATCH", f"/v1/schedules/{schedule}", dict(paused=True), "schedule.change")
    does("DELETE", f"/v1/schedules/{schedule}", None, "schedule.delete")
    grid.api.ask("PATCH", f"/v1/blobs/{digest(b'unused')}", b"unused", {"Upload-Offset": 0, "Upload-Length": 6}).ok()
    does("POST", "/v1/files/free", {}, "files.free")
    made["stream"] = "audited"
    grid.api.ask("POST", "/v1/streams/audited", "one\n").ok()
    grid.api.get("/v1/streams/audited/records?cursor=c&member=m&limit=1")
    made["cursor"] = "c"
    for verb in ("pause", "resume"):
        does("POST", f"/v1/streams/audited/{verb}", {}, f"stream.{verb}")
    does("POST", "/v1/streams/audited/cursors/c/rewind", dict(seq=0), "cursor.rewind")
    does("DELETE", "/v1/streams/audited/cursors/c", None, "cursor.delete")
    does("DELETE", "/v1/streams/audited", None, "stream.delete")
    user = made["user"] = does("POST", "/v1/users", dict(name="audited", role="viewer"), "user.create")["id"]
    does("PATCH", f"/v1/users/{user}", dict(mail="a@example.org"), "user.change")
    token = made["token"] = does("POST", "/v1/tokens", dict(name="audited"), "token.create")["id"]
    does("POST", f"/v1/tokens/{token}/rotate", {}, "token.rotate")
    does("DELETE", f"/v1/tokens/{token}", None, "token.revoke")
    invitation = made["invitation"] = does("POST", "/v1/invitations", dict(uses_max=1), "invitation.create")["invitation"]
    does("DELETE", f"/v1/invitations/{invitation}", None, "invitation.revoke")
    does("POST", "/v1/credentials", dict(kind="recovery"), "credential.create")
    credential = made["credential"] = does("POST", "/v1/credentials", dict(kind="password", password="en hest og en ku"), "credential.create")["credential"]
    does("DELETE", f"/v1/credentials/{credential}", None, "credential.delete")
    host = made["host"] = grid.host("audited").id
    does("POST", f"/v1/hosts/{host}/ban", dict(reason="test"), "host.ban")
    does("POST", f"/v1/hosts/{host}/unban", {}, "host.unban")
    does("PATCH", "/v1/versions", dict(client_min=""), "setting")
    made.update(app="say", version="1")
    does("POST", "/v1/apps/say/versions/1", dict(share=1), "rollout.share")
    release = made["release"] = grid.api.get("/v1/apps/say")["items"][0]["release"]
    does("DELETE", f"/v1/releases/{release}", None, "release.retire")
    quiet = {("POST", "/v1/batches/*/units"), ("PATCH", "/v1/blobs/*"), ("POST", "/v1/streams/*"), ("POST", "/v1/streams/*/cursors/*/ack"),  # data, not acts
             ("POST", "/v1/credentials/challenge"), ("POST", "/v1/price"), ("POST", "/v1/releases"),  # change nothing; its entry is looked for below
             ("DELETE", "/v1/sessions"), ("DELETE", "/v1/session")}  # tokens that are revoked: token.revoke
    asked = {(r["method"], r["path"]) for r in ROUTES if r["method"] not in ("GET", "HEAD") and r["access"] not in ("public", "host")}
    verbs = {(m, p) for m, p in asked if p.endswith("/*") and p.count("*") == 2 and ("batches" in p or "units" in p)}  # one route for all verbs
    assert asked - done - quiet - verbs == set(), "a route that changes something and that this test does not know"
    assert "release.publish" in {e["action"] for e in entries()}
    grid.publish("dugnad-say", "say", "--version", "2")  # the first one is retired


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
