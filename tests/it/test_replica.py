"""Lists and reports are read from a PostgreSQL replica in streaming replication while it is near enough, and from the database
itself when it is late, or away."""

import grp
import os
import pwd
import shutil
import subprocess
import tempfile
import urllib.parse
from pathlib import Path

import pytest

from grid import BIN, Process, eventually, set_conf

PG_TEMP = Path(__file__).resolve().parents[1] / "lib" / "pg_temp.sh"


def program(name):
    found = shutil.which(name) or next(iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None)
    assert found, f"no {name}: packaging/packages.sh test"
    return found


@pytest.fixture(scope="module")
def postgres():
    with subprocess.Popen(["bash", PG_TEMP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write("new\n")
        process.stdin.flush()
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(30)


class Replica(Process):
    """Follows the database at url; its own folder is its socket's too. It must bear as many connections as that (pg_temp.sh)."""

    def __init__(self, url):
        at = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["host"][0]
        self.folder = Path(tempfile.mkdtemp(prefix="dugnad-replica-"))
        self.url, self.user = url.replace(at, str(self.folder)), Path(at).stat().st_uid
        who = []
        if os.geteuid() == 0:
            os.chown(self.folder, self.user, -1)
            group = grp.getgrgid(pwd.getpwuid(self.user).pw_gid).gr_gid
            who = ["setpriv", "--reuid", str(self.user), "--regid", str(group), "--clear-groups"]
        subprocess.run([*who, program("pg_basebackup"), "-h", at, "-U", "dugnad", "-D", self.folder / "data", "-R", "-X", "stream", "-c", "fast"],
                       check=True, cwd=self.folder, timeout=60)
        super().__init__([*who, program("postgres"), "-D", self.folder / "data", "-c", "listen_addresses=", "-c", "max_connections=200", "-c",
                          f"unix_socket_directories={self.folder}"], self.folder.parent / f"{self.folder.name}.log")

    def sql(self, text):
        done = subprocess.run([program("psql"), "-X", "-At", "-h", self.folder, "-U", "dugnad", "-d", "postgres", "-c", text], text=True,
                              capture_output=True, timeout=20)
        return done.stdout.strip() if done.returncode == 0 else None

    def start(self):
        super().start()
        eventually(lambda: self.sql("SELECT pg_is_in_recovery()") == "t", 30, what="the replica answers")
        return self


@pytest.fixture
def replica(postgres, grid):
    grid.login()
    grid.server.end()
    moved = subprocess.run([BIN / "dugnad-server", "--data", grid.data, "migrate", "--to", postgres], text=True, capture_output=True, timeout=60)
    assert moved.returncode == 0, moved.stderr
    follower = Replica(postgres).start()
    set_conf(grid.data / "server.conf", database_read=follower.url, database_read_lag="6s")
    grid.start()
    grid.api.close()
    yield follower
    if follower.alive():
        follower.kill()
    shutil.rmtree(follower.folder)
    follower.log.unlink(missing_ok=True)


def seen(grid, **headers):
    return len(grid.api.ask("GET", "/v1/volunteers", headers={k.replace("_", "-"): v for k, v in headers.items()}).ok()["items"])


def test_reports_come_from_a_replica_that_is_near(grid, replica):
    grid.publish("dugnad-say")
    first = grid.submit("say", array=7)
    grid.host("ada")
    eventually(lambda: seen(grid) == 1, 20, what="the replica has followed")
    replica.sql("SELECT pg_wal_replay_pause()")
    eventually(lambda: replica.sql("SELECT pg_get_wal_replay_pause_state()") == "paused", 10)
    grid.host("bo")
    assert seen(grid) == 1, "what is a little late is read there"
    assert seen(grid, Cache_Control="no-cache") == 2, "who asks for no copy gets the database's own word"
    later = grid.submit("say", array=5)
    assert len(grid.api.pages("/v1/batches")) == 2, "what people have just done is never read late"
    assert len(grid.api.pages(f"/v1/batches/{later}/units")) == 5, "nor told to be missing"
    eventually(lambda: seen(grid) == 2, 20, what="it is too far behind: the database itself is read")
    assert "replica-late" in grid.server.text()
    replica.sql("SELECT pg_wal_replay_resume()")

    def read_again():
        seen(grid)
        return grid.server.text().rpartition("replica-")[2].startswith("read")
    eventually(read_again, 30, what="it is read again")
    replica.kill()
    for _ in range(5):
        assert seen(grid) == 2 and grid.status(first)["units"] == 7
    replica.start()
    grid.host("cy")
    eventually(lambda: seen(grid) == 3, 20)
