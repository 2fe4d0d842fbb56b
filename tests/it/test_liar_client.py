"""Real clients that lie (dugnad-liar: the program as it is, one function wrapped) among real honest ones, under every policy."""

import pytest

from grid import BIN, eventually
from items import items

HONEST, UNITS = 5, 20
ITEMS = ("--output", "out.txt", "--output", "items.txt", "--items", "items.txt", "--compare", "digest")
# name -> how it lies (tests/probes/liar.c). Those that agree are one party: they tell the same lies, and cover each other's. (They begin at once: two
# that are trusted would meet at a tenth of all answers in a crowd of twelve, which is what the formulas say, too.)
LIARS = dict(
    always=dict(LIE=0, LIE_HOW="cover"), trusted_then=dict(LIE=5, LIE_HOW="cover", LIE_BY=2), rarely=dict(LIE=1, LIE_EVERY=4, LIE_BY=3, LIE_HOW="cover"),
    agree1=dict(LIE=0, LIE_BY=4, LIE_HOW="list"), agree2=dict(LIE=0, LIE_BY=4, LIE_HOW="list"),
    framer=dict(LIE=0, LIE_HOW="frame"), silent=dict(LIE=2, LIE_BY=5, LIE_HOW="refuse"),
)
POLICIES = dict(quorum=dict(policy="quorum", min_quorum=3), adaptive=dict(policy="adaptive", probation=2, audit_share=0.9, audit_floor=0.9, escrow_units=5),
                audit=dict(policy="audit", probation=2, audit_share=0.9, escrow_units=5), checker=dict(policy="checker"))


def start_liar(grid, name, how):
    liar = grid.client(name)
    liar.words = ["env", *(f"DUGNAD_{k}={v}" for k, v in how.items()), BIN / "dugnad-liar", *liar.words[1:]]
    return liar.start()


def host_ids(grid):
    return {h["host"] for h in grid.api.pages("/v1/hosts")}


def run(grid, policy, units=UNITS, seconds=120):
    app = "checked" if policy == "checker" else "items"
    # More than half of the crowd lies: a unit may go through many hands.
    batch = grid.submit(app, array=units, quorum=None, max_error_attempts=15, max_total_attempts=16, max_success_attempts=16, **POLICIES[policy])
    grid.wait_done(batch, seconds)
    wanted = {f"{batch}.{i}": f"{i}\n" if app == "checked" else items(i) for i in range(units)}
    assert grid.answers(batch) == wanted
    return batch


def confirmed(grid, host):
    """How many of its answers were."""
    return sum(t["answers"] for t in grid.api.get(f"/v1/hosts/{host}")["trust"])


@pytest.fixture(scope="module", autouse=True)
def crowd(grid):
    """Honest hosts that are trusted, then the liars."""
    grid.publish("dugnad-items", "items", *ITEMS)
    grid.publish("dugnad-items", "checked", "--output", "out.txt", "--checker", BIN / "dugnad-items", "--checker=--check")
    for i in range(HONEST):
        grid.client(f"honest{i}").start()
    eventually(lambda: len(host_ids(grid)) == HONEST, 30, what="all honest hosts have joined")
    grid.honest_ids = host_ids(grid)
    for _ in range(5):
        run(grid, "audit", 2 * UNITS)
        if all(confirmed(grid, host) >= POLICIES["audit"]["probation"] for host in grid.honest_ids):
            break
    assert all(confirmed(grid, host) >= POLICIES["audit"]["probation"] for host in grid.honest_ids)
    for name, how in LIARS.items():
        start_liar(grid, name, how)
    yield
    grid.cancel_all()


def liars(grid):
    return [h for h in grid.api.pages("/v1/hosts") if h["host"] not in grid.honest_ids]


def honest_are_unharmed(grid):
    for h in grid.api.pages("/v1/hosts"):
        if h["host"] in grid.honest_ids:
            assert not h["banned"] and h["invalid"] == 0, h


@pytest.mark.parametrize("policy", POLICIES)
def test_no_lie_of_a_real_client_is_accepted(grid, policy):
    run(grid, policy)
    honest_are_unharmed(grid)


def test_liars_were_found_wrong_and_some_are_banned(grid):
    assert sum(h["invalid"] > 0 for h in liars(grid)) >= 3
    banned = lambda: [h for h in liars(grid) if h["banned"]]
    for _ in range(4):
        if banned():
            break
        run(grid, "audit")
    assert banned(), liars(grid)


def test_who_comes_back_under_a_new_name_begins_anew(grid):
    before = host_ids(grid)
    for name in ("always", "agree1", "agree2"):
        start_liar(grid, f"{name}-again", LIARS[name])
    eventually(lambda: len(host_ids(grid)) == len(before) + 3, 30, what="three have joined again")
    run(grid, "audit")
    run(grid, "adaptive")
    honest_are_unharmed(grid)
