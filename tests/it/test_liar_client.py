"""A real client that lies (dugnad-liar: the program as it is, one function wrapped) among real honest ones, under every policy."""

import pytest

from grid import BIN, Client, eventually
from items import items

HONEST, UNITS = 4, 24


@pytest.fixture(scope="module", autouse=True)
def crowd(grid):
    grid.publish("dugnad-items", "items", "--output", "out.txt", "--output", "items.txt", "--items", "items.txt", "--compare", "digest")
    grid.publish("dugnad-items", "checked", "--output", "out.txt", "--checker", BIN / "dugnad-items", "--checker=--check")
    for i in range(HONEST):
        grid.client(f"honest{i}").start()
    liar = grid.client("liar")
    liar.words = ["env", "DUGNAD_LIE=4", BIN / "dugnad-liar", *liar.words[1:]]
    liar.start()
    yield
    grid.cancel_all()


def liar_id(grid):
    """Clients have no nickname here: it is the one with wrong answers."""
    return [h["host"] for h in grid.api.pages("/v1/hosts") if h["invalid"]]


@pytest.mark.parametrize("app,rules", [("items", dict(policy="quorum", min_quorum=2)), ("items", dict(policy="adaptive", probation=2, audit_share=0.5, escrow_units=5)),
                                       ("items", dict(policy="audit", probation=2, audit_share=0.2, escrow_units=5)), ("checked", dict(policy="checker"))])
def test_no_lie_of_a_real_client_is_accepted(grid, app, rules):
    batch = grid.submit(app, array=UNITS, quorum=None, **rules)
    grid.wait_done(batch, 90)
    if app == "items":
        assert grid.answers(batch) == {f"{batch}.{i}": items(i) for i in range(UNITS)}
    else:
        assert grid.answers(batch) == {f"{batch}.{i}": f"{i}\n" for i in range(UNITS)}


def test_only_the_liar_was_found_wrong(grid):
    assert len(liar_id(grid)) == 1
