"""Bodies, headers and connections that are too large, too slow, too many, or not even TLS: refused, and nobody else is held up."""

import http.client
import socket
import ssl
import tempfile
import time
import warnings

import pytest

from grid import Api, Grid, eventually, unverified

SECRET = "A" * 43


@pytest.fixture(scope="module")
def world(grid):
    grid.ada = grid.host("ada")
    return grid


@pytest.fixture(autouse=True)
def it_goes_on(world):
    before = world.api.pages("/v1/batches"), len(world.api.pages("/v1/users"))
    yield
    assert world.ready()
    assert (world.api.pages("/v1/batches"), len(world.api.pages("/v1/users"))) == before


def send_headers(grid, lines, body=b"", seconds=10):
    """Raw bytes over TLS; the status line, "" when the connection just ends or nothing comes."""
    with socket.create_connection(("127.0.0.1", grid.port), timeout=seconds) as plain:
        with unverified().wrap_socket(plain) as s:
            try:
                s.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
                return s.makefile("rb").readline().decode("latin-1").strip()
            except (OSError, ssl.SSLError):
                return ""


@pytest.mark.parametrize("path, length", [("/v1/work", (8 << 20) + 1), ("/v1/work", 1 << 40), ("/v1/batches", (8 << 20) + 1), ("/v1/hosts", 1 << 20),
                                          ("/v1/users", 1 << 20), ("/v1/releases", 1 << 30)])
def test_a_body_that_says_it_is_huge_is_refused_before_it_comes(world, path, length):
    token = world.ada.api.token if path == "/v1/work" else world.token
    said = send_headers(world, [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", f"Content-Length: {length}"])
    assert said.split()[1] == "413", said


def test_a_body_that_grows_over_the_limit_is_refused(world):
    def pieces():
        for _ in range(40):
            yield b" " * (1 << 20)
    api = Api(world, world.ada.api.token)
    connection = api.connect()
    try:
        connection.request("POST", "/v1/work", pieces(), {"Authorization": f"Bearer {api.token}", "Transfer-Encoding": "chunked"},
                           encode_chunked=True)
        assert connection.getresponse().status == 413
    except OSError:
        pass  # it closed while the body still came
    api.close()


@pytest.mark.parametrize("lines", [
    ["GET /healthz HTTP/1.1", "Host: x", "X-Long: " + "x" * 60000],
    ["GET /" + "x" * 60000 + " HTTP/1.1", "Host: x"],
    ["GET /healthz HTTP/1.1", "Host: x", *(f"X-{i}: y" for i in range(4000))],
    ["GET /healthz"], ["\0\1\2"], ["GET /healthz HTTP/9.9", "Host: x"], ["POST /v1/work HTTP/1.1", "Host: x", "Content-Length: -1"],
    ["POST /v1/work HTTP/1.1", "Host: x", "Content-Length: 5", "Content-Length: 6"],
    ["POST /v1/work HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", "", "zzzz"]], ids=range(9))
def test_what_is_no_http_gets_no_more_than_an_error(world, lines):
    said = send_headers(world, lines, seconds=2)
    assert said == "" or said.split()[1][0] in "45", said


def test_plain_http_on_the_port_gets_nothing(world):
    with socket.create_connection(("127.0.0.1", world.port), timeout=10) as s:
        s.sendall(b"GET /v1/project HTTP/1.1\r\nHost: x\r\n\r\n")
        s.settimeout(10)
        try:
            came = s.recv(1000)
        except ConnectionError:
            came = b""
    assert b"HTTP" not in came and b"project" not in came


def test_old_tls_is_refused(world):
    context = unverified()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", world.port), timeout=10) as plain, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(plain)


def test_a_rate_that_is_too_high_is_slowed_down():
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder, Grid(folder, address_rate=2, token_rate=5) as grid:
        replies = [Api(grid, f"dgu_1_{SECRET}").ask("GET", "/v1/whoami") for _ in range(60)]
        slowed = [r for r in replies if r.status == 429]
        assert slowed and {r.status for r in replies} == {401, 429}
        slowed[0].refused(429, "rate")
        replies = [grid.api.ask("GET", "/v1/whoami") for _ in range(120)]
        assert {r.status for r in replies} == {200, 429}, "a good token has its own measure"
        replies[-1].refused(429, "rate")


def test_connections_that_stall_are_ended_and_hold_nobody_up():
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder, Grid(folder, idle="2s", connections_per_address=30) as grid:
        stalled = []
        for i in range(20):
            s = socket.create_connection(("127.0.0.1", grid.port), timeout=10)
            if i % 2:  # half of them do not even speak TLS
                s = unverified().wrap_socket(s)
                s.sendall(b"POST /v1/work HTTP/1.1\r\nHost: x\r\nContent-Le")
            stalled.append(s)
        began = time.monotonic()
        for _ in range(20):
            assert Api(grid, grid.token).ask("GET", "/v1/whoami").status == 200
        assert time.monotonic() - began < 3, "others are served meanwhile"
        for s in stalled:
            s.settimeout(15)
            try:
                assert b"200" not in s.recv(1000)[:20]
            except (ConnectionError, ssl.SSLError, socket.timeout) as e:
                assert not isinstance(e, socket.timeout), "it was not ended"
            s.close()
        assert time.monotonic() - began < 14


def test_one_address_does_not_take_all_connections():
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder, Grid(folder, connections_per_address=10, idle="3s") as grid:
        held = []
        for _ in range(2):  # the second time for places that were not free yet the first time
            held += [socket.create_connection(("127.0.0.1", grid.port), timeout=5) for _ in range(30)]
            time.sleep(0.5)
        with pytest.raises((OSError, http.client.HTTPException, ssl.SSLError)):
            Api(grid, grid.token).once("GET", "/v1/whoami")
        for s in held:
            s.close()
        eventually(grid.ready, 10, what="it serves again")
