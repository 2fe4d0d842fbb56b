"""What a disk holds after a power cut: a folder's changes as strace saw them, replayed to any moment.

    trace = Trace(before, folder, "trace.txt")    # before: a copy of the folder as it was when strace began
    for moment in trace.moments():                 # one for each change and each way to lose power right after it
        moment.write(somewhere)

Ways: `kept`: all that was written is there. `short`: names are, of each file what was synced. `zeros`: the same, but what was
not synced reads as zeros. `back`: names are those of the last sync of anything, as a journaling file system may have them."""

import os
import re
from pathlib import Path

WAYS = ("kept", "short", "zeros", "back")
CALLS = ("openat,open,creat,write,pwrite64,writev,lseek,ftruncate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,"
         "mkdir,mkdirat,rmdir,fsync,fdatasync,syncfs,copy_file_range,sendfile,fchmod")
LINE = re.compile(r"(\w+)\((.*)\)\s+= (\d+)(?:<(.*)>)?$")


def under_strace(words, log):
    """The command, with its own (and no child's) calls that change files in the log; its process is the command's."""
    return ["strace", "-D", "-qq", "-y", "-xx", "-s", "16777216", "-e", f"trace={CALLS}", "-o", str(log), *map(str, words)]


def text(escaped):
    return bytes.fromhex(escaped.replace("\\x", ""))


def path_of(fd):
    """Of "7<PATH>"; what was removed, pipes and the like are nowhere."""
    found = re.match(r"\w+<((?:\\x[0-9a-f]{2})+)>$", fd)
    return text(found[1]).decode(errors="replace") if found else "/"


class File:
    def __init__(self, mode=0o600, data=b""):
        self.mode, self.data, self.synced, self.seen = mode, bytearray(data), b"", {}

    def as_of(self, way):
        if way not in self.seen:
            lost = max(0, len(self.data) - len(self.synced)) if way == "zeros" else 0
            self.seen[way] = bytes(self.data) if way == "kept" else self.synced + bytes(lost)
        return self.seen[way]


class Moment:
    def __init__(self, way, names):
        self.way = way
        self.names = {path: x if isinstance(x, str) else (x.mode, x.as_of(way)) for path, x in names.items()}

    def key(self):
        return tuple(sorted((path, x) for path, x in self.names.items()))

    def bytes(self, path):
        found = self.names.get(path)
        return found[1] if isinstance(found, tuple) else None

    def write(self, folder):
        """Folders are "", links "> TARGET"."""
        for path, x in sorted(self.names.items()):
            to = Path(folder) / path
            to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if x == "":
                to.mkdir(exist_ok=True, mode=0o755)
            elif isinstance(x, str):
                to.symlink_to(x[2:])
            else:
                to.write_bytes(x[1])
                to.chmod(x[0])


class Trace:
    def __init__(self, before, folder, log):
        self.folder, self.names, self.at = str(folder), {}, {}
        for path in sorted(Path(before).rglob("*")):
            name = str(path.relative_to(before))
            if path.is_dir():
                self.names[name] = ""
            elif path.is_file():
                self.names[name] = File(path.stat().st_mode & 0o777, path.read_bytes())
                self.sync(self.names[name])
        self.safe = dict(self.names)
        self.lines = Path(log).read_text().splitlines()

    @staticmethod
    def sync(file):
        file.synced, file.seen = bytes(file.data), {}

    def inside(self, path):
        """The path below the folder, None elsewhere."""
        path = os.path.normpath(path)
        return path[len(self.folder) + 1:] if path.startswith(self.folder + "/") else None

    def below(self, base, name):
        """The path of a name, which may be relative to an open folder."""
        return self.inside(os.path.join(path_of(base), name.decode()))

    def of(self, fd):
        """The file that is open there."""
        found = self.names.get(self.inside(path_of(fd)))
        return found if isinstance(found, File) else None

    def put(self, fd, data, at=None):
        file, number = self.of(fd), fd.partition("<")[0]
        if file is None:
            return False
        where = self.at.get(number, 0) if at is None else at
        if where == "end":
            where = len(file.data)
        file.data.extend(bytes(max(0, where - len(file.data))))
        file.data[where:where + len(data)] = data
        file.seen = {}
        if at is None and self.at.get(number) != "end":
            self.at[number] = where + len(data)
        return True

    def opened(self, base, name, flags, mode, fd):
        path = self.below(base, text(name))
        self.at[fd] = "end" if "O_APPEND" in flags else 0
        if path is None or "O_DIRECTORY" in flags:
            return False
        file = self.names.get(path)
        if file is None and "O_CREAT" in flags:
            self.names[path] = File(int(mode or "600", 8) & 0o755)
            return True
        if isinstance(file, File) and "O_TRUNC" in flags:
            file.data.clear()
            file.seen = {}
            return True
        return False

    def moved(self, old, new):
        if old is None or new is None:
            return False
        for path in [x for x in self.names if x == old or x.startswith(old + "/")]:
            self.names[new + path[len(old):]] = self.names.pop(path)
        return True

    def named(self, path, what):
        if path is not None:
            self.names[path] = what
        return path is not None

    def synced(self, fd, everything):
        file = self.of(fd)
        for x in (self.names.values() if everything else [file]):
            if isinstance(x, File):
                self.sync(x)
        self.safe = dict(self.names)
        return True

    def change(self, call, words, result, where):
        """Does it; whether anything below the folder is different, or safer."""
        w = [x.strip('"') for x in words]
        here = "AT_FDCWD"
        if call in ("openat", "open", "creat"):
            if call != "openat":
                w = [here, *w]
            return self.opened(w[0], w[1], w[2], w[3] if len(w) > 3 else None, result)
        if call == "write":
            return self.put(w[0], text(w[1]))
        if call == "pwrite64":
            return self.put(w[0], text(w[1]), int(w[3]))
        if call == "lseek":
            self.at[w[0].partition("<")[0]] = int(result)
            return False
        if call == "ftruncate":
            file = self.of(w[0])
            if file is not None:
                size = int(w[1])
                del file.data[size:]
                file.data.extend(bytes(size - len(file.data)))
                file.seen = {}
            return file is not None
        if call == "fchmod":
            file = self.of(w[0])
            if file is not None:
                file.mode = int(w[1], 8)
            return file is not None
        if call.startswith("rename"):
            w = w if call != "rename" else [here, w[0], here, w[1]]
            return self.moved(self.below(w[0], text(w[1])), self.below(w[2], text(w[3])))
        if call.startswith("link"):
            w = w if call == "linkat" else [here, w[0], here, w[1]]
            return self.named(self.below(w[2], text(w[3])), self.names.get(self.below(w[0], text(w[1]))))
        if call.startswith("symlink"):
            w = w if call == "symlinkat" else [w[0], here, w[1]]
            return self.named(self.below(w[1], text(w[2])), "> " + text(w[0]).decode())
        if call.startswith("unlink") or call == "rmdir":
            path = self.below(*((w[0], text(w[1])) if call == "unlinkat" else (here, text(w[0]))))
            return self.names.pop(path, None) is not None
        if call.startswith("mkdir"):
            return self.named(self.below(*((w[0], text(w[1])) if call == "mkdirat" else (here, text(w[0])))), "")
        if call in ("fsync", "fdatasync", "syncfs"):
            return self.synced(w[0], call == "syncfs")
        raise AssertionError(f"the client does what this replay does not know: {call}({words}) {where}")

    def moments(self):
        for n, line in enumerate(self.lines):
            found = LINE.match(line)
            if not found:  # what failed has changed nothing
                continue
            call, words, result = found[1], re.findall(r'"[^"]*"|[^,\s][^,]*', found[2]), found[3]
            if self.change(call, words, result, f"line {n + 1}"):
                for way in WAYS:
                    yield Moment(way, self.safe if way == "back" else self.names)
