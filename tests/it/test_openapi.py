"""web/openapi.json is what the server does: every route is in it and no other; every reply of a tour through the API fits it, with no
field that it does not name; and what its schemas of requests forbid is refused with an error that fits too."""

import copy
import json
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from api_tour import walk
from grid import BIN, Api

DOCUMENT = json.loads((Path(__file__).parents[2] / "web" / "openapi.json").read_text())
ROUTES = [json.loads(line) for line in subprocess.check_output([BIN / "dugnad-server", "routes"], text=True).splitlines()]
SEEN = set()


def starred(path):
    parts = path.split("/")
    return "/".join("**" if p == "{path}" else "*" if p.startswith("{") else p for p in parts)


OPERATIONS = {(method.upper(), starred(path)): (path, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()}


def closed(schema):
    """Replies are open to who reads them, but here a field that is not in the document is a fault."""
    if isinstance(schema, list):
        return [closed(x) for x in schema]
    if not isinstance(schema, dict):
        return schema
    found = {k: closed(v) for k, v in schema.items()}
    if isinstance(found.get("properties"), dict) and "type" in found and "additionalProperties" not in found:
        found["additionalProperties"] = False
    return found


STRICT = closed(copy.deepcopy(DOCUMENT["components"]))


def check(value, schema, where):
    validator = Draft202012Validator({**closed(schema), "components": STRICT})
    faults = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in validator.iter_errors(value)]
    assert not faults, f"{where}: {faults[:5]}"


def operation_of(method, path):
    parts = path.split("?")[0].split("/")
    for route in ROUTES:  # the server takes the first that fits, too
        wanted = route["path"].split("/")
        tail = wanted[-1] == "**" and len(parts) >= len(wanted) and parts[:len(wanted) - 1] == wanted[:-1]
        if route["method"] == method and (tail or len(parts) == len(wanted) and all(a in (b, "*") for a, b in zip(wanted, parts))):
            return OPERATIONS[method, route["path"]]
    raise AssertionError(f"no route for {method} {path}")


def fits(method, path, reply):
    name, operation = operation_of(method, path)
    where = f"{method} {path} -> {reply.status}"
    answers = operation["responses"]
    answer = answers.get(str(reply.status)) if reply.status < 400 else answers.get(str(reply.status), answers["default"])
    assert answer is not None, f"{where} is not in the document"
    answer = DOCUMENT["components"]["responses"]["Error"] if "$ref" in answer else answer
    content = answer.get("content", {})
    kind = reply.headers.get("content-type", "").split(";")[0]
    SEEN.add((method, name))
    if method == "HEAD" or not reply.body:
        return
    assert kind in content, f"{where} has the content type {kind}, the document {list(content)}"
    if kind == "application/json":
        check(reply.json, content[kind].get("schema", {}), where)


class Checked(Api):
    def once(self, method, path, body=None, headers=()):
        reply = super().once(method, path, body, headers)
        fits(method, path, reply)
        return reply


def test_the_document_has_every_route_with_who_may_and_no_other():
    assert {(r["method"], r["path"]): r["access"] for r in ROUTES} == {key: operation["x-access"] for key, (_, operation) in OPERATIONS.items()}
    for (_, path), (name, operation) in OPERATIONS.items():
        named = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
        assert [f"{{{p}}}" for p in named] == [p for p in name.split("/") if p.startswith("{")], name
        assert len(operation["summary"]) > 10, name
        assert (operation.get("security") == []) == (operation["x-access"] == "public"), name


def test_the_document_is_sound():
    text = json.dumps(DOCUMENT)
    for name in DOCUMENT["components"]["schemas"]:
        Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])
        assert f"#/components/schemas/{name}\"" in text, f"nobody uses {name}"


def test_the_server_gives_it_away(grid):
    reply = Api(grid).once("GET", "/web/openapi.json")
    assert reply.status == 200 and reply.headers["content-type"].startswith("application/json") and reply.json == DOCUMENT


def test_every_reply_of_a_tour_is_as_the_document_says(grid, monkeypatch):
    monkeypatch.setattr("grid.Api", Checked)  # of the scripted hosts
    walk(grid, lambda token: Checked(grid, token))
    assert {(m, p) for m, (p, _) in ((key[0], value) for key, value in OPERATIONS.items())} - SEEN == {("GET", "/v1/events")}


def test_an_event_is_what_the_stats_are(grid):
    connection = Api(grid).connect()
    connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {grid.token}"})
    reply = connection.getresponse()
    assert reply.status == 200 and reply.getheader("content-type") in DOCUMENT["paths"]["/v1/events"]["get"]["responses"]["200"]["content"]
    lines = iter(lambda: reply.readline().decode().rstrip("\n"), None)
    data = next(line.removeprefix("data: ") for line in lines if line.startswith("data: "))
    stats = DOCUMENT["paths"]["/v1/stats"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    check(json.loads(data), {**stats, "required": ["health", "reasons", "units_open"]}, "an event")  # what changes, of all that is asked once
    connection.close()


# --- requests that the document forbids

def resolved(schema):
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def least(schema):
    """The least that fits a schema."""
    schema = resolved(schema)
    if "enum" in schema:
        return schema["enum"][-1]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: least(schema["properties"][name]) for name in schema.get("required", [])}
    if kind == "array":
        return [least(schema["items"])] * schema.get("minItems", 0)
    if kind == "string":
        return "0" * 64 if "0-9a-f" in schema.get("pattern", "") else "x"
    return schema.get("minimum", 1) if kind in ("integer", "number") else True


def wrong_for(schema):
    """A value of a type that the schema does not take."""
    kinds = resolved(schema).get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    for kind, value in (("array", [[1]]), ("string", "no such thing"), ("integer", -7), ("boolean", True), ("object", {"no": 1})):
        if kind not in kinds and not (kind == "integer" and "number" in kinds):
            return value
    raise AssertionError(schema)


def bad_bodies(schema):
    schema = resolved(schema)
    good = least(schema)
    yield "nothing", ""
    yield "half of it", "{\"a\":"
    yield "a list", [good]
    yield "a field nobody knows", {**good, "nobody": 1}
    for name in schema.get("required", []):
        yield f"no {name}", {k: v for k, v in good.items() if k != name}
    for name, inner in schema["properties"].items():
        yield f"{name} of another type", {**good, name: wrong_for(inner)}
        if resolved(inner).get("type") == "object" and "properties" in resolved(inner):
            yield f"{name} with a field nobody knows", {**good, name: {**least(inner), "nobody": 1}}


BODIES = [(key, value[1]) for key, value in OPERATIONS.items()
          if resolved(value[1].get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})).get("properties")]


@pytest.mark.parametrize("key,operation", BODIES, ids=[f"{m} {p}" for (m, p), _ in BODIES])
def test_a_body_that_does_not_fit_is_refused(grid, key, operation):
    method, path = key[0], key[1].replace("*", "999999")
    api = Checked(grid, grid.host("strict").api.token if operation["x-access"] == "host" else grid.token)
    for what, body in bad_bodies(operation["requestBody"]["content"]["application/json"]["schema"]):
        if what == "nothing" and not resolved(operation["requestBody"]["content"]["application/json"]["schema"]).get("required"):
            continue
        reply = api.ask(method, path, body)
        assert 400 <= reply.status < 500, f"{method} {path}: {what} ({json.dumps(body)[:200]}) gave {reply.status}"


def bad_parameters():
    for (method, path), (name, operation) in OPERATIONS.items():
        for p in operation.get("parameters", []):
            schema = p["schema"]
            if p["in"] == "path" and ("pattern" in schema or "enum" in schema):
                yield method, name, p["name"], None, "%20%00;.." if "pattern" in schema else "explode"
            elif p["in"] == "query" and schema.get("type") == "integer":
                for value in ["x", "-1", "1e3", str(schema.get("maximum", 2**70) + 1)]:
                    yield method, name, None, p["name"], value


@pytest.mark.parametrize("method,name,part,query,value", list(bad_parameters()))
def test_a_parameter_that_does_not_fit_is_refused(grid, method, name, part, query, value):
    path = "/".join((value if p == f"{{{part}}}" else "1.0" if p == "{unit}" else "0" * 64 if p in ("{sha256}", "{digest}") else "1") if p.startswith("{") else p
                    for p in name.split("/"))
    headers = {"Upload-Offset": "0", "Upload-Length": "1", "Content-Type": "application/octet-stream"} if method == "PATCH" and "blobs" in name else {}
    reply = Checked(grid, grid.token).ask(method, path + (f"?{query}={value}" if query else ""), None if method in ("GET", "HEAD", "DELETE") else "{}", headers)
    assert 400 <= reply.status < 500, f"{method} {path} {query}={value}: {reply.status} {reply.body[:200]}"
