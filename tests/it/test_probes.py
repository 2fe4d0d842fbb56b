"""Every way out of the sandbox as a work unit, through a real client: run by this user (root, as a service that root has
installed, where the tests are root's) and by a plain one. Each is blocked and says by what."""

import collections
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from grid import BIN, Client, eventually

CONF = dict(contact="1s", contact_idle="1s")
PLAIN = 12345  # a user of no rights whatever
NAMES = subprocess.run([BIN / "dugnad-probe", "list"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()


class PlainClient(Client):
    """A client of an ordinary user: its folder and its program are where that user can reach them."""

    def __init__(self, grid, folder):
        super().__init__(grid, "plain", cores=2)
        shutil.copy(BIN / "dugnad-client", folder / "dugnad-client")
        self.join()
        self.data.rename(folder / "data")
        self.data = folder / "data"
        subprocess.run(["chown", "-R", f"{PLAIN}:{PLAIN}", folder], check=True)
        self.words = ["setpriv", f"--reuid={PLAIN}", f"--regid={PLAIN}", "--clear-groups", "--", str(folder / "dugnad-client"),
                      "--data", str(self.data), "run"]


@pytest.fixture(params=["this user", "a plain user"])
def client(grid, request):
    if request.param == "this user":
        made = grid.client("ada", cores=2)
        yield made.start()
        made.end()
        return
    if os.geteuid() != 0:
        pytest.skip("this user is a plain one already")
    folder = Path(tempfile.mkdtemp(prefix="dugnad-plain-"))
    folder.chmod(0o755)
    try:
        made = PlainClient(grid, folder)
        grid.processes.append(made)
        made.start()
        with open(f"/proc/{made.pid}/status") as status:
            assert f"Uid:\t{PLAIN}\t{PLAIN}" in status.read()
        yield made
        made.end()
    finally:
        shutil.rmtree(folder)


def test_all_of_them_are_blocked(grid, client, capsys):
    assert len(NAMES) > 150 and len(set(NAMES)) == len(NAMES)
    if not (grid.folder / "app-probe").exists():
        grid.publish("dugnad-probe", "probe")
    eventually(lambda: client.call("status").returncode == 0)
    batch = grid.submit("probe", lines=NAMES, quorum=1, policy="once", max_error_attempts=0)
    grid.wait_done(batch, 120)
    said = {NAMES[int(unit.partition(".")[2])]: text for unit, text in grid.answers(batch).items()}
    out = {name: text for name, text in said.items() if not (text or "").startswith("blocked: ")}
    reasons = collections.Counter(text.strip() for text in said.values() if text)
    with capsys.disabled():
        print(f"\n{len(said) - len(out)} of {len(NAMES)} probes blocked as user {os.stat(client.data).st_uid}: "
              + ", ".join(f"{n} {reason.removeprefix('blocked: ')}" for reason, n in reasons.most_common()))
    assert not out and len(said) == len(NAMES)
    assert client.alive()
