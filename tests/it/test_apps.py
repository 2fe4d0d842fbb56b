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


def parts(folder, *texts):
    for n, text in enumerate(texts):
        (folder / "in" / f"{n:03}").mkdir(parents=True)
        (folder / "in" / f"{n:03}" / "answer.txt").write_text(text)


def merged(folder, *words, status=0):
    done = run("merge", *words, cwd=folder)
    assert done.returncode == status, done.stderr
    return done.stderr if status else (folder / "out.txt").read_text()


def test_answers_are_put_one_after_the_other_in_their_order(tmp_path):
    parts(tmp_path, *(f"n\n{n}\n" for n in range(12)))
    assert merged(tmp_path, "concat") == "".join(f"n\n{n}\n" for n in range(12))
    assert merged(tmp_path, "concat", "--header") == "n\n" + "".join(f"{n}\n" for n in range(12))


def test_answers_are_added_up_number_by_number(tmp_path):
    parts(tmp_path, "hits\t1,2.5\ntotal -9223372036854775807\n", "hits\t2,0.25\ntotal 5\n", "hits\t3,1e3\ntotal 1\n")
    assert merged(tmp_path, "sum") == "hits\t6,1002.75\ntotal -9223372036854775801\n"
    (tmp_path / "again").mkdir()
    parts(tmp_path / "again", (tmp_path / "out.txt").read_text(), (tmp_path / "out.txt").read_text().replace("-", ""))
    assert merged(tmp_path / "again", "sum") == "hits\t12,2005.5\ntotal 0\n", "what it writes it reads"


def test_what_cannot_be_added_is_an_error_that_says_why(tmp_path):
    for n, (wrong, says) in enumerate([(("a 1\n", "b 1\n"), "differs"), (("a 1\n", "a\n"), "number of words"), (("1\n", "1\n1\n"), "number"),
                                       (("9223372036854775807\n", "1\n"), "too large"), (("1\n", "x\n"), "no number"),
                                       (("1" * 70000 + "\n", "1\n"), "too long")]):
        folder = tmp_path / str(n)
        folder.mkdir()
        parts(folder, *wrong)
        assert says in merged(folder, "sum", status=1), (n, wrong)
    assert "Usage" in merged(tmp_path, "multiply", status=2)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "in:" in merged(empty, "sum", status=1)


def test_a_program_that_cannot_be_packed_leaves_nothing_behind(tmp_path):
    (tmp_path / "plain.py").write_text("print(1)\n")
    done = subprocess.run([APPS.parent / "dugnad", "app", "pack", "./plain.py"], cwd=tmp_path, text=True, capture_output=True, timeout=60)
    assert done.returncode == 2 and "first line" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["plain.py"]
