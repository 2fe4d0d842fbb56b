"""A power cut at every change that a client makes to its folder, with what was not synced there, gone, or zeros: nothing
finished is lost, nothing corrupt is used. Each moment is checked as files; some are begun from (CUTS=all: every one)."""

import hashlib
import json
import os
import re
import shutil

import pytest

from grid import Client, Process, eventually
from power import Trace, under_strace

CONF = dict(contact="1s", contact_idle="1s")
CUTS = os.environ.get("CUTS", "12")
WORDS = ["one", "two", "three"]
TEXT = "an input that is larger than what is sent inside of a message " * 1200
QUIET = dict(report_wait="1h", work_buffer="1m", idle_priority="no")


def records(data):
    """The journal's whole lines, as its header file says they are."""
    for line in (data or b"").split(b"\n")[:-1]:
        sum_, _, text = line.partition(b" ")
        if len(sum_) == 16 and hashlib.sha256(text).hexdigest()[:16] == sum_.decode():
            yield json.loads(text)


def forgotten(moment):
    """What the server has acknowledged, by the last word that was written of it."""
    return {r["attempt"] for r in records(moment.bytes("journal")) if r["what"] == "forgotten"}


def finished(moment):
    """attempt -> outcome of those that are finished and not forgotten."""
    found = {}
    for r in records(moment.bytes("journal")):
        if r["what"] == "finished":
            found[r["attempt"]] = r["outcome"]
        elif r["what"] == "forgotten":
            found.pop(r["attempt"], None)
    return found


def submit(grid, words, tmp_path):
    (tmp_path / "in").write_text(TEXT)
    return grid.dugnad("submit", "say", "--each-line", "-", "--input", tmp_path / "in", "--quorum", 1, "--policy", "once", "--quiet", "--",
                       "{}", "--read", "in", stdin="".join(f"{w}\n" for w in words)).strip()


@pytest.fixture(scope="module")
def life(grid, tmp_path_factory):
    """One client's life from its start until everything is reported, as its disk saw it."""
    folder = tmp_path_factory.mktemp("life")
    grid.publish("dugnad-say")
    client = grid.client("first", **QUIET).join()
    shutil.copytree(client.data, folder / "before", ignore=shutil.ignore_patterns("*.lock"))
    batch = submit(grid, WORDS, folder)
    client.words = under_strace(client.words, folder / "trace.txt")
    client.start()
    assert grid.wait_done(batch, 60)["accepted"] == len(WORDS)
    eventually(lambda: json.loads(client.call("status", "--json").stdout)["to_report"] == 0)
    client.kill()
    trace = Trace(folder / "before", client.data, folder / "trace.txt")
    return list(trace.moments()), client.data, batch


def test_at_every_moment_what_is_finished_is_there(life):
    """What was durable as finished stays so, with its answers whole, until the server has it."""
    moments, _, _ = life
    ever, told, seen = set(), set(), 0
    for moment in moments:
        now, names = finished(moment), set(moment.names)
        told |= forgotten(moment)
        if moment.way == "back":  # what is durable by any count: from here on it must be there
            ever |= set(now)
        for attempt in now.keys() - told:  # of what the server has, the answer may go before the note that it has
            outcome = now[attempt]
            assert outcome["outcome"] == "ok", outcome
            for i, output in enumerate(outcome["outputs"]):
                data = moment.bytes(f"answers/{attempt}/{i}")
                assert data is not None and hashlib.sha256(data).hexdigest() == output["sha256"], (moment.way, attempt, sorted(names))
            seen += 1
        assert ever <= set(now) | told, moment.way
    assert len(ever) == len(WORDS) and seen > 100


def test_programs_are_whole_wherever_they_may_be_begun(life):
    """What lies in cache/apps is started as it is: at no moment is any of it short."""
    moments, folder, _ = life
    whole = {str(p.relative_to(folder)): p.read_bytes() for p in (folder / "cache/apps").rglob("*") if p.is_file()}
    assert whole
    seen = 0
    for moment in moments:
        if any(x.startswith("cache/apps/") for x in moment.names):
            assert {n: moment.bytes(n) for n in whole} == whole, moment.way
            seen += 1
    assert seen > 20


def chosen(moments):
    """Different ones, as many as wanted, evenly over the life; and those with finished answers rather than without."""
    different = list({m.key(): m for m in moments}.values())
    if CUTS == "all":
        return different
    rich = [m for m in different if finished(m)]
    some = rich[::max(1, len(rich) * 2 // int(CUTS))] + different[::max(1, len(different) * 2 // int(CUTS))]
    return list({m.key(): m for m in some}.values())


def test_a_client_begins_from_any_of_them(grid, life, tmp_path, capsys):
    """It says what it has, reports it, and its next answer is right."""
    moments, _, first = life
    some = chosen(moments)
    for n, moment in enumerate(some):
        client = Client(grid, f"again{n}")
        grid.processes.append(client)
        shutil.rmtree(client.data)
        client.data.mkdir(mode=0o700)
        moment.write(client.data)
        batch = submit(grid, [f"word {n}"], tmp_path)
        Process.start(client)
        assert grid.wait_done(batch, 60)["accepted"] == 1, (moment.way, client.text())
        assert list(grid.answers(batch).values()) == [f"word {n}\n{TEXT}"]
        held = finished(moment)
        eventually(lambda: set(re.findall(r"report(?:ed|_refused) attempt=(\S+)", client.text())) >= set(held), what=f"{moment.way}: {held} are reported")
        restored = re.search(r"restored attempts=\d+ finished=(\d+)", client.text())
        assert int(restored[1] if restored else 0) == len(held), client.text()
        assert " error " not in client.text() and client.end() == 0
    assert grid.status(first)["valid"] == len(WORDS) and grid.status(first)["errors"] == 0, "what is reported twice counts once"
    with capsys.disabled():
        print(f"\n{len(moments)} moments of a client's life checked, {len({m.key() for m in moments})} of them different, "
              f"{len(some)} begun from")
