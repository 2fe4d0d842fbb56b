"""Makes data-v1.tar.xz: a project as an older server left it when it was killed amid its work. Run once, with that older program:

    git worktree add /tmp/old COMMIT && cmake --preset ci-release ... && DUGNAD_BIN=/tmp/old/build-ci/release/bin python3 tests/it/upgrade/make.py

What came of it is checked in, so that every later version is tested against what was really written then."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import grid as lib  # noqa: E402

lib.SERVER_CONF = dict(contact="1s", contact_idle="1s", token_rate=0, address_rate=0, disk_free_min="1M")
HERE = Path(__file__).resolve().parent


def acknowledged(host, most):
    came = host.take(most)
    acks = host.report(*(host.answer(a, f"{u['word']}\n") for a, u in came.items()))
    return [a for a, ack in acks.items() if ack["code"] == "ok"]


def main():
    with tempfile.TemporaryDirectory() as folder:
        grid = lib.Grid(folder)
        grid.start()
        grid.publish("dugnad-say", "say")
        hosts = [grid.host(name) for name in ("ada", "bo", "cy")]
        done = grid.submit("say", lines=[f"done {n}" for n in range(10)], quorum=1)
        acks = acknowledged(hosts[0], 10)
        grid.wait_done(done)
        open_batch = grid.submit("say", lines=[f"line {n}" for n in range(40)], quorum=2)
        for host in hosts:
            acks += acknowledged(host, 8)
        array = grid.submit("say", array=1000, quorum=1, priority=-1)
        failing = grid.submit("say", lines=["x"], quorum=1, max_error_attempts=0)
        for attempt in [a for a in hosts[2].take(200) if a.startswith(f"{failing}.")]:
            hosts[2].report(hosts[2].error(attempt, "exit", exit_code=3, stderr="no such file\n"))
        held = hosts[0].take(6)
        scientist = grid.user("kari")
        grid.server.kill()
        facts = dict(done=done, open=open_batch, array=array, failing=failing, acknowledged=acks, operator=grid.token, scientist=scientist.token,
                     hosts=[dict(name=h.name, id=h.id, token=h.api.token, held={a: u["word"] for a, u in h.held.items()}) for h in hosts])
        assert held
        (grid.data / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")
        subprocess.run(["tar", "-C", grid.folder, "--owner=0", "--group=0", "--numeric-owner", "-cJf", HERE / "data-v1.tar.xz", "server"], check=True)
        print(f"{(HERE / 'data-v1.tar.xz').stat().st_size} bytes")


main()
