"""The server behind nginx, with the very file that the package ships: client, command line, live events, large files, and what nginx keeps back."""

import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from grid import Client, Grid, eventually, unverified

SHIPPED = Path(__file__).resolve().parents[2] / "packaging" / "proxy" / "nginx.conf"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """A project that says of itself that it is where nginx is; nginx has its certificate and key."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    with Grid(folder / "grid", url=f"https://127.0.0.1:{port}", connections_per_address=10000) as grid:
        site = SHIPPED.read_text()
        for old, new in (("server 127.0.0.1:8443;", f"server 127.0.0.1:{grid.port};"), ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
                         ("    listen [::]:443 ssl http2;\n", ""), ("/etc/dugnad/tls/fullchain.pem;\n    ssl_certificate_key", f"{grid.data}/tls/certificate.pem;\n    ssl_certificate_key"),
                         ("/etc/dugnad/tls/privkey.pem;\n    ssl_protocols", f"{grid.data}/tls/key.pem;\n    ssl_protocols")):
            assert site.count(old) == 1, f"packaging/proxy/nginx.conf has {old!r} not once"
            site = site.replace(old, new)
        (folder / "site.conf").write_text(site)
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(f"daemon off; user root; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\n"
                                           f"http {{ access_log {folder}/access.log;\n{temporary}include {folder}/site.conf; }}\n")
        nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", folder / "nginx.conf"], stderr=subprocess.PIPE)
        try:
            grid.front, grid.front_port, grid.access = f"https://127.0.0.1:{port}", port, folder / "access.log"
            eventually(lambda: nginx.poll() is None and fetch(grid, "/healthz")[0] == 200, 10, what="nginx passes requests on")
            yield grid
        finally:
            nginx.terminate()
            nginx.wait(10)


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


def test_what_the_server_shows_only_to_its_own_machine_stays_there(front):
    assert fetch(front, "/metrics")[0] == 403
    assert fetch(front, "/v1/batches")[0] == 401
    assert fetch(front, "/")[0] == 200
