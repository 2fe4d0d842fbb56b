"""Adds up callgrind's files by what the instructions are for; profile.sh says how to make them."""

import json
import re
import sys
from collections import Counter
from pathlib import Path

LIBRARIES = [("gnutls", "TLS"), ("nettle", "TLS"), ("hogweed", "TLS, handshakes"), ("gmp", "TLS, handshakes"), ("microhttpd", "HTTP (libmicrohttpd)"), ("jansson", "JSON, reading (jansson)"),
             ("sqlite", "SQL (SQLite)"), ("crypto", "SHA-256 (OpenSSL)"), ("vgpreload", "malloc and memory")]
FILES = [(r"base/json_out|wire/.*(reply|write)", "JSON, writing"), (r"base/json|wire/", "JSON, reading (ours)"), (r"rules/", "rules"),
         (r"server/(engine|dispatch|cache|unit_row)", "engine: turn, dispatch, leases"), (r"server/(store|db)", "store: rows to statements"),
         (r"server/http", "HTTP (ours)"), (r"server/(route|auth|rate|metrics|api)", "routes, tokens, replies"), (r"base/", "base: buffers, text, hashes")]
MEMORY = re.compile(r"malloc|free|calloc|realloc|memset|memcpy|memmove|arena_dump|unlink_chunk|tcache")


def purpose(library, file, function):
    for word, what in LIBRARIES:
        if word in library:
            return what
    if "libc" in library or "ld-linux" in library:
        return "malloc and memory" if MEMORY.search(function) else "C library: text, locks, calls of the kernel"
    for pattern, what in FILES:
        if re.search(pattern, file):
            return what
    return "other"


def read(path, total, functions):
    names = {}

    def name(kind, text):
        number, _, word = text.partition(" ")
        if word:
            names[kind, number] = word
        return names.get((kind, number), text)
    library = file = function = ""
    skip = False
    for line in path.open(errors="replace"):
        head, _, rest = line.rstrip("\n").partition("=")
        if head == "ob":
            library = name("ob", rest)
        elif head in ("fl", "fi", "fe"):
            file = name("fl", rest)
            own = file if head == "fl" else own
        elif head == "fn":
            function = name("fn", rest)
        elif head in ("cob", "cfi", "cfl", "cfn"):
            name({"cob": "ob", "cfn": "fn"}.get(head, "fl"), rest)
        elif head == "calls":
            skip = True
        elif line[:1].isdigit() or line[:1] in "+-*":
            if skip:
                skip = False
                continue
            cost = int(line.split()[1])
            what = purpose(library.lower(), file, function)
            total[what] += cost
            functions[what, function.partition("'")[0]] += cost


def main():
    line = json.loads(sys.argv[-1])
    total, functions = Counter(), Counter()
    for path in sys.argv[1:sys.argv.index("--line")]:
        read(Path(path), total, functions)
    n, each = line["replies"], line["per_request"]
    print(f"{n} requests, report {each} + lease {each}; instructions of the server for each: {sum(total.values()) / n:,.0f}")
    for what, cost in total.most_common():
        most = [f"{f} {c / n:,.0f}" for (w, f), c in functions.most_common(400) if w == what][:4]
        print(f"{cost / n:10,.0f}  {100 * cost / sum(total.values()):5.1f} %  {what}: {', '.join(most)}")


if __name__ == "__main__":
    main()
