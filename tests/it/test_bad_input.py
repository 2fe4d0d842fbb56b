"""Whatever is wrong with a request: an error word, a sentence, the status that belongs to it, and nothing has changed."""

import base64
import json
import os
import time

import pytest

from grid import Api, Host, digest, eventually

CONF = dict(user_bytes="64M", unit_memory_max="8G")
NO_DIGEST = "0" * 64
SECRET = "A" * 43


@pytest.fixture(scope="module")
def world(grid):
    """An app, a batch with one unit out at a host and one that waits, people of every role."""
    grid.publish("dugnad-say")
    grid.batch = grid.submit("say", array=2)
    grid.ada, grid.bo = grid.host("ada"), grid.host("bo")
    (grid.attempt_name,) = grid.ada.take_all(1)
    grid.viewer, grid.scientist = grid.user("vi", "viewer"), grid.user("sci")
    grid.reader = grid.user("reader", scope="read")
    grid.release = json.loads((grid.folder / "app-say" / "release.signed.json").read_text())
    return grid


def picture(grid):
    """All that a bad request could have changed, without the times of last contact."""
    def still(items):
        return [{k: v for k, v in x.items() if not k.endswith("seen_ms") and not k.startswith("used")} for x in items]
    batches = grid.api.pages("/v1/batches")
    units = [u["unit"] for b in batches for u in grid.api.pages(f"/v1/batches/{b['batch']}/units")]
    return dict(batches=batches, units=[grid.unit(u) for u in units], apps=grid.api.pages("/v1/apps"),
                hosts=still(grid.api.pages("/v1/hosts")), users=still(grid.api.pages("/v1/users")),
                tokens=still(grid.api.pages("/v1/tokens")), invitations=grid.api.pages("/v1/invitations"))


def blobs(grid):
    return sorted(str(p.relative_to(grid.data)) for p in (grid.data / "blobs").rglob("*") if p.is_file())


@pytest.fixture(autouse=True)
def nothing_changes(request, world):
    before, files = picture(world), blobs(world)
    yield
    assert world.ready()
    if "changes_something" in request.keywords:  # and has cancelled what it made
        eventually(lambda: all(b["finished_ms"] and b["delivered"] == b["units"] for b in world.api.pages("/v1/batches")
                               if b["batch"] != world.batch), 10, what="its batches are cancelled")
        return
    assert picture(world) == before
    assert blobs(world) == files


# --- who asks

@pytest.mark.parametrize("token", [
    None, "", "x", "dgu_1", "dgu_1_", f"dgu_1_{SECRET}", f"dgu_999999_{SECRET}", f"dgh_1_{SECRET}", f"dgx_1_{SECRET}",
    f"dgu_-1_{SECRET}", f"dgu_1_{SECRET}x", "dgu_18446744073709551617_" + SECRET, "dgu_1_" + "A" * 3000])
def test_a_bad_token_is_not_let_in(world, token):
    for method, path, body in (("GET", "/v1/batches", None), ("POST", "/v1/work", {}), ("GET", "/v1/whoami", None),
                               ("POST", "/v1/batches", dict(app="say", command=[])), ("GET", f"/v1/blobs/{NO_DIGEST}", None),
                               ("DELETE", "/v1/tokens/1", None)):
        reply = Api(world, token).ask(method, path, body)
        said = reply.refused(401, "auth")
        assert SECRET not in said, "secrets are never said back"
        assert reply.headers["www-authenticate"].startswith("Bearer")


def test_a_token_under_another_number_is_not_let_in(world):
    kind, number, secret = world.token.split("_", 2)
    Api(world, f"{kind}_{int(number) + 1}_{secret}").ask("GET", "/v1/whoami").refused(401, "auth")
    Api(world, f"dgh_{number}_{secret}").ask("GET", "/v1/whoami").refused(401, "auth")
    Api(world, world.token[:-1] + ("A" if world.token[-1] != "A" else "B")).ask("GET", "/v1/whoami").refused(401, "auth")


@pytest.mark.changes_something
def test_an_expired_token_is_not_let_in(world):
    soon = int(time.time() * 1000) + 1200
    made = Api(world, world.api.post("/v1/tokens", dict(name="short", expires_ms=soon))["token"])
    assert made.get("/v1/whoami")["expires_ms"] == soon
    time.sleep(1.3)
    assert "expired" in made.ask("GET", "/v1/whoami").refused(401, "auth")
    made.ask("GET", "/v1/batches").refused(401, "auth")


@pytest.mark.changes_something
def test_a_revoked_or_rotated_token_is_not_let_in(world):
    made = world.api.post("/v1/tokens", dict(name="gone"))
    api = Api(world, made["token"])
    assert api.get("/v1/whoami")["token"] == made["id"]
    fresh = world.api.post(f"/v1/tokens/{made['id']}/rotate")
    api.ask("GET", "/v1/whoami").refused(401, "auth")
    rotated = Api(world, fresh["token"])
    rotated.get("/v1/whoami")
    world.api.ask("DELETE", f"/v1/tokens/{fresh['id']}").ok()
    rotated.ask("GET", "/v1/whoami").refused(401, "auth")


@pytest.mark.changes_something
def test_a_disabled_person_is_not_let_in(world):
    person = world.user("gone")
    number = person.get("/v1/whoami")["id"]
    world.api.ask("PATCH", f"/v1/users/{number}", dict(disabled=True)).ok()
    person.ask("GET", "/v1/whoami").refused(401, "auth")


DENIED = [  # who, method, path, body
    ("viewer", "POST", "/v1/batches", dict(app="say", command=["x"], array=dict(first=0, last=0))),
    ("viewer", "POST", "/v1/batches/{batch}/cancel", None),
    ("reader", "POST", "/v1/batches", dict(app="say", command=["x"], array=dict(first=0, last=0))),
    ("reader", "POST", "/v1/releases", "{}"),
    ("scientist", "POST", "/v1/users", dict(name="x", role="operator")),
    ("scientist", "POST", "/v1/invitations", dict(uses_max=1)),
    ("scientist", "POST", "/v1/hosts/{host}/ban", dict(reason="x")),
    ("scientist", "GET", "/v1/users", None),
    ("scientist", "GET", "/v1/audit", None),
    ("scientist", "POST", "/v1/work", {}),
    ("host", "GET", "/v1/batches", None),
    ("host", "POST", "/v1/batches", dict(app="say", command=["x"], array=dict(first=0, last=0))),
    ("host", "POST", "/v1/batches/{batch}/cancel", None),
    ("host", "GET", "/v1/users", None),
    ("host", "POST", "/v1/releases", "{}"),
    ("host", "GET", "/v1/units/{batch}.0", None),
]


@pytest.mark.parametrize("who, method, path, body", DENIED, ids=[f"{w} {m} {p}" for w, m, p, _ in DENIED])
def test_who_may_not_is_denied(world, who, method, path, body):
    api = world.bo.api if who == "host" else getattr(world, who)
    api.ask(method, path.format(batch=world.batch, host=world.bo.id), body).refused(403, "denied")


@pytest.mark.parametrize("method, path", [("GET", "/v1/batches/{batch}"), ("POST", "/v1/batches/{batch}/cancel"),
                                          ("GET", "/v1/batches/{batch}/results"), ("GET", "/v1/units/{batch}.0"),
                                          ("POST", "/v1/batches/{batch}/units?first=2"), ("GET", "/v1/batches/{batch}/order"),
                                          ("PATCH", "/v1/batches/{batch}"), ("POST", "/v1/units/{batch}.0/cancel")])
def test_a_batch_of_another_scientist_is_not_there(world, method, path):
    reply = world.scientist.ask(method, path.format(batch=world.batch), "{}" if method != "GET" else None)
    assert (reply.status, reply.json["error"]["code"]) in ((404, "missing"), (403, "denied")), reply.body
    assert world.scientist.pages("/v1/batches") == []


# --- what is asked for

UNKNOWN = [("GET", "/v1/nothing"), ("GET", "/"), ("GET", "/v2/work"), ("GET", "/v1/batches/999999"), ("GET", "/v1/units/999999.0"),
           ("GET", "/v1/units/{batch}.77"), ("GET", "/v1/batches/999999/results"), ("POST", "/v1/batches/999999/cancel"),
           ("GET", f"/v1/orders/{NO_DIGEST}"), ("GET", f"/v1/releases/{NO_DIGEST}"), ("GET", f"/v1/blobs/{NO_DIGEST}"),
           ("GET", "/v1/apps/nothing"), ("GET", "/v1/hosts/999999"), ("DELETE", "/v1/tokens/999999"),
           ("DELETE", "/v1/invitations/999999"), ("GET", "/v1/../v1/batches/999999"), ("GET", "/v1/blobs/../../server.conf"),
           ("GET", "/v1/blobs/..%2f..%2fserver.conf"), ("GET", "/../../../../etc/passwd"), ("GET", "/%2e%2e/operator.token")]


@pytest.mark.parametrize("method, path", UNKNOWN)
def test_what_is_not_there_is_missing(world, method, path):
    reply = world.api.ask(method, path.format(batch=world.batch))
    assert b"root:" not in reply.body and b"listen" not in reply.body
    if reply.status == 400:
        reply.refused(400, "invalid")
    elif path != "/" or reply.status != 200:
        reply.refused(404, "missing")


@pytest.mark.parametrize("method, path", [
    ("DELETE", "/v1/work"), ("PUT", "/v1/batches"), ("PATCH", "/v1/hosts"), ("DELETE", "/v1/project"), ("POST", "/healthz"),
    ("BREW", "/v1/work"), ("PUT", f"/v1/blobs/{NO_DIGEST}"), ("POST", f"/v1/blobs/{NO_DIGEST}")])
def test_an_unknown_method_is_refused(world, method, path):
    reply = world.api.ask(method, path)
    assert reply.status in (400, 404, 405, 501), reply.status
    assert reply.json["error"]["message"]


@pytest.mark.parametrize("path", [
    "/v1/batches/x", "/v1/batches/-1", "/v1/batches/0", "/v1/batches/1e3", "/v1/batches/99999999999999999999", "/v1/units/1", "/v1/units/1.",
    "/v1/units/1.-1", "/v1/units/a.b", "/v1/units/1.99999999999999999999", "/v1/blobs/xyz", f"/v1/blobs/{'A' * 64}", "/v1/orders/1",
    "/v1/batches?limit=-1", "/v1/batches?limit=x", "/v1/batches/{batch}/results?after=x", "/v1/batches/{batch}/results?after=-5",
    "/v1/batches/{batch}/results?wait_s=x", "/v1/batches/{batch}/units?state=nonsense"])
def test_what_is_no_number_is_said_to_be_none(world, path):
    reply = world.api.ask("GET", path.format(batch=world.batch))
    assert (reply.status, reply.json["error"]["code"]) in ((400, "invalid"), (404, "missing")), reply.body
    assert len(reply.json["error"]["message"]) > 15


# --- JSON

BROKEN = ["", "{", "[]", "null", "1", '"x"', "{}x", "{'a':1}", '{"reports":[}', '{"reports":[1,]}', '{"a":1,"a":2}', "\xff\xfe", "{\"leaving\":tru}",
          "[" * 100 + "]" * 100, '{"held":' + "[" * 40 + "]" * 40 + "}", '{"reports":"\\ud800"}', '{"want":{"seconds":1e999}}', "\0", "{}\0{}"]
WORK = [  # right in form, wrong in a field
    dict(unknown=1), dict(reports={}), dict(reports=[1]), dict(reports="x"), dict(held="x"), dict(held=[1]), dict(held=["x"]),
    dict(held=["1.2"]), dict(held=["1.2.3.4"]), dict(held=["1.2.-3"]), dict(held=["99999999999.0.0"]), dict(leaving="yes"), dict(leaving=1),
    dict(want=1), dict(want={}), dict(want=dict(seconds="x")), dict(want=dict(seconds=-1)), dict(want=dict(seconds=1, units_max=-1)),
    dict(want=dict(seconds=1, extra=1)), dict(want=dict(seconds=1, cached=["x"])), dict(want=dict(seconds=1, cores=1.5)), dict(host={}),
    dict(host={**Host.FACTS, "cores": 0}), dict(host={**Host.FACTS, "cores": "4"}), dict(host={**Host.FACTS, "color": "red"}),
    dict(host={**Host.FACTS, "memory_bytes": -1}), dict(renew=[None]), dict(renew="x"), dict(reports=[dict(attempt="1.0.0")]),
    dict(reports=[dict(outcome="ok")]), dict(reports=[dict(attempt="1.0.0", outcome="ok")]),
    dict(reports=[dict(attempt="1.0.0", outcome="ok", outputs=[])]), dict(reports=[dict(attempt="1.0.0", outcome="exit", exit_code="1")]),
    dict(reports=[dict(attempt="1.0.0", outcome="exit", extra=1)]), dict(reports=[dict(attempt="1.0.0", outcome="exit", usage=dict(cpu_ms=-1))]),
]
TOO_MUCH = [dict(held=["1.0.0"] * 2001), dict(reports=[dict(attempt="1.0.0", outcome="exit")] * 201), dict(renew=["1.0.0"] * 2001),
            dict(want=dict(seconds=1, cached=[NO_DIGEST] * 257)), dict(want=dict(seconds=1, units_max=201))]


@pytest.mark.parametrize("body", BROKEN, ids=[repr(b)[:20] for b in BROKEN])
def test_what_is_no_json_object_is_invalid(world, body):
    for api, path in ((world.bo.api, "/v1/work"), (world.api, "/v1/batches"), (Api(world), "/v1/hosts"), (world.api, "/v1/users"),
                      (world.api, "/v1/tokens"), (world.api, "/v1/releases"), (world.api, f"/v1/hosts/{world.bo.id}/ban")):
        if body == "" and path.endswith("/ban"):
            continue  # the reason may be left out
        reply = api.ask("POST", path, body.encode("latin-1"))
        assert reply.status in (400, 413), f"{path}: {reply.status} {reply.body}"
        reply.refused(reply.status, {400: "invalid", 413: "limit"}[reply.status])


@pytest.mark.parametrize("body", WORK, ids=[json.dumps(b)[:60] for b in WORK])
def test_a_wrong_field_of_a_work_request_is_named(world, body):
    said = world.bo.api.ask("POST", "/v1/work", body).refused(400, "invalid")
    assert any(key in said for key in _keys(body)) or "attempt" in said or "unit" in said, said


def _keys(value):
    if isinstance(value, dict):
        return list(value) + [k for v in value.values() for k in _keys(v)]
    return [k for v in value for k in _keys(v)] if isinstance(value, list) else []


@pytest.mark.parametrize("body", TOO_MUCH, ids=[json.dumps(b)[:30] for b in TOO_MUCH])
def test_a_list_that_is_too_long_is_refused(world, body):
    reply = world.bo.api.ask("POST", "/v1/work", body)
    reply.refused(reply.status, {400: "invalid", 413: "limit"}[reply.status])


BATCH = dict(app="say", command=["{}"], array=dict(first=0, last=1))
INPUT = dict(path="in", sha256=NO_DIGEST, bytes=1)
BATCHES = [
    dict(app="nothing"), dict(app=1), dict(app=""), dict(app="../say"), dict(version=99), dict(version="1"), dict(command="{}"), dict(command=[1]),
    dict(command=["{nobody}"]), dict(command=["{"]), dict(command=["}"]), dict(inputs=[INPUT]), dict(inputs=[dict(INPUT, path="../x")]),
    dict(inputs=[dict(INPUT, path="/etc/passwd")]), dict(inputs=[dict(INPUT, path="a/../../b")]), dict(inputs=[dict(INPUT, sha256="x")]),
    dict(inputs=[dict(INPUT, bytes=-1)]), dict(stdin="../x"), dict(stdin="not-an-input"), dict(limits=dict(cpu_ms=-1)), dict(limits=dict(color=1)),
    dict(limits=dict(memory_bytes=1 << 40)), dict(env={"A=B": "x"}), dict(env={"LD_PRELOAD": 1}), dict(priority="high"), dict(labels=[1]),
    dict(rules=dict(min_quorum=0)), dict(rules=dict(min_quorum=99)), dict(rules=dict(min_quorum=3, target_attempts=2)),
    dict(rules=dict(deadline_ms=-5)), dict(rules=dict(quorum=2)), dict(array=dict(first=5, last=1)), dict(array=dict(first=0, last=10**12)),
    dict(array=dict(first=0, last=1, step=0)), dict(array=[0, 1]), dict(color="red"), dict(policy=1),
]


@pytest.mark.parametrize("change", BATCHES, ids=[json.dumps(b)[:60] for b in BATCHES])
def test_a_batch_that_could_not_work_is_refused(world, change):
    reply = world.api.ask("POST", "/v1/batches", {**BATCH, **change})
    code = reply.json.get("error", {}).get("code")
    assert (reply.status, code) in ((400, "invalid"), (404, "missing"), (413, "limit")), reply.body
    reply.refused(reply.status, code)


@pytest.mark.changes_something
def test_units_out_of_turn_or_out_of_form_are_refused(world):
    batch = world.api.post("/v1/batches", dict(app="say", command=["{}"]))["batch"]
    path = f"/v1/batches/{batch}/units?first="
    for line in ('{"vars":{"":"x"},"extra":1}', '{"vars":[]}', '{"vars":{}}', "x", '{"vars":{"":1}}', '{"vars":{"":"a"}}\nx\n',
                 '{"vars":{"":"x"},"inputs":[{"path":"../x","sha256":"' + NO_DIGEST + '","bytes":1}]}',
                 '{"vars":{"":"' + "y" * 20000 + '"}}'):
        reply = world.api.ask("POST", path + "0", line + "\n")
        reply.refused(reply.status, {400: "invalid", 413: "limit", 404: "missing"}[reply.status])
    assert world.status(batch)["units"] == 0, "a list with a bad line is not taken in part"
    assert world.api.post(path + "0", '{"vars":{"":"x"}}\n')["next"] == 1
    for first in ("0", "2", "99"):
        reply = world.api.ask("POST", path + first, '{"vars":{"":"x"}}\n')
        assert reply.status == 409 and reply.json["error"]["code"] == "conflict"
        assert reply.json.get("next", reply.json["error"].get("next")) == 1
    world.api.ask("POST", path + "x", '{"vars":{"":"x"}}\n').refused(400, "invalid")
    assert world.status(batch)["units"] == 1
    world.api.post(f"/v1/batches/{batch}/close")
    reply = world.api.ask("POST", path + "1", '{"vars":{"":"x"}}\n')
    assert reply.status == 409 and reply.json["error"]["code"] in ("stale", "conflict"), "a closed batch takes no more"
    world.api.post(f"/v1/batches/{batch}/cancel")


@pytest.mark.changes_something
def test_the_same_key_with_another_body_is_a_conflict_and_with_the_same_body_the_same_batch(world):
    body = {**BATCH, "name": "keyed"}
    first = world.api.post("/v1/batches", body, key="key-1")["batch"]
    assert world.api.post("/v1/batches", body, key="key-1")["batch"] == first
    world.api.ask("POST", "/v1/batches", {**body, "name": "other"}, {"Idempotency-Key": "key-1"}).refused(409, "conflict")
    other = Api(world, world.user("other").token)
    second = other.post("/v1/batches", body, key="key-1")["batch"]
    assert second != first, "a key belongs to who used it"
    for key in ("", "x" * 65, "a b\tc"):
        world.api.ask("POST", "/v1/batches", body, {"Idempotency-Key": key}).refused(400, "invalid")
    for batch in (first, second):
        world.api.post(f"/v1/batches/{batch}/cancel")


# --- hosts

def test_another_hosts_attempt_is_denied(world):
    before = world.attempt(world.attempt_name)
    for report in (Host.answer(world.attempt_name, "0\n"), Host.error(world.attempt_name, "exit", exit_code=1)):
        ack = world.bo.report(report)[world.attempt_name]
        assert ack["code"] == "denied" and len(ack["message"]) > 15, ack
    assert world.bo.work(renew=[world.attempt_name])["units"] == []
    assert world.attempt(world.attempt_name) == before
    assert world.bo.work(held=[world.attempt_name])["recall"] == [world.attempt_name]


@pytest.mark.parametrize("attempt", ["999999.0.0", "{batch}.55.0", "{batch}.0.9"])
def test_an_attempt_that_is_not_there_is_not_acknowledged(world, attempt):
    attempt = attempt.format(batch=world.batch)
    ack = world.bo.report(Host.answer(attempt, "0\n"))[attempt]
    assert ack["code"] in ("missing", "denied", "stale", "invalid") and len(ack["message"]) > 15, ack


def bad_outputs():
    good = Host.answer("", "0\n")["outputs"][0]
    yield "digest", dict(good, sha256=NO_DIGEST)
    yield "length", dict(good, bytes=3)
    yield "upper case", dict(good, sha256=good["sha256"].upper())
    yield "no base64", dict(good, data="***")
    yield "unknown field", dict(good, mode=493)
    yield "parent", dict(good, path="../out.txt")
    yield "absolute", dict(good, path="/etc/passwd")
    yield "hidden parent", dict(good, path="a/../../out.txt")
    yield "empty path", dict(good, path="")
    yield "nul", dict(good, path="out.txt\0x")
    big = b"x" * 5000
    yield "too large to be inline", dict(path="out.txt", sha256=digest(big), bytes=5000, data=base64.b64encode(big).decode())


@pytest.mark.parametrize("output", [o for _, o in bad_outputs()], ids=[n for n, _ in bad_outputs()])
def test_an_answer_with_a_bad_output_is_refused(world, output):
    report = dict(Host.answer(world.attempt_name, "0\n"), outputs=[output])
    reply = world.ada.api.ask("POST", "/v1/work", dict(reports=[report]))
    if reply.status == 200:
        (ack,) = reply.json["acks"]
        assert ack["code"] == "invalid" and len(ack["message"]) > 15, ack
    else:
        reply.refused(reply.status, {400: "invalid", 413: "limit"}[reply.status])
    assert world.attempt(world.attempt_name)["state"] == "leased"


def test_an_answer_that_names_an_output_twice_is_not_taken(world):
    good = Host.answer(world.attempt_name, "0\n")
    reply = world.ada.api.ask("POST", "/v1/work", dict(reports=[dict(good, outputs=good["outputs"] * 2)]))
    code = reply.json["acks"][0]["code"] if reply.status == 200 else reply.json["error"]["code"]
    assert code == "invalid", reply.body
    assert world.attempt(world.attempt_name)["state"] == "leased"


def test_an_answer_whose_file_was_not_uploaded_is_missing(world):
    report = Host.answer(world.attempt_name, "0\n")
    del report["outputs"][0]["data"]
    ack = world.ada.report(report)[world.attempt_name]
    assert ack["code"] == "missing" and len(ack["message"]) > 15, ack
    assert world.attempt(world.attempt_name)["state"] == "leased"


def test_an_error_that_is_none_is_invalid(world):
    reply = world.ada.api.ask("POST", "/v1/work", dict(reports=[Host.error(world.attempt_name, "none")]))
    code = reply.json["acks"][0]["code"] if reply.status == 200 else reply.json["error"]["code"]
    assert code == "invalid"


JOIN = dict(nickname="x", host=Host.FACTS)


@pytest.mark.parametrize("change", [
    dict(color=1), dict(host=1), dict(host={}), dict(nickname=1), dict(nickname="x" * 65), dict(host={**Host.FACTS, "cores": 0}),
    dict(host={**Host.FACTS, "cores": 10**9}), dict(host={**Host.FACTS, "platform": 1}), dict(host={**Host.FACTS, "extra": 1}),
    dict(volunteer_token="x"), dict(volunteer_token=f"dgv_1_{SECRET}"), dict(invitation="x" * 3000)], ids=lambda c: json.dumps(c)[:50])
def test_a_computer_that_joins_wrongly_does_not_join(world, change):
    reply = Api(world).ask("POST", "/v1/hosts", {**JOIN, **change})
    assert (reply.status, reply.json["error"]["code"]) in ((400, "invalid"), (401, "auth"), (403, "denied"), (413, "limit")), reply.body


# --- files

CONTENT = os.urandom(50000)
NAME = digest(CONTENT)


def patch(api, offset, data, total=len(CONTENT), name=NAME, query=""):
    headers = {"Content-Type": "application/octet-stream"}
    if offset is not None:
        headers["Upload-Offset"] = str(offset)
    if total is not None:
        headers["Upload-Length"] = str(total)
    return api.ask("PATCH", f"/v1/blobs/{name}{query}", data, headers)


@pytest.mark.changes_something
def test_an_upload_goes_on_where_it_is_and_nowhere_else(world):
    api = world.scientist
    head = api.ask("HEAD", f"/v1/blobs/{NAME}")
    assert (head.status, head.headers["upload-offset"]) == (404, "0")
    assert patch(api, 0, CONTENT[:20000]).status == 204
    for offset in (0, 19999, 20001, 50000):
        reply = patch(api, offset, CONTENT[offset:])
        reply.refused(409, "conflict")
        assert reply.headers["upload-offset"] == "20000"
    for offset in ("x", "-1", "1.5", "", "99999999999999999999", None):
        patch(api, offset, CONTENT[20000:]).refused(400, "invalid")
    for total in ("x", "-1", None):
        patch(api, 20000, CONTENT[20000:], total).refused(400, "invalid")
    more = patch(api, 20000, CONTENT[20000:] + b"more")
    more.refused(more.status, {400: "invalid", 413: "limit", 403: "untrusted"}[more.status])
    at = int(api.ask("HEAD", f"/v1/blobs/{NAME}").headers.get("upload-offset", -1))
    assert 0 <= at <= len(CONTENT)
    assert patch(api, at, CONTENT[at:]).status == 201
    assert api.ask("GET", f"/v1/blobs/{NAME}").body == CONTENT


def test_bytes_with_another_digest_are_dropped(world):
    name = digest(b"something else")
    patch(world.scientist, 0, CONTENT, name=name).refused(403, "untrusted")
    head = world.scientist.ask("HEAD", f"/v1/blobs/{name}")
    assert (head.status, head.headers["upload-offset"]) == (404, "0")


def test_an_upload_over_the_quota_or_the_largest_file_is_refused(world):
    for total in (65 << 30, 100 << 20):
        reply = patch(world.scientist, 0, b"x", total, name=digest(b"y"))
        reply.refused(reply.status, {400: "invalid", 413: "limit"}[reply.status])


@pytest.mark.changes_something
def test_a_bad_range_is_refused_and_a_good_one_is_served(world):
    name = digest(CONTENT[1:])
    assert patch(world.scientist, 0, CONTENT[1:], len(CONTENT) - 1, name).status == 201
    path = f"/v1/blobs/{name}"
    for value, part in (("bytes=0-9", CONTENT[1:11]), ("bytes=49990-", CONTENT[49991:]), ("bytes=100-199", CONTENT[101:201])):
        reply = world.scientist.ask("GET", path, headers={"Range": value})
        assert (reply.status, reply.body) == (206, part)
    for value in ("bytes=49999-", "bytes=99999999999-", "bytes=10-5", "bytes=x-y", "bytes=-", "lines=1-2", "bytes=0-1,3-4", "bytes=99999999999999999999-"):
        reply = world.scientist.ask("GET", path, headers={"Range": value})
        assert reply.status in (200, 400, 416), f"{value}: {reply.status}"
        assert reply.body == CONTENT[1:] or reply.json["error"]["message"], value


def test_a_host_uploads_only_for_what_it_works_on(world):
    small = b"z" * 6000
    name = digest(small)
    for host, query in ((world.bo, f"?attempt={world.attempt_name}"), (world.bo, ""), (world.ada, ""), (world.ada, "?attempt=x"),
                        (world.ada, f"?attempt={world.batch}.0.7"), (world.ada, "?attempt=999999.0.0")):
        reply = patch(host.api, 0, small, len(small), name, query)
        code = reply.json["error"]["code"]
        assert (reply.status, code) in ((400, "invalid"), (403, "denied"), (404, "missing"), (409, "stale")), (query, reply.body)
    over = patch(world.ada.api, 0, b"x", 60 << 30, digest(b"?"), f"?attempt={world.attempt_name}")
    over.refused(413, "limit")


@pytest.mark.changes_something
def test_a_host_uploads_no_more_than_the_batch_allows_and_not_after_the_end(world):
    batch = world.submit("say", array=1, limits=dict(output_bytes=10000), priority=1)
    host = world.host("uploads")
    (attempt,) = host.take_all(1)
    for size, status in ((10001, 413), (10000, 201)):
        assert patch(host.api, 0, b"u" * size, size, digest(b"u" * size), f"?attempt={attempt}").status == status
    host.report(Host.answer(attempt, "0\n"))
    patch(host.api, 0, b"v" * 5000, 5000, digest(b"v" * 5000), f"?attempt={attempt}").refused(409, "stale")
    world.api.post(f"/v1/batches/{batch}/cancel")


def test_a_host_reads_no_file_of_others_by_name(world):
    """Files are named by digests; what a host may read is what its work needs, and its own word for it is not enough."""
    reply = world.bo.api.ask("GET", f"/v1/blobs/{digest(b'nobody knows this')}")
    reply.refused(404, "missing")


# --- releases

def signed(payload, like):
    return dict(like, payload=base64.b64encode(json.dumps(payload).encode()).decode())


def test_a_tampered_release_is_not_published(world):
    release = world.release
    payload = json.loads(base64.b64decode(release["payload"]))
    other = base64.b64encode(os.urandom(64)).decode()
    for bad in (signed(dict(payload, version=2), release), signed(dict(payload, app="evil"), release),
                signed(dict(payload, bundle=dict(payload["bundle"], sha256=NO_DIGEST)), release),
                dict(release, signatures=[]), dict(release, signatures=[dict(release["signatures"][0], sig=other)]),
                dict(release, signatures=[dict(release["signatures"][0], keyid=NO_DIGEST)]),
                dict(release, payloadType="application/vnd.dugnad.root+json")):
        reply = world.api.ask("POST", "/v1/releases", bad)
        assert (reply.status, reply.json["error"]["code"]) in ((403, "untrusted"), (400, "invalid")), reply.body
    for broken in (dict(release, payload="***"), dict(release, extra=1), {}, dict(payload=release["payload"])):
        world.api.ask("POST", "/v1/releases", broken).refused(400, "invalid")


def test_a_release_without_its_bundle_is_not_published(world):
    folder = world.pack("dugnad-say", "nobundle", "--file", f"{__file__}=data/new")
    envelope = json.loads(world.sign(folder).read_text())
    world.api.ask("POST", "/v1/releases", envelope).refused(404, "missing")


def test_a_tampered_bundle_is_refused_here_and_there(world, tmp_path):
    folder = world.pack("dugnad-say", "tampered")
    bundle = folder / "bundle.tar"
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    envelope = world.sign(folder)
    name = json.loads(base64.b64decode(json.loads(envelope.read_text())["payload"]))["bundle"]["sha256"]
    patch(world.api, 0, bytes(data), len(data), name).refused(403, "untrusted")
    bundle.write_bytes(data)
    world.dugnad("app", "publish", envelope, status=9)
    world.dugnad("app", "sign", folder / "release.json", "--key", next((world.data / "offline-keys").glob("release*.pem")), status=9)
