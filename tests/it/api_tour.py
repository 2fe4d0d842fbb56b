"""A walk through the whole HTTP API of a running project: every route at least once, with what exists. For test_openapi.py."""

import base64
import json
import subprocess

from grid import KEYS, Api, digest, eventually


def quietly(api, method, path, body=None, headers=()):
    return api.ask(method, path, body, dict(headers))


def files(api, grid):
    text = b"a file\n"
    path = f"/v1/blobs/{digest(text)}"
    api.ask("HEAD", path)
    up = {"Content-Type": "application/octet-stream", "Upload-Length": str(len(text))}
    api.ask("PATCH", path, text[:3], {**up, "Upload-Offset": "0"})
    api.ask("PATCH", path, text[:3], {**up, "Upload-Offset": "0"})
    api.ask("PATCH", path, text[3:], {**up, "Upload-Offset": "3"})
    api.ask("HEAD", path)
    api.ask("GET", path)
    api.ask("GET", path, None, {"Range": "bytes=2-"})
    api.ask("GET", f"/v1/blobs/{'0' * 64}")
    return dict(path="in.txt", sha256=digest(text), bytes=len(text))


def apps(api, grid):
    folder = grid.pack("dugnad-say", "tour")
    envelope = grid.sign(folder).read_text()
    release = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    bundle = (folder / "bundle.tar").read_bytes() if (folder / "bundle.tar").exists() else next(folder.glob("*.tar")).read_bytes()
    api.ask("PATCH", f"/v1/blobs/{release['bundle']['sha256']}", bundle,
            {"Content-Type": "application/octet-stream", "Upload-Offset": "0", "Upload-Length": str(len(bundle))})
    api.ask("POST", "/v1/releases", envelope)
    api.get("/v1/apps")
    found = api.get("/v1/apps/tour")
    name = digest(base64.b64decode(json.loads(envelope)["payload"]))
    api.ask("GET", f"/v1/releases/{name}")
    return name, found


def batches(api, grid, file):
    host, other = grid.host("tour"), grid.host("second")
    grid.publish("dugnad-say", "gone")
    body = dict(app="tour", name="a tour", command=["{}"], array=dict(first=0, last=5), labels={"by": "tour"}, priority=3,
                rules=dict(policy="quorum", min_quorum=2, target_attempts=2, max_error_attempts=0), inputs=[file], env={"A": "1"},
                limits=dict(cpu_ms=60000), streams=["tour.answers"])
    api.post("/v1/price", body)
    batch = api.post("/v1/batches", body, key="tour")["batch"]
    eventually(lambda: api.get(f"/v1/batches/{batch}")["units"] == 6, 10)
    for path in ("", "/units", "/failures", "/explain", "/order", "/graph", "/results"):
        api.get(f"/v1/batches/{batch}{path}")
    api.get("/v1/batches?search=tour&limit=5")
    api.ask("PATCH", f"/v1/batches/{batch}", dict(priority=5, name="named anew", labels={"by": "me"}))
    for verb in ("pause", "resume"):
        api.post(f"/v1/batches/{batch}/{verb}")
    for worker in (host, other):
        came = worker.take(6)
        reports = [worker.answer(a, f"{u['word']}\n") for a, u in came.items() if u["word"] not in ("4", "5")]
        reports += [worker.error(a, "exit", exit_code=3, message="it said no", stderr="no\n") for a, u in came.items() if u["word"] == "4"]
        worker.report(*reports)
        for unit in list(came.values())[:1]:
            for kind, name in (("releases", unit["release"]), ("orders", json.loads(api.ask("GET", f"/v1/batches/{batch}/order").body).get("order"))):
                if name:
                    worker.api.ask("GET", f"/v1/{kind}/{name}")
            statement = json.loads(base64.b64decode(json.loads(next(iter(worker.work(want=0).get("chunks", {}).values()), "{}") or "{}").get("payload", "e30=")))
            if "order" in statement:
                worker.api.ask("GET", f"/v1/orders/{statement['order']}")
    order = digest(api.ask("GET", f"/v1/batches/{batch}/order").body)
    host.api.ask("GET", f"/v1/orders/{order}")
    for unit in range(6):
        api.get(f"/v1/units/{batch}.{unit}")
        api.get(f"/v1/units/{batch}.{unit}/explain")
    eventually(lambda: len(api.get(f"/v1/batches/{batch}/results?wait_s=1")["items"]) >= 4, 10)
    api.get(f"/v1/batches/{batch}/failures")
    api.get(f"/v1/batches/{batch}/units?state=failed")
    api.get(f"/v1/failures?limit=5")
    api.ask("POST", f"/v1/units/{batch}.5/spare", {})
    api.ask("POST", f"/v1/units/{batch}.5/cancel", {})
    eventually(lambda: api.get(f"/v1/batches/{batch}")["state"] == "done", 10)
    for verb in ("cancel", "retry"):
        api.ask("POST", f"/v1/units/{batch}.4/{verb}", {})
    api.ask("POST", f"/v1/batches/{batch}/retry", {})
    api.ask("GET", f"/v1/batches/{batch}/provenance")
    api.ask("GET", f"/v1/batches/{batch}/archive")
    api.ask("POST", f"/v1/batches/{batch}/cancel", {})
    eventually(lambda: api.get(f"/v1/batches/{batch}")["state"] in ("done", "cancelled"), 10)
    api.ask("POST", f"/v1/batches/{batch}/purge", {})
    lines = api.post("/v1/batches", dict(app="tour", command=["{x}"], rules=dict(policy="adaptive")))["batch"]
    line = json.dumps(dict(vars={"x": "1"}, inputs=[file], known=[dict(path="out.txt", sha256=digest(b"1\n"), bytes=2)])) + "\n"
    api.ask("POST", f"/v1/batches/{lines}/units?first=0", line, {"Content-Type": "application/x-ndjson"})
    api.ask("POST", f"/v1/batches/{lines}/units?first=0", line, {"Content-Type": "application/x-ndjson"})
    after = api.post("/v1/batches", dict(app="tour", command=["{}"], stage=dict(after=[lines], failed="skip"), array=dict(first=1, last=2)))["batch"]
    api.get(f"/v1/batches/{after}/graph")
    api.post(f"/v1/batches/{lines}/close")
    api.get(f"/v1/units/{lines}.0")
    api.ask("POST", f"/v1/batches/{after}/cancel", {})
    api.ask("POST", f"/v1/batches/{lines}/cancel", {})
    api.ask("POST", f"/v1/batches/{lines}/explode", {})
    return host, batch


def schedules(api):
    made = api.post("/v1/schedules", dict(cron="0 3 * * *", batch=dict(app="tour", command=["{}"], array=dict(first=0, last=1))))["schedule"]
    api.get("/v1/schedules")
    api.get("/v1/files?limit=1")
    api.post("/v1/files/free")
    api.ask("PATCH", f"/v1/schedules/{made}", dict(paused=True))
    api.ask("DELETE", f"/v1/schedules/{made}")


def streams(api):
    text = {"Content-Type": "text/plain"}
    for word in ("one", "two", "three"):
        api.ask("POST", "/v1/streams/tour.said?group=g", word, text)
    api.ask("POST", "/v1/streams/tour.said", "a\nb\n", {"Content-Type": "application/x-ndjson"})
    api.get("/v1/streams/tour.said/records?after=0&limit=2")
    api.get("/v1/streams/tour.answers/records?after=0&limit=2")
    api.get("/v1/streams/tour.said/records?cursor=c&member=m&limit=2&lease=30")
    api.ask("POST", "/v1/streams/tour.said/cursors/c/ack", dict(member="m", first=1, last=1))
    api.get("/v1/streams")
    api.get("/v1/streams?cursors=true")
    api.get("/v1/streams/tour.said")
    for verb in ("pause", "resume"):
        api.ask("POST", f"/v1/streams/tour.said/{verb}", {})
    api.ask("POST", "/v1/streams/tour.said/cursors/c/rewind", dict(seq=0))
    api.ask("DELETE", "/v1/streams/tour.said/cursors/c")
    api.ask("DELETE", "/v1/streams/tour.said")


def people(api, make):
    made = api.post("/v1/users", dict(name="toured", role="scientist", mail="a@example.org"))
    api.get("/v1/users")
    api.ask("PATCH", f"/v1/users/{made['id']}", dict(disabled=False, name="toured again"))
    token = api.post("/v1/tokens", dict(user=made["id"], name="second", scope="read submit"))
    api.get("/v1/tokens")
    api.ask("POST", f"/v1/tokens/{token['id']}/rotate", {})
    api.ask("DELETE", f"/v1/tokens/{token['id']}")
    invitation = api.post("/v1/invitations", dict(uses_max=3, name="friends"))["invitation"]
    api.get("/v1/invitations")
    api.ask("DELETE", f"/v1/invitations/{invitation}")
    browser = make(None)
    reply = browser.ask("POST", "/v1/session", dict(token=made["token"]))
    cookie = {"Cookie": reply.headers["set-cookie"].split(";")[0], "X-CSRF-Token": reply.json["csrf"]}
    browser.ask("GET", "/v1/session", None, cookie)
    api.post("/v1/credentials", dict(kind="password", password="en hest og en ku"))
    api.ask("POST", "/v1/credentials/challenge", {})
    api.post("/v1/credentials", dict(kind="recovery"))
    password = api.get("/v1/credentials")["items"][0]["credential"]
    browser.ask("POST", "/v1/session/challenge", {})
    browser.ask("GET", "/v1/sessions", None, cookie)
    browser.ask("DELETE", "/v1/sessions", None, cookie)
    api.ask("DELETE", f"/v1/credentials/{password}")
    browser.ask("DELETE", "/v1/session", None, cookie)
    browser.ask("GET", "/v1/session", None, cookie)


def watching(api, host, make):
    api.get("/v1/hosts")
    api.get(f"/v1/hosts/{host.id}")
    make(None).ask("GET", f"/v1/hosts/{host.id}/receipt")
    api.get("/v1/versions")
    api.ask("PATCH", "/v1/versions", dict(client_min=""))
    app = api.get("/v1/apps")["items"][-1]
    for body in (dict(halt=True, why="for the tour"), dict(share=1)):
        api.ask("POST", f"/v1/apps/{app['app']}/versions/{app['version']}", body)
    for verb, body in (("ban", dict(dry_run=True)), ("ban", dict(reason="for the tour")), ("unban", {})):
        api.ask("POST", f"/v1/hosts/{host.id}/{verb}", body)
    for path in ("/v1/hosts?sort=-errors&limit=1", "/v1/volunteers?sort=credit", "/v1/find?text=a", "/v1/whoami", "/v1/stats", "/v1/stats/history?hours=1", "/v1/failures", "/v1/validation", "/v1/validation/disputes", "/v1/volunteers",
                 "/v1/health", "/v1/servers", "/v1/audit?limit=50"):
        api.get(path)
    for path in ("/v1/project", "/v1/project/stats", "/healthz", "/readyz", "/metrics", "/", "/join", "/admin", "/admin/batches", "/web/style.css", "/web/nothing.css"):
        make(None).ask("GET", path)


def walk(grid, make):
    """make(token) -> something like grid.Api that looks at every reply."""
    api = make(grid.token)
    before, grid.api = grid.api, api
    file = files(api, grid)
    release, _ = apps(api, grid)
    host, batch = batches(api, grid, file)
    schedules(api)
    streams(api)
    people(api, make)
    watching(api, host, make)
    api.ask("DELETE", f"/v1/releases/{release}")
    grid.api = before
