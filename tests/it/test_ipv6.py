"""A project that is reached by IPv6 alone: joined, worked for, scientists too."""

import socket

import pytest

from grid import Grid


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_all_of_it_works_over_ipv6(tmp_path):
    with Grid(tmp_path, address="::1", contact="1s", contact_idle="1s") as grid:
        assert grid.url.startswith("https://[::1]:")
        grid.publish("dugnad-say")
        client = grid.client("six").start()
        (tmp_path / "in").write_text("much " * 20000)
        batch = grid.dugnad("submit", "say", "--each-line", "-", "--input", tmp_path / "in", "--quorum", 1, "--policy", "once", "--quiet", "--",
                            "{}", "--read", "in", stdin="a\n").strip()
        assert grid.wait_done(batch)["accepted"] == 1
        assert list(grid.answers(batch).values()) == ["a\n" + "much " * 20000]
        assert client.call("leave").returncode == 0
