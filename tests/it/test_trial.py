"""The scientist's ten minutes: the very commands of README.md, with a stop-watch, for three kinds of programs and 200 files each."""

import os
import random
import re
import subprocess
import time
from pathlib import Path

import pytest

from grid import BIN, PATIENCE

README = Path(__file__).resolve().parents[2] / "README.md"
EXAMPLES = Path(__file__).resolve().parent / "trial"
TUTORIAL = Path("/usr/share/doc/hmmer/examples/tutorial")
FILES = 200


def blocks():
    section = re.search(r"^## Ten minutes.*?(?=^## )", README.read_text(), re.M | re.S)[0]
    return re.findall(r"^```\n(.*?)^```$", section, re.M | re.S)


@pytest.fixture(scope="module")
def desk(grid, tmp_path_factory):
    """What a scientist has: programs, folders of files, a token, a release key; logged in by the first block."""
    desk = tmp_path_factory.mktemp("desk")
    for folder in ("in", "seqs"):
        (desk / folder).mkdir()
    for example in ("collatz.c", "spread.py"):
        (desk / example).write_bytes((EXAMPLES / example).read_bytes())
    (desk / "spread.py").chmod(0o755)
    (desk / "token").write_bytes((grid.data / "operator.token").read_bytes())
    (desk / "token").chmod(0o600)
    (desk / "release.pem").symlink_to(grid.data / "offline-keys" / "release.pem")
    (desk / "globins4.hmm").symlink_to(TUTORIAL / "globins4.hmm")
    globins = (TUTORIAL / "globins45.fa").read_text().split(">")[1:]
    drawn = random.Random(1)
    for n in range(1, FILES + 1):
        (desk / f"in/n{n}.txt").write_text("".join(f"{i}\n" for i in range(n, n * 37 + 400)))
        name, *lines = globins[n % len(globins)].split("\n")
        letters = "".join(drawn.choice("ACDEFGHIKLMNPQRSTVWY") if drawn.random() < 0.1 else c for c in "".join(lines))
        (desk / f"seqs/s{n}.fa").write_text(f">{name.split()[0]}-{n}\n{letters}\n")
    for owner in ("ada", "bo"):
        grid.client(owner, cores=2, memory_bytes="1G").start()
    run(grid, desk, blocks()[0])
    return desk


def run(grid, desk, block):
    env = {**os.environ, **grid.env, "LINK": grid.link, "PATH": f"{BIN}:{os.environ['PATH']}"}
    began = time.monotonic()
    done = subprocess.run(["bash", "-euxc", block], cwd=desk, env=env, text=True, timeout=200 * PATIENCE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return time.monotonic() - began


@pytest.mark.parametrize("block, out, direct", [
    (1, "collatz-out", "./collatz in/n{}.txt"),
    (2, "spread-out", "./spread.py in/n{}.txt"),
    (3, "aligned", "hmmalign globins4.hmm seqs/s{}.fa"),
], ids=["compiled", "script", "package"])
def test_from_a_program_and_a_folder_to_validated_answers(grid, desk, block, out, direct):
    seconds = run(grid, desk, blocks()[block])
    print(f"{out}: {seconds:.0f} s from the first command to the last")
    files = [f for f in (desk / out).iterdir() if f.name not in ("results.ndjson", "results.csv", "provenance.ndjson") and not f.name.startswith(".")]
    assert len(files) == FILES
    for n in range(1, FILES + 1, 7):
        (answer,) = [f for f in files if re.fullmatch(rf"[ns]{n}", f.stem)]
        wanted = subprocess.run(direct.format(n).split(), cwd=desk, stdout=subprocess.PIPE, check=True).stdout
        assert answer.read_bytes() == wanted and wanted
    assert seconds < 180, "the rest of the ten minutes is for reading and thinking"
