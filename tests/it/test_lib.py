"""libdugnad: a C program built with pkg-config from what is installed submits, waits, maps and cancels on a real project."""

import subprocess
from pathlib import Path

import pytest

from grid import BIN, eventually

PROGRAM = Path(__file__).with_name("lib_program.c")


@pytest.fixture(scope="module", params=["shared", "static"])
def program(request, tmp_path_factory):
    """Built as a user would, with nothing of the source's folders in sight."""
    root = tmp_path_factory.mktemp(request.param)
    for component in ("lib", "dev"):
        subprocess.run(["cmake", "--install", BIN.parent, "--prefix", root / "usr", "--component", component], check=True, stdout=subprocess.DEVNULL)
    if request.param == "static":
        for library in (root / "usr").rglob("libdugnad.so*"):
            library.unlink()
    (pc,) = (root / "usr").rglob("dugnad.pc")
    env = dict(PATH="/usr/bin:/bin", PKG_CONFIG_PATH=str(pc.parent))
    needs = ["dugnad", "libcurl", "libcrypto", "jansson"] if request.param == "static" else ["dugnad"]
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", *needs], env=env, check=True, text=True, stdout=subprocess.PIPE).stdout.split()
    sanitized = b"__asan_init" in (BIN / "dugnad").read_bytes()
    extra = ["-fsanitize=address,undefined"] if sanitized else []
    subprocess.run(["cc", "-std=c17", "-Wall", "-Wextra", "-Werror", PROGRAM, "-o", root / "program", *flags, "-lm", "-pthread", *extra], check=True)
    return root / "program", {"LD_LIBRARY_PATH": str(pc.parent.parent)}


@pytest.fixture
def call(grid, program):
    grid.login()

    def run(*words, status=0, env=None):
        done = subprocess.run([program[0], *map(str, words)], env={**grid.env, **program[1], **(env or {})}, text=True, timeout=300, capture_output=True)
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr
    return run


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say")


@pytest.fixture
def worker(grid):
    """Ends with the test that needs answers."""
    client = grid.client(f"worker{len(grid.processes)}").start()
    yield client
    grid.cancel_all()
    client.end()


def test_a_map_gives_the_answers_in_their_order(grid, call, worker):
    assert call("map", "say", 30).splitlines() == [str(i * i) for i in range(30)]


def test_the_same_key_is_the_same_batch_and_a_timeout_is_no_end(grid, call, program):
    key = program[0].parent.name
    first = call("submit", "say", 5, key)
    assert call("submit", "say", 5, key) == first
    assert grid.status(first.strip())["units"] == 5
    assert "0 of 5" in call("poll", "say", 5, key)
    grid.cancel_all()


def test_what_is_cancelled_has_a_reason_for_each_item(grid, call):
    told = call("cancel", "say", 3)
    assert told.count("cancelled") == 3, told


def test_files_go_along(grid, call, worker, tmp_path):
    (tmp_path / "table.txt").write_text("1 2 3\n")
    told = call("input", "say", tmp_path / "table.txt")
    unit = grid.unit(f"{told.split()[0]}.0")
    order = grid.api.get(f"/v1/batches/{told.split()[0]}/order")
    assert "table.txt" in str(order) and unit["state"] in ("accepted", "delivered")


def test_what_was_answered_before_is_taken(grid, call, worker):
    first, again = call("again", "say", 4).split()[0], call("again", "say", 4).split()[0]
    assert first != again and grid.status(again)["taken"] == 4 and grid.status(again)["attempts"] == 0


def test_what_is_wrong_is_a_sentence(grid, call):
    assert "there is no app" in call("map", "nothing", 1, status=1)
    assert "needs the name of an app" in call("map", "../x", 1, status=1)
    assert "1 to 1000000 items" in call("map", "say", 0, status=1)
    assert "not logged in" in call("map", "say", 1, status=1, env=dict(DUGNAD_CONFIG="/nonexistent/login.json"))


def test_nothing_else_is_seen_from_outside(program):
    found = subprocess.run(["nm", "--defined-only", "-g", *(program[0].parent / "usr").rglob("libdugnad.a")], text=True, stdout=subprocess.PIPE, check=True).stdout
    names = [line.split()[-1] for line in found.splitlines() if len(line.split()) == 3]
    assert len(names) >= 10 and all(n.startswith("dugnad_grid_") for n in names if "asan" not in n and "odr" not in n), names
