"""What a client takes of the computer it lives on while there is no work. BOINC's: 16.0 MB and 0.06 % of a core."""

import os
import subprocess
import time

import pytest

from grid import BIN

CONF = dict(contact="1m", contact_idle="5m")  # as they are for everybody
SECONDS = float(os.environ.get("DUGNAD_IDLE_SECONDS", 20))
RSS_MAX_KB, PRIVATE_MAX_KB, CPU_MAX_PERCENT = 8 << 10, 4 << 10, 0.5


def memory(pid):
    """VmRSS and what of it is nobody else's, in KiB."""
    with open(f"/proc/{pid}/status") as f:
        status = dict(x.split(":", 1) for x in f)
    return int(status["VmRSS"].split()[0]), int(status["RssAnon"].split()[0])


def cpu_ns(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total


def test_an_idle_client_takes_next_to_nothing(grid, capsys):
    linked = subprocess.run(["ldd", BIN / "dugnad-client"], stdout=subprocess.PIPE, text=True).stdout
    if "libasan" in linked:
        pytest.skip("sanitizers have a memory of their own")
    client = grid.client("idle", cores=0).start()
    time.sleep(3)  # past the start: TLS, the first contact, the journal
    began, cpu = time.monotonic(), cpu_ns(client.pid)
    time.sleep(SECONDS)
    percent = (cpu_ns(client.pid) - cpu) / (time.monotonic() - began) / 1e7
    rss, private = memory(client.pid)
    with capsys.disabled():
        print(f"\nidle client: {rss / 1024:.1f} MiB resident ({private / 1024:.1f} MiB of its own), {percent:.3f} % of a core "
              f"over {SECONDS:.0f} s; BOINC's: 16.0 MB, 0.06 %")
    assert client.alive()
    assert rss <= RSS_MAX_KB and private <= PRIVATE_MAX_KB
    assert percent <= CPU_MAX_PERCENT
