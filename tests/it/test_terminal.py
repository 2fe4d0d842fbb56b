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
