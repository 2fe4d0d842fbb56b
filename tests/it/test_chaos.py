"""The checker of tests/chaos finds what it should find; and a short run of the chaos itself."""

import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).resolve().parent.parent / "chaos"
sys.path.insert(0, str(CHAOS))
from check import Records, check  # noqa: E402
from faults import KINDS, schedule  # noqa: E402


def valid(number, host, answer="d0"):
    return dict(attempt=number, state="valid", host=host, answer=answer)


def sound():
    """Two units of one batch, each answered by two hosts; one answer of a liar."""
    return Records(
        batches={"k1": "b1"}, found=["b1"], wanted={"b1.0": "0\n", "b1.1": "1\n"}, digests={"b1.0": "d0", "b1.1": "d1"},
        stream=[("b1", 1, "b1.1", "1\n"), ("b1", 2, "b1.0", "0\n")], earlier=[("b1", 1, "b1.1", "1\n")],
        attempts={"b1.0": [valid(0, "h1"), dict(attempt=1, state="invalid", host="h3", answer="lie"), valid(2, "h2")],
                  "b1.1": [valid(0, "h1", "d1"), valid(1, "h2", "d1")]},
        told={"b1.0.0": "d0", "b1.0.1": "lie"}, hosts={"h1": (2, 4000000), "h2": (2, 4000000), "h3": (0, 0)},
        cost_micro={"b1": 2000000})


def test_sound_records_are_clean():
    found = check(sound())
    assert found.clean() and found.line(7) == "lost=0 wrong_accepted=0 counted_twice=0 seed=7"


@pytest.mark.parametrize("why", [lambda r: r.escrowed.add("b1"), lambda r: r.banned.add("h3")])
def test_an_answer_in_escrow_or_of_a_banned_host_may_be_set_aside_but_not_be_gone(why):
    records = sound()
    why(records)
    records.attempts["b1.0"][1]["state"] = "cancelled"
    assert check(records).clean()
    del records.attempts["b1.0"][1]["answer"]
    assert len(check(records).lost) == 1


def unit_0(r, number, **change):
    r.attempts["b1.0"][number].update(change)


@pytest.mark.parametrize("kind,count,spoil", [
    ("lost", 1, lambda r: r.batches.update(k2="b2")),
    ("lost", 1, lambda r: r.wanted.update({"b1.2": "2\n"})),
    ("lost", 1, lambda r: r.earlier.append(("b1", 2, "b1.0", "another\n"))),
    ("lost", 1, lambda r: r.stream.__setitem__(1, ("b1", 2, "b1.0", None))),
    ("lost", 1, lambda r: r.told.update({"b1.0.7": "d0"})),
    ("lost", 1, lambda r: unit_0(r, 1, state="expired")),
    ("lost", 1, lambda r: unit_0(r, 1, answer="d0")),
    ("lost", 1, lambda r: unit_0(r, 1, state="cancelled")),
    ("wrong_accepted", 1, lambda r: r.stream.__setitem__(1, ("b1", 2, "b1.0", "lie\n"))),
    ("wrong_accepted", 1, lambda r: unit_0(r, 2, answer="lie")),
    ("counted_twice", 1, lambda r: r.stream.append(("b1", 3, "b1.0", "0\n"))),
    ("counted_twice", 1, lambda r: r.stream.append(("b1", 3, "b9.0", "0\n"))),
    ("counted_twice", 1, lambda r: r.found.append("b2")),
    ("counted_twice", 1, lambda r: r.hosts.update(h1=(3, 6000000))),
    ("counted_twice", 1, lambda r: r.hosts.update(h1=(2, 4000001))),
    ("counted_twice", 1, lambda r: r.hosts.pop("h2")),
    ("counted_twice", 3, lambda r: unit_0(r, 2, host="h1")),  # and two hosts have not what is due to them
])
def test_a_spoiled_record_is_found(kind, count, spoil):
    records = sound()
    spoil(records)
    found = check(records)
    assert not found.clean()
    assert {k: len(v) for k, v in vars(found).items() if v} == {kind: count}, found


def test_the_schedule_is_the_seeds_and_has_each_trouble_once_if_there_is_time():
    one = schedule(5, 30)
    assert one == schedule(5, 30) != schedule(6, 30)
    assert {e.name for e in one} == set(KINDS)
    assert "disk_full" not in {e.name for e in schedule(5, 300, left_out=("disk_full",))}


def test_a_short_run_of_all_troubles_loses_nothing(capsys):
    # patience: where the only host that is left may not check others, a unit waits for TRUST_PATIENCE_MS (60 s) before it is asked nevertheless,
    # and as long again for each answer more that it needs
    done = subprocess.run([CHAOS / "run.sh", "--seconds", "10", "--seed", "11", "--clients", "3", "--patience", "250"], text=True, timeout=400,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with capsys.disabled():
        print("\n" + done.stdout, end="")
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "lost=0 wrong_accepted=0 counted_twice=0 seed=11"
