"""What the command line looks like: as wide as the terminal, whole where it is no terminal, silent when the reader leaves."""

import fcntl
import os
import pty
import struct
import subprocess
import termios

import pytest

from grid import BIN


@pytest.fixture(scope="module", autouse=True)
def world(grid):
    grid.login()
    grid.publish("dugnad-say", "say")
    for n in range(3):
        grid.dugnad("submit", "say", "--quiet", "--name", f"a name that is much longer than any terminal should have to show, number {n}",
                    "--array", "1..1234", "--", "{}")


def on_terminal(grid, columns, *words):
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    done = subprocess.Popen([BIN / "dugnad", *words], env=grid.env, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    said = b""
    try:
        while chunk := os.read(leader, 65536):
            said += chunk
    except OSError:  # the other side is closed: Linux says EIO
        pass
    os.close(leader)
    assert done.wait(10) == 0, said
    return said.decode().replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_a_row_is_a_line_of_the_terminal(grid, columns):
    rows = on_terminal(grid, columns, "ls")
    assert len(rows) == 4 and all(len(row) <= columns for row in rows), rows
    assert all("1,234" in row for row in rows[1:]), "numbers stay whole"
    assert ("number 2" in rows[1]) == (columns == 200)


def test_where_there_is_no_terminal_nothing_is_cut(grid):
    assert "show, number 2  say " in grid.dugnad("ls") and "\033" not in grid.dugnad("ls")


def test_a_reader_that_leaves_is_no_error_to_tell_of(grid):
    done = subprocess.run(f"'{BIN}/dugnad' --json ls | true; echo ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash", env=grid.env,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.stdout.strip(), done.stderr) == ("141", "")


def test_a_full_disk_is_an_error(grid):
    with open("/dev/full", "w") as full:
        done = subprocess.run([BIN / "dugnad", "ls"], env=grid.env, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode not in (0, 1, 141) and "No space left" in done.stderr


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_batch_is_watched_with_a_bar_for_each_state_and_what_failed_last(grid, columns):
    batch = grid.dugnad("submit", "say", "--quiet", "--policy", "once", "--max-errors", "0", "--priority", "9", "--name", "watched " * 9,
                        "--array", "1..60", "--", "{}").strip()
    host = grid.host(f"watched{columns}")
    came = {a: u for a, u in host.take_all(50).items()}
    names = list(came)
    host.report(*(host.error(a, "exit", exit_code=3, stderr=f"cannot open /tmp/{n}\n") for n, a in enumerate(names[:4])),
                *(host.answer(a, "x") for a in names[4:30]))
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    watch = subprocess.Popen([BIN / "dugnad", "watch", batch, "--timeout", "60s"], env={**grid.env, "TERM": "xterm"}, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    said = b""
    try:
        while chunk := os.read(leader, 65536):
            said += chunk
            if b"times exit" in said and b"cancel" not in said and grid.status(batch)["state"] == "running":
                grid.dugnad("cancel", batch)
    except OSError:
        pass
    os.close(leader)
    assert watch.wait(20) == 1, said
    pictures = said.decode().replace("\r\n", "\n").split("\033[J")
    lines = [x for x in pictures[0].replace("\033[K", "").split("\n") if "\033" not in x]
    assert max(len(x) for x in lines) < columns, lines
    bars = {x.split("[")[0].strip(): x for x in lines if "[" in x}
    assert set(bars) == {"accepted", "comparing", "failed", "at hosts", "waiting"}
    assert bars["accepted"].endswith(" 26") and bars["failed"].endswith(" 4") and bars["at hosts"].endswith(" 20")
    assert sum(x.startswith("4 times exit 3") for x in lines) == 1, lines
    assert said.decode().rstrip().endswith(f"again: dugnad retry {batch}"), "the picture is wiped, how it ended stays"
