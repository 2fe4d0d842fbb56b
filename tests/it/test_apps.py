"""The example apps and stock validators as plain programs, without any grid."""

import json
import os
import subprocess
from pathlib import Path

APPS = Path(os.environ["DUGNAD_BIN"]) / "apps"


def run(app, *words, cwd, **env):
    return subprocess.run([APPS / app, *map(str, words)], cwd=cwd, env={**os.environ, **env},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


def test_pi_of_all_blocks_is_pi(tmp_path):
    hits = 0
    for block in range(20):
        assert run("pi", "--samples", 500000, "--block", block, cwd=tmp_path).returncode == 0
        answer = json.loads((tmp_path / "pi.json").read_text())
        assert answer["block"] == block and answer["samples"] == 500000
        hits += answer["hits"]
    assert abs(4 * hits / 1e7 - 3.14159265) < 0.002  # four standard deviations


def test_pi_stopped_and_gone_on_gives_the_same_bytes(tmp_path):
    samples = 200_000_000
    straight, resumed, wishes = tmp_path / "a", tmp_path / "b", tmp_path / "wishes"
    for folder in (straight, resumed, wishes):
        folder.mkdir()
    assert run("pi", "--samples", samples, "--block", 7, cwd=straight).returncode == 0
    (wishes / "stop").touch()
    first = run("pi", "--samples", samples, "--block", 7, cwd=resumed, DUGNAD_FOLDER=str(wishes))
    assert first.returncode == 75
    assert (wishes / "checkpointed").exists() and not (resumed / "pi.json").exists()
    (wishes / "stop").unlink()
    assert run("pi", "--samples", samples, "--block", 7, cwd=resumed, DUGNAD_FOLDER=str(wishes)).returncode == 0
    assert (resumed / "pi.json").read_bytes() == (straight / "pi.json").read_bytes()
    assert float((wishes / "progress").read_text()) == 1


def test_pi_ignores_the_checkpoint_of_another_block(tmp_path):
    (tmp_path / "pi.state").write_text("8 1000 1000 1000 1 2 3 4\n")
    assert run("pi", "--samples", 1000, "--block", 7, cwd=tmp_path).returncode == 0
    assert json.loads((tmp_path / "pi.json").read_text())["hits"] != 1000


def test_there_are_1229_primes_to_ten_thousand(tmp_path):
    primes, others = [], []
    for block in range(10):
        assert run("primes", "--block", block, "--size", 1000, cwd=tmp_path).returncode == 0
        primes += (tmp_path / "prime.txt").read_text().split()
        others += (tmp_path / "not-prime.txt").read_text().split()
    assert len(primes) == 1229 and primes[-1] == "9973"
    assert sorted(map(int, primes + others)) == list(range(1, 10001))


def test_each_number_is_routed_to_the_stream_of_its_kind(tmp_path):
    for _ in range(2):  # a second run starts the file anew
        assert run("primes", "--block", 0, "--size", 10, "--route", cwd=tmp_path).returncode == 0
    lines = (tmp_path / "streams").read_text().split("\n")
    assert lines == [f"{'prime' if n in (2, 3, 5, 7) else 'not-prime'}\t{n}" for n in range(1, 11)] + [""]


def test_bad_arguments_are_refused(tmp_path):
    for words in (["--samples", "-5", "--block", 1], ["--samples", "1x", "--block", 1], []):
        assert run("pi", *words, cwd=tmp_path).returncode == 2
    assert run("primes", "--block", 10**12, "--size", 10**12, cwd=tmp_path).returncode == 2
    assert not list(tmp_path.iterdir())


def test_same_lines_leaves_comments_out(tmp_path):
    def verdict(a, b, *words):
        for name, text in (("a", a), ("b", b)):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "out").unlink(missing_ok=True)
            if text is not None:
                (tmp_path / name / "out").write_text(text)
        return run("same-lines", *words, "out", cwd=tmp_path)

    hashes = ["--comment", "#"]
    assert verdict("x\n# 10:00\n", "# 11:00\nx\n", *hashes).returncode == 0
    assert verdict("x\n# 10:00\n", "# 11:00\nx\n").returncode == 1
    assert verdict("x\n", "x\ny\n", *hashes).returncode == 1
    assert verdict("x", "x\n", *hashes).returncode == 1
    assert verdict(None, None, *hashes).returncode == 0
    missing = verdict("x\n", None, *hashes)
    assert missing.returncode == 2 and missing.stdout == "unusable b\n"
    assert run("same-lines", cwd=tmp_path).returncode == 3
