"""Answers that are compared by the server's judge: within a tolerance, or by the app's own validator in the sandbox."""

import pytest

from grid import BIN, eventually


@pytest.fixture(autouse=True)
def alone(grid):
    yield
    grid.cancel_all()


@pytest.fixture(scope="module", autouse=True)
def apps(grid):
    grid.publish("dugnad-say", "near", "--compare", "numeric:1e-3,0")
    grid.publish("dugnad-say", "lines", "--compare", f"validator:{BIN}/apps/same-lines --comment # out.txt")
    grid.publish("dugnad-say", "broken", "--compare", f"validator:{BIN}/dugnad-probe spin")


@pytest.fixture
def hosts(grid):
    return [grid.host(name) for name in ("ada", "bo", "cy")]


def said(grid, hosts, app, *answers):
    """Each host answers the only unit of a batch in turn; the batch and what became of the attempts."""
    batch = grid.submit(app, lines=["x"])
    for host, answer in zip(hosts, answers):
        eventually(lambda: host.work_off(lambda word: answer), 15, what=f"{host.name} gets the unit")
    return batch


def states(grid, batch):
    return [a["state"] for a in grid.attempts(f"{batch}.0")]


def test_numbers_within_the_tolerance_are_equal(grid, hosts):
    batch = said(grid, hosts, "near", "a 1.0000 b\n", "a 1.0004 b\n")
    assert grid.wait_done(batch)["accepted"] == 1
    assert states(grid, batch) == ["valid", "valid"]


def test_numbers_outside_the_tolerance_need_a_third_answer(grid, hosts):
    batch = said(grid, hosts, "near", "2.0\n", "2.5\n", "2.5004\n")
    assert grid.wait_done(batch)["accepted"] == 1
    assert states(grid, batch) == ["invalid", "valid", "valid"]
    assert grid.answers(batch)[f"{batch}.0"] in ("2.5\n", "2.5004\n")


def test_a_validator_of_the_app_says_what_is_equal(grid, hosts):
    batch = said(grid, hosts, "lines", "# took 1 s\nright\n", "wrong\n", "right\n# took 2 s\n")
    assert grid.wait_done(batch)["accepted"] == 1
    assert states(grid, batch) == ["valid", "invalid", "valid"]


def test_a_validator_that_hangs_does_not_hold_up_the_server(grid, hosts):
    stuck = said(grid, hosts, "broken", "1\n", "2\n")
    other = said(grid, hosts, "near", "1\n", "1\n")
    eventually(lambda: grid.status(stuck)["judging"] == 1, 10, what="the hanging validator is asked")
    assert grid.status(other)["units"] == 1 and grid.explain(f"{stuck}.0")
    grid.api.post(f"/v1/batches/{stuck}/cancel")
    grid.wait_done(stuck)


def test_judgements_survive_a_crash_of_the_server(grid, hosts):
    batch = grid.submit("lines", lines=[str(i) for i in range(20)])
    for host in hosts[:2]:
        eventually(lambda: host.work_off(lambda word: f"# {host.name}\n{word}\n"), 15)
    grid.kill_server()
    assert grid.wait_done(batch)["accepted"] == 20
    assert len(grid.answers(batch)) == 20
