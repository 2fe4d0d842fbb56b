"""The server behind nginx, with the very file that the package ships: client, command line, live events, large files, and what nginx keeps back."""

import contextlib
import http.client
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from fleet import Fleet, Place, free_port
from grid import Api, Client, Grid, Host, eventually, unverified

SHIPPED = Path(__file__).resolve().parents[2] / "packaging" / "proxy" / "nginx.conf"


@contextlib.contextmanager
def nginx(folder, port, data, servers):
    """nginx at this port, with the certificate and key of the project in data, before servers at those ports."""
    site = SHIPPED.read_text()
    for old, new in (("    server 127.0.0.1:8443;\n", "".join(f"    server 127.0.0.1:{n};\n" for n in servers)), ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
                     ("    listen [::]:443 ssl http2;\n", ""), ("/etc/dugnad/tls/fullchain.pem;\n    ssl_certificate_key", f"{data}/tls/certificate.pem;\n    ssl_certificate_key"),
                     ("/etc/dugnad/tls/privkey.pem;\n    ssl_protocols", f"{data}/tls/key.pem;\n    ssl_protocols")):
        assert site.count(old) == 1, f"packaging/proxy/nginx.conf has {old!r} not once"
        site = site.replace(old, new)
    (folder / "site.conf").write_text(site)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"daemon off; user root; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\n"
                                       f"http {{ access_log {folder}/access.log;\n{temporary}include {folder}/site.conf; }}\n")
    child = subprocess.Popen(["/usr/sbin/nginx", "-c", folder / "nginx.conf"], stderr=subprocess.PIPE)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(10)


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """A project that says of itself that it is where nginx is; nginx has its certificate and key."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    with Grid(folder / "grid", url=f"https://127.0.0.1:{port}", connections_per_address=10000) as grid, nginx(folder, port, grid.data, [grid.port]) as child:
        grid.front, grid.front_port, grid.access = f"https://127.0.0.1:{port}", port, folder / "access.log"
        eventually(lambda: child.poll() is None and fetch(grid, "/healthz")[0] == 200, 10, what="nginx passes requests on")
        yield grid


def fetch(grid, path):
    try:
        with urllib.request.urlopen(grid.front + path, context=unverified(), timeout=10) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()
    except OSError:
        return 0, b""


def test_a_client_and_the_command_line_work_through_it(front):
    link = front.link.replace(front.url, front.front)
    front.dugnad("login", link, "--token-file", front.data / "operator.token")
    front.publish("dugnad-say", "say")
    client = Client(front, "ada", link=link, cores=1)
    front.processes.append(client)
    client.start()
    batch = front.dugnad("submit", "say", "--quiet", "--policy", "once", "--array", "1..20", "--watch", "--", "{}").strip()
    front.dugnad("results", batch, "--out", front.folder / "answers")
    assert len(list((front.folder / "answers").iterdir())) >= 20
    asked = front.access.read_text()
    assert "POST /v1/work" in asked and "POST /v1/batches" in asked, "it all went through nginx"


def test_large_files_go_both_ways_and_events_come_at_once(front):
    big = front.folder / "big"
    big.write_bytes(bytes(range(256)) * (40 << 12))  # 40 MiB
    front.dugnad("submit", "say", "--quiet", "--input", big, "--array", "1..1", "--", "{}")
    with socket.create_connection(("127.0.0.1", front.front_port), 10) as plain, unverified().wrap_socket(plain) as s:
        s.sendall(f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{front.front_port}\r\nAuthorization: Bearer {front.token}\r\n\r\n".encode())
        said = b""
        while b"event: stats" not in said:
            more = s.recv(65536)
            assert more, said
            said += more


def test_a_client_waits_for_work_through_it_and_is_missed_when_it_ends(front):
    def waiting():
        text = front.api.ask("GET", "/metrics").body.decode()
        return next(float(x.split()[-1]) for x in text.splitlines() if x.startswith("dugnad_hosts_waiting "))
    for other in front.processes:
        other.end()
    eventually(lambda: waiting() == 0, what="nobody waits yet")
    client = Client(front, "waits", link=front.link.replace(front.url, front.front), cores=1)
    front.processes.append(client)
    client.start()
    eventually(lambda: waiting() == 1, what="it waits")
    assert client.end() == 0
    eventually(lambda: waiting() == 0, 5, what="the server has seen that it is gone")


def test_what_the_server_shows_only_to_its_own_machine_stays_there(front):
    assert fetch(front, "/metrics")[0] == 403
    assert fetch(front, "/v1/batches")[0] == 401
    assert fetch(front, "/")[0] == 200


def test_of_two_servers_behind_it_one_may_be_killed(tmp_path):
    with Fleet(tmp_path / "fleet", servers=2, token_rate=0, address_rate=0) as fleet:
        port = free_port()
        with nginx(tmp_path, port, fleet.data, fleet.ports) as child:
            through = Api(Place(port), fleet.token)
            eventually(lambda: child.poll() is None and answers(through), 10, what="nginx passes requests on")
            fleet.publish("dugnad-say", "say")
            hosts = [Host(fleet, name) for name in ("ada", "bo")]
            for host in hosts:
                host.api.close()
                host.api.grid = Place(port)
            batch = through.post("/v1/batches", dict(app="say", command=["{}"], array=dict(first=0, last=199), rules=dict(min_quorum=2, target_attempts=2)), key="two-servers")["batch"]
            done, killed, end = 0, False, time.monotonic() + 60
            while done < 200:
                time.sleep(0.2)  # the shipped file lets 20 requests a second through
                assert time.monotonic() < end, (fleet.at(1).get(f"/v1/batches/{batch}"), [host.held for host in hosts])
                for host in hosts:
                    with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):  # as a client does: later again, and what it had is given again
                        host.work_off(most=7)
                with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
                    done = through.get(f"/v1/batches/{batch}")["accepted"]
                if done >= 60 and not killed:
                    fleet.kill(0)
                    killed = True
            assert killed and child.poll() is None
            asked = [fleet.at(1).get(f"/v1/batches/{batch}")[what] for what in ("accepted", "valid", "invalid", "failed")]
            assert asked == [200, 400, 0, 0]


def answers(api):
    try:
        return api.once("GET", "/readyz").status == 200
    except (OSError, http.client.HTTPException):
        return False
