"""The quickstart itself, over the programs that were built already."""

import os
import re
import subprocess
from pathlib import Path

BIN = Path(os.environ["DUGNAD_BIN"])
SCRIPT = Path(__file__).resolve().parents[2] / "packaging" / "quickstart.sh"


def test_the_quickstart_runs_three_examples_and_leaves_nothing_behind(tmp_path):
    done = subprocess.run([SCRIPT, "--bin", BIN], env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    rows = {m[1]: tuple(map(int, m.group(2, 3, 4)))
            for m in re.finditer(r"^(pi|primes|hmmsearch) +(\d+) +(\d+) +(\d+) +[\d.]+$", done.stdout, re.M)}
    assert set(rows) == {"pi", "primes", "hmmsearch"}, done.stdout
    for units, attempts, validated in rows.values():
        assert validated == units and attempts >= 2 * units
    assert "1229 primes" in done.stdout and "pi is about 3.14" in done.stdout
    assert not list(tmp_path.iterdir())
    left = [p.name for p in Path("/proc").iterdir() if p.name.isdigit() and uses(p, str(tmp_path))]
    assert not left


def uses(process, folder):
    try:
        return folder.encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False
