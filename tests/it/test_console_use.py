"""What an operator and others do in the console, with the keyboard and the mouse, in Chromium: each deed is looked at from the other side."""

import csv
import io
import json
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser import Browser
from grid import BIN, digest, eventually

WEB = Path(__file__).parents[2] / "web"


@pytest.fixture(scope="module")
def used(grid):
    grid.publish("dugnad-say", "say", "--title", "Says what it is told", "--summary", "Repeats a word.")
    hosts = [grid.host("ada", team="Owls"), grid.host("bo", team="Fjord")]
    done = grid.submit("say", lines=["x", "y"])
    for host in hosts:
        host.work_off()
    grid.wait_done(done)
    return dict(hosts=hosts, done=done)


@pytest.fixture(scope="module")
def browser(grid, used):
    made = Browser()
    made.log_in(grid)
    yield made
    made.close()


def show(browser, grid, screen):
    browser.open(f"{grid.url}/admin/{screen}")
    browser.settled()


def failing(grid, host, words, **rules):
    """A batch whose units all fail, the even ones in one way and the odd ones in another."""
    batch = grid.submit("say", lines=words, quorum=1, max_error_attempts=0, priority=9, **rules)
    held = host.take_all(len(words))
    host.report(*[host.error(a, "exit", exit_code=3 + int(a.split(".")[1]) % 2, stderr=f"way {'ab'[int(a.split('.')[1]) % 2]}\n") for a in held])
    grid.wait_done(batch)
    return batch


def test_what_failed_in_one_way_is_tried_again_and_the_rest_is_left(grid, browser, used):
    batch = failing(grid, used["hosts"][0], ["p", "q", "r", "s"])
    show(browser, grid, f"batches/{batch}")
    browser.wait("document.querySelectorAll('.said').length === 2")
    first = browser.run("return document.querySelector('.said').innerText")
    way = 0 if "way a" in first else 1
    browser.press("Retry these", ".said")
    browser.wait(f"/dugnad retry {batch} --group 1/.test(document.querySelector('.did').innerText)")
    states = {u["unit"]: u["state"] for u in grid.api.get(f"/v1/batches/{batch}/units")["items"]}
    assert [s for _, s in sorted(states.items())] == [["open", "delivered"], ["delivered", "open"]][way] * 2, states
    grid.cancel_all()


def test_all_answers_are_saved_as_one_tar_file(grid, browser, used):
    show(browser, grid, f"batches/{used['done']}")
    browser.press("Download all")
    name = f"batch-{used['done']}"
    with tarfile.open(fileobj=io.BytesIO(browser.downloaded(f"{name}.tar"))) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
    assert files == {f"{name}/{used['done']}.{n}/out.txt": f"{word}\n".encode() for n, word in enumerate("xy")}


def test_a_table_is_saved_whole_as_csv_and_json(grid, browser, used):
    batch = grid.submit("say", array=130)
    show(browser, grid, f"batches/{batch}")
    browser.press("CSV")
    rows = list(csv.reader(io.StringIO(browser.downloaded(f"batch-{batch}-units.csv").decode())))
    assert rows[0][:2] == ["Unit", "State"] and [r[0] for r in rows[1:]] == [f"{batch}.{n}" for n in range(130)]
    browser.press("JSON")
    assert len(json.loads(browser.downloaded(f"batch-{batch}-units.json"))) == 130
    browser.press("Next page")
    browser.wait(f"location.search === '?after={batch}.49' && /{batch}\\.50/.test(document.querySelector('tbody').innerText)")
    grid.cancel_all()


def test_batches_are_cancelled_together_after_the_word_was_typed(grid, browser, used):
    batches = [grid.submit("say", array=3) for _ in range(2)]
    show(browser, grid, "batches?state=running")
    browser.run("document.querySelector('thead input').click()")
    browser.press("Cancel", "[aria-label=Selected]")
    browser.wait("!!document.querySelector('dialog[open]')")
    assert f"dugnad cancel {batches[1]} {batches[0]}" in browser.text()
    assert browser.run("return document.querySelector('dialog button.danger').disabled")
    browser.driver.find_element(By.ID, "confirm-word").send_keys("cancel" + Keys.ENTER)
    eventually(lambda: {grid.status(b)["state"] for b in batches} == {"cancelled"}, 10)
    browser.wait("/No batch matches/.test(document.body.innerText)")


def test_a_batch_of_dropped_files_is_priced_submitted_and_followed(grid, browser, used, tmp_path):
    for name in ("one.txt", "two.txt", "three.txt"):
        (tmp_path / name).write_text(f"this is {name}\n")
    show(browser, grid, "batches/new")
    browser.driver.find_element(By.ID, "files").send_keys("\n".join(str(p) for p in sorted(tmp_path.iterdir())))
    browser.run("const s = document.getElementById('policy'); s.value = 'quorum'; s.dispatchEvent(new Event('input'))")
    browser.wait("/3 units × 2.11 runs = about 7 attempts/.test(document.body.innerText)")
    browser.press("Submit")
    browser.wait("/^\\/admin\\/batches\\/\\d+$/.test(location.pathname)")
    batch = browser.run("return location.pathname.split('/').pop()")
    browser.wait("/of 3, 0.0 %/.test(document.body.innerText)")
    status = grid.status(batch)
    assert status["units"] == 3 and status["policy"]["name"] == "quorum" and status["state"] == "running"
    inputs = [i for n in range(3) for i in grid.unit(f"{batch}.{n}")["inputs"]]
    assert {(i["path"], i["sha256"]) for i in inputs} == {(p.name, digest(p.read_bytes())) for p in tmp_path.iterdir()}
    for host in used["hosts"]:
        host.work_off()
    browser.wait("/of 3, 100.0 %/.test(document.body.innerText)")  # it comes by itself
    grid.cancel_all()


@pytest.mark.parametrize("typed,path", [("ada", "/hosts/1"), ("h2", "/hosts/2"), ("v1", "/hosts?volunteer=1"), ("Owls", "/hosts?volunteer=1"), ("{done}", "/batches/{done}"),
                                        ("{done}.1", "/units/{done}.1"), ("{done}.1.0", "/units/{done}.1"), ("weather", "/streams")])
def test_slash_jumps_to_whatever_has_the_name(grid, browser, used, typed, path):
    if typed == "weather":
        grid.api.ask("POST", "/v1/streams/weather", "rain\n").ok()
    show(browser, grid, "")
    browser.key("/")
    browser.wait("document.activeElement.id === 'search'")
    browser.key(typed.format(**used) + Keys.ENTER)
    browser.wait(f"(location.pathname + location.search) === '/admin{path.format(**used)}'")


def test_a_name_that_several_have_gives_a_list(grid, browser, used):
    grid.submit("say", array=1)
    show(browser, grid, "find?text=1")
    assert {"batch", "host", "user"} <= set(browser.run("return [...document.querySelectorAll('tbody tr td:first-child')].map(x => x.innerText)"))
    show(browser, grid, "find?text=nobody%20has%20this")
    assert "Nothing has this in its name" in browser.text()
    grid.cancel_all()


def test_hosts_are_sorted_by_the_server_over_all_pages(grid, browser, used):
    hosts = [grid.host(f"n{i}") for i in range(4)]
    failing(grid, hosts[2], ["f"] * 3)
    failing(grid, hosts[1], ["f"] * 5)
    asked = grid.api.get("/v1/hosts?sort=-errors&limit=1")
    assert asked["items"][0]["host"] == hosts[1].id and asked["next"]
    assert grid.api.get(f"/v1/hosts?sort=-errors&limit=1&after={asked['next']}")["items"][0]["errors"] <= asked["items"][0]["errors"]
    everyone = grid.api.pages("/v1/hosts?sort=errors", most=2)
    assert len(everyone) == len({h["host"] for h in everyone}) == len(grid.hosts)
    assert [h["errors"] for h in everyone] == sorted(h["errors"] for h in everyone)
    assert [h["host"] for h in grid.api.pages("/v1/hosts?state=active", most=2)] == [h["host"] for h in grid.api.get("/v1/hosts")["items"]]
    assert len(grid.api.get(f"/v1/failures?host={hosts[1].id}")["items"]) == 5  # each one, not one of its kind
    assert not grid.api.get(f"/v1/failures?host={hosts[0].id}")["items"]
    grid.api.ask("GET", "/v1/hosts?sort=nickname").refused(400, "invalid")
    grid.api.ask("GET", "/v1/hosts?sort=errors&after=7").refused(400, "invalid")
    show(browser, grid, "hosts")
    browser.press("Errors", "th")
    browser.wait(f"location.search === '?sort=-errors' && document.querySelector('tbody a').innerText === '{hosts[1].id}'")
    assert browser.run("return document.querySelector('[aria-sort]').getAttribute('aria-sort')") == "descending"


def test_the_public_page_says_what_is_computed_and_ranks_the_teams(grid, browser, used):
    eventually(lambda: [t["team"] for t in grid.api.get("/v1/project/stats")["teams"]] and grid.api.get("/v1/project/stats")["apps"], 30, 0.5)
    stats = grid.api.get("/v1/project/stats")
    assert {t["team"] for t in stats["teams"]} == {"Owls", "Fjord"} and stats["apps"] == [dict(app="say", title="Says what it is told", summary="Repeats a word.")]
    assert [t["credit"] for t in stats["teams"]] == sorted((t["credit"] for t in stats["teams"]), reverse=True)
    browser.open(f"{grid.url}/")
    browser.wait("/What it computes/.test(document.body.innerText) && /Owls/.test(document.body.innerText)")
    assert "Says what it is told" in browser.text() and not browser.complaints()


def test_validation_tells_what_was_measured(grid, browser, used):
    batch = grid.submit("say", lines=["true"], priority=9)
    for n, host in enumerate(used["hosts"] + [grid.host("third")]):
        held = host.take(9)
        host.report(*[host.answer(a, f"{n % 2}\n") for a in held])  # the second one is alone with what it says
    grid.wait_done(batch)
    found = grid.api.get("/v1/validation")
    assert found["checked"] >= 2 and 0 < found["liars"] <= 1 and 0 < found["error_bound"] <= 1
    assert found["invalid"] == sum(b["invalid"] for b in grid.api.get("/v1/batches")["items"])
    assert [(d["unit"], d["invalid"]) for d in grid.api.get("/v1/validation/disputes")["items"]] == [(f"{batch}.0", 1)]
    show(browser, grid, "validation")
    assert "at most, from that and each batch’s policy" in browser.text()


def test_a_host_shows_how_far_it_is_believed(grid, browser, used):
    batch = grid.submit("say", lines=[f"t{n}" for n in range(15)], quorum=None, policy="adaptive", priority=9)

    def known():
        for host in used["hosts"]:
            host.work_off()
        return [t for t in grid.api.get("/v1/hosts/1")["trust"] if t["answers"] >= 5]
    [trust] = eventually(known, 20, 0.2)
    assert (trust["app"], trust["version"]) == ("say", 1) and trust["passed"] >= 4.9 and trust["faults"] == 0
    assert trust["state"] == ("trusted" if trust["answers"] >= 10 else "new")
    show(browser, grid, "hosts/1")
    browser.wait("/say 1/.test(document.querySelector('[aria-label=trust]').innerText)")
    assert grid.status(batch)["policy"]["name"] == "adaptive"
    grid.cancel_all()


def test_a_cursor_is_rewound_to_a_record(grid, browser, used):
    grid.api.ask("POST", "/v1/streams/tide", "".join(f"{n}\n" for n in range(9)), {"Content-Type": "application/x-ndjson"}).ok()
    grid.api.get("/v1/streams/tide/records?cursor=log&member=m&limit=9")
    grid.api.post("/v1/streams/tide/cursors/log/ack", dict(member="m", first=1, last=9))
    show(browser, grid, "streams")
    browser.run("[...document.querySelectorAll('tr')].find(x => /tide/.test(x.innerText)).querySelectorAll('button')[1].click()")
    browser.wait("!!document.querySelector('dialog[open]')")
    browser.driver.find_element(By.ID, "after").send_keys("4")
    browser.wait("/dugnad stream rewind tide log --to 4/.test(document.querySelector('dialog').innerText)")
    browser.driver.find_element(By.ID, "confirm-word").send_keys("log" + Keys.ENTER)
    eventually(lambda: grid.api.get("/v1/streams/tide")["cursors"][0]["acknowledged"] == 4, 10)


def test_times_are_shown_as_the_person_wants_them(grid, browser, used):
    show(browser, grid, f"batches/{used['done']}")
    assert re.search(r"\d (s|min \d+ s) ago", browser.text())
    for word, form in (("UTC", r"submitted by operator 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"), ("local", r"submitted by operator 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d,"), ("ago", r"\d (s|min \d+ s) ago")):
        browser.run("const s = document.querySelector('[aria-label=Times]'); s.value = arguments[0]; s.dispatchEvent(new Event('change'))", word)
        eventually(lambda form=form: re.search(form, browser.text()), 5, what=form)
    assert browser.run("return document.querySelector('main time').title").endswith("UTC")


def test_a_wall_whose_session_has_ended_says_so_in_red(grid, used):
    browser, before = Browser(), {t["id"] for t in grid.api.pages("/v1/tokens")}
    try:
        browser.log_in(grid)
        browser.open(f"{grid.url}/admin/wall")
        browser.wait("/All is well/.test(document.body.innerText) && !!document.querySelector('.wall.good')")
        browser.shot("wall-good")
        for token in grid.api.pages("/v1/tokens"):
            if token["id"] not in before:
                grid.api.ask("DELETE", f"/v1/tokens/{token['id']}").ok()
        grid.server.kill()
        browser.wait("/does not answer/.test(document.body.innerText) && !!document.querySelector('.wall.bad')", 30)
        browser.shot("wall-bad")
        grid.server.start()
        grid.wait_ready()
        browser.wait("/Nobody is logged in/.test(document.body.innerText) && !!document.querySelector('.wall.bad')", 60)
        browser.shot("wall-out")
        assert not browser.violations()
    finally:
        browser.close()


@pytest.mark.parametrize("role", ["viewer", "scientist"])
def test_others_see_no_more_than_they_may_and_are_offered_nothing_that_is_refused(grid, used, role):
    token = grid.user(f"the {role}", role=role).token
    foreign = grid.submit("say", array=2)
    browser = Browser()
    try:
        browser.log_in(grid, token)
        menu = browser.run("return [...document.querySelectorAll('.side a')].map(x => x.innerText)")
        assert "Audit log" not in menu and "Health and capacity" not in menu and "Hosts" in menu
        for screen in ("", "batches", f"batches/{foreign}", f"units/{foreign}.0", "hosts", "hosts/1", "validation", "apps", "streams", "volunteers", "settings", "wall", "find?text=a"):
            browser.open(f"{grid.url}/admin/{screen}")
            browser.settled()
            labels = browser.run("return [...document.querySelectorAll('main button')].map(x => x.innerText)")
            assert not {"Ban", "Add user", "New join link", "Lift the ban"} & set(labels), (screen, labels)
            if role == "viewer":
                assert not {"Pause", "Cancel", "Retry", "Rewind", "Delete", "Submit", "Set", "Retire"} & set(labels), (screen, labels)
        browser.open(f"{grid.url}/admin/batches/{foreign}")
        browser.settled()
        assert ("you have no batch" in browser.text()) == (role == "scientist")
        assert "Submit a batch" not in browser.text() or role == "scientist"
    finally:
        browser.close()
    grid.cancel_all()


def test_the_keyboard_reaches_everything_and_shows_where_it_is(grid, browser, used):
    show(browser, grid, "")
    browser.key("?")
    browser.wait("!!document.querySelector('dialog[open]')")
    browser.key(Keys.ESCAPE)
    browser.wait("!document.querySelector('dialog[open]')")
    browser.key("g", "h")
    browser.wait("location.pathname === '/admin/hosts'")
    failed = failing(grid, used["hosts"][1], ["k"])
    show(browser, grid, f"batches/{failed}")
    wanted = browser.run("return [...document.querySelectorAll('a[href], button:not(:disabled), input, select, [tabindex=\"0\"]')].filter(x => x.getClientRects().length).length")
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    seen, hidden = set(), []
    for _ in range(wanted + 5):
        browser.key(Keys.TAB)
        at = browser.run("const x = document.activeElement, s = getComputedStyle(x); if (x === document.body) return null; x.dataset.at ||= String(Math.random());"
                         "const r = x.getBoundingClientRect(); return [x.dataset.at, x.outerHTML.slice(0, 90), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2, r.bottom > 0 && r.top < innerHeight]")
        if at is None:
            break
        seen.add(at[0])
        hidden += [at[1]] if not at[2] or not at[3] else []
    assert len(seen) >= wanted, f"{len(seen)} of {wanted} things were reached"
    assert not hidden, hidden
    grid.cancel_all()


def test_live_numbers_come_again_after_the_stream_broke_and_pages_ask_only_when_something_happened(grid, browser, used):
    show(browser, grid, "batches")
    browser.run("window.asked = window.beats = 0; const f = window.fetch; window.fetch = (...a) => { window.asked++; return f(...a) }; addEventListener('dugnad-beat', () => window.beats++)")
    browser.wait("window.beats >= 4", 30)
    assert browser.run("return window.asked") <= 2, browser.run("return performance.getEntriesByType('resource').slice(-9).map(x => x.name)")  # what had happened when the page came
    batch = grid.submit("say", array=1)
    browser.wait(f"[...document.querySelectorAll('tbody a')].some(x => x.innerText === '{batch}')", 15)
    grid.server.kill()
    browser.wait("/Connection lost/.test(document.body.innerText)", 20)
    grid.server.start()
    grid.wait_ready()
    browser.wait("!/Connection lost/.test(document.body.innerText)", 60)
    browser.complaints()
    grid.cancel_all()


def test_no_page_runs_what_is_not_the_servers_own(grid, browser, used):
    show(browser, grid, "")
    assert browser.run("const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.head.append(s); return window.ran === undefined")
    assert any("Content Security Policy" in c for c in browser.complaints())
    for path in ("/", "/admin", "/join", "/web/app.js"):
        policy = grid.api.ask("GET", path).headers["content-security-policy"]
        assert "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy


def named(text):
    """The commands that a text names, up to what they are filled with."""
    return {words.strip() for words in re.findall(r"dugnad ((?:[a-z][a-z-]+ ?){1,2})", text)}


def test_every_command_that_the_console_names_is_one():
    listed = re.findall(r"^  ([a-z][a-z -]*?)  ", subprocess.check_output([BIN / "dugnad", "help"], text=True), re.M)
    found = {words: path.name for path in [*WEB.glob("*.js"), *WEB.glob("*.html"), *WEB.glob("screens/*.js")] for words in named(path.read_text())}
    assert len(found) > 20 and len(listed) > 40
    for words, where in found.items():
        known = words in listed or words.split()[0] in listed or any(x.startswith(f"{words} ") for x in listed)
        assert known, f"{where} names dugnad {words}, which is no command"
