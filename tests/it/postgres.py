"""A private PostgreSQL for a test (tests/lib/pg_temp.sh), one for all grids of a process."""

import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SCRIPT = Path(__file__).resolve().parents[1] / "lib" / "pg_temp.sh"


def settings_of(url):
    """What a URL of new() says after its ?: host is the folder of socket and data."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


class Postgres:
    """Ends with the process: the script stops when its standard input does."""

    def __init__(self, *words):
        self.child = subprocess.Popen(["bash", SCRIPT, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, word):
        self.child.stdin.write(word + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline().strip()
        assert line, f"tests/lib/pg_temp.sh did not answer {word!r}: run it by hand and see why"
        return line

    def new(self):
        """The URL of an empty database."""
        return self.ask("new")

    def restart(self, how="stop"):
        """What clients were doing is cut off; what was committed is there again. how: "kill" is kill -9 of all of it."""
        self.ask(how)
        self.ask("start")

    def end(self):
        self.child.stdin.close()
        self.child.wait(30)


def asked(url, sql):
    done = subprocess.run(["psql", "-X", "-At", "-d", url, "-c", sql], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


_shared = None


def shared():
    global _shared
    if _shared is None:
        _shared = Postgres()
    return _shared
