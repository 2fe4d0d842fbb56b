"""A renewed TLS certificate is taken up by SIGHUP, without a restart; one that is no good is refused and the old one stays."""

import base64
import hashlib
import json
import os
import pwd
import shutil
import signal
import ssl
import subprocess
from pathlib import Path

import pytest

from grid import BIN, Api, eventually

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def renewed(tmp_path):
    """Another certificate with another key, as files."""
    subprocess.run([BIN / "dugnad-server", "--data", tmp_path / "other", "init", "--name", "other", "--listen", "127.0.0.1:0"], check=True, capture_output=True)
    return tmp_path / "other" / "tls"


def shown(grid):
    return ssl.get_server_certificate(("127.0.0.1", grid.port))


def pem(path):
    return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(path.read_text()))


def pin(path):
    key = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, check=True, capture_output=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def put(grid, pair, *names):
    """As certbot does: a new file takes the place of the old one."""
    for name in names:
        fresh = grid.data / "tls" / f"{name}.new"
        shutil.copy(pair / name, fresh)
        os.replace(fresh, grid.data / "tls" / name)


def hup(grid, word):
    """Sends SIGHUP and waits until the log says the word once more."""
    before = grid.server.text().count(word)
    os.kill(grid.server.pid, signal.SIGHUP)
    eventually(lambda: grid.server.text().count(word) > before, 10, what=f"the log says {word}")


def test_a_renewed_certificate_is_shown_from_sighup_on_and_clients_go_on_working(grid, renewed):
    grid.publish("dugnad-say", "say")
    client = grid.client("ada").start()
    grid.wait_done(grid.submit("say", lines=["before"], quorum=1))
    kept, old, pid = Api(grid, grid.token), shown(grid), grid.server.pid
    assert kept.once("GET", "/v1/whoami").status == 200 and old == pem(grid.data / "tls" / "certificate.pem")
    put(grid, renewed, "certificate.pem", "key.pem")
    assert shown(grid) == old, "nothing happens until it is told"
    hup(grid, "certificate-read")
    assert shown(grid) == pem(renewed / "certificate.pem") != old
    connection = kept.connection
    assert kept.once("GET", "/v1/whoami").status == 200 and kept.connection is connection, "who is inside stays inside"
    kept.close()
    statement = grid.api.get("/v1/project")["server_statement"]
    assert json.loads(base64.b64decode(statement["payload"]))["tls_pins"] == [pin(renewed / "certificate.pem")], "what clients check it against"
    client.end()  # a client that knows the old pin asks for the statement again, a minute after it last did
    grid.client("bea").start()
    grid.wait_done(grid.submit("say", lines=["after"], quorum=1))
    assert grid.server.pid == pid and grid.server.alive()


def test_a_certificate_that_is_no_good_is_refused_and_the_old_one_stays(grid, renewed):
    old = shown(grid)
    put(grid, renewed, "certificate.pem")  # and not its key
    hup(grid, "certificate-refused")
    assert "the TLS key is not that of the certificate" in grid.server.text() and "send SIGHUP again" in grid.server.text()
    assert shown(grid) == old
    (grid.data / "tls" / "certificate.pem").write_text("half a certif")
    hup(grid, "certificate-refused")
    (grid.data / "tls" / "certificate.pem").unlink()
    hup(grid, "certificate-refused")
    assert shown(grid) == old and grid.ready()
    put(grid, renewed, "certificate.pem", "key.pem")
    hup(grid, "certificate-read")
    assert shown(grid) == pem(renewed / "certificate.pem")


def test_certificates_come_and_go_while_connections_come_and_go(grid, renewed, tmp_path):
    shutil.copytree(grid.data / "tls", tmp_path / "first")
    for i in range(20):
        put(grid, (renewed, tmp_path / "first")[i % 2], "certificate.pem", "key.pem")
        os.kill(grid.server.pid, signal.SIGHUP)
        for _ in range(5):
            assert grid.ready()
    hup(grid, "certificate-read")
    assert shown(grid) == pem(tmp_path / "first" / "certificate.pem")


def test_the_hook_for_certbot_hands_a_renewed_certificate_to_the_server(grid, renewed, tmp_path):
    lineage, tools = tmp_path / "live", tmp_path / "tools"
    lineage.mkdir()
    tools.mkdir()
    shutil.copy(renewed / "certificate.pem", lineage / "fullchain.pem")
    shutil.copy(renewed / "key.pem", lineage / "privkey.pem")
    (tools / "systemctl").write_text(f'#!/bin/sh\n[ "$*" = "reload dugnad-server" ] && kill -HUP {grid.server.pid}\n')
    (tools / "systemctl").chmod(0o755)
    before = grid.server.text().count("certificate-read")
    subprocess.run([ROOT / "packaging" / "certbot-hook.sh"], check=True,
                   env=dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}", RENEWED_LINEAGE=str(lineage), DUGNAD_DATA=str(grid.data), DUGNAD_USER=pwd.getpwuid(os.getuid()).pw_name))
    eventually(lambda: grid.server.text().count("certificate-read") > before, 10, what="the server was told")
    assert shown(grid) == pem(renewed / "certificate.pem")
    assert (grid.data / "tls" / "key.pem").stat().st_mode & 0o777 == 0o600 and sorted(os.listdir(grid.data / "tls")) == ["certificate.pem", "key.pem", "tickets.key"]
