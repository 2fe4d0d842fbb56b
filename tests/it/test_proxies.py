"""A real client behind proxies: SOCKS5 and HTTP CONNECT carry everything, and where there is none it says so."""

import json
import select
import socket
import threading

from grid import eventually

CONF = dict(contact="1s", contact_idle="1s")


def carry(a, b):
    """Bytes both ways until one side has enough."""
    while True:
        for s in select.select([a, b], [], [], 30)[0]:
            data = s.recv(65536)
            if not data:
                return
            (b if s is a else a).sendall(data)


def read(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        assert more
        data += more
    return data


def socks(s):
    """RFC 1928 without authentication: where to."""
    methods = read(s, 2)[1]
    read(s, methods)
    s.sendall(b"\x05\x00")
    kind = read(s, 4)[3]
    host = socket.inet_ntoa(read(s, 4)) if kind == 1 else read(s, read(s, 1)[0]).decode()
    port = int.from_bytes(read(s, 2), "big")
    s.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    return host, port


def connect(s):
    head = b""
    while b"\r\n\r\n" not in head:
        head += s.recv(4096)
    host, _, port = head.split()[1].decode().rpartition(":")
    s.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    return host, int(port)


class Proxy:
    def __init__(self, speak):
        self.speak, self.carried = speak, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        with s:
            to = self.speak(s)
            self.carried.append(to)
            with socket.create_connection(to) as other:
                carry(s, other)


def test_all_goes_through_the_proxy(grid):
    grid.publish("dugnad-say")
    for name, scheme, speak in (("behind-socks", "socks5h", socks), ("behind-http", "http", connect)):
        proxy = Proxy(speak)
        client = grid.client(name, proxy=f"{scheme}://127.0.0.1:{proxy.port}").start()
        batch = grid.submit("say", lines=["a", "b"], quorum=1)
        assert grid.wait_done(batch)["accepted"] == 2
        assert proxy.carried and set(proxy.carried) == {("127.0.0.1", grid.port)}
        client.end()
        proxy.listener.close()


def test_without_its_proxy_it_reaches_nobody_and_says_so(grid):
    client = grid.client("alone").start()
    eventually(lambda: client.call("status").returncode == 0)
    client.end()
    with socket.create_server(("127.0.0.1", 0)) as s:
        nobody = s.getsockname()[1]
    with open(client.data / "client.conf", "a") as f:
        f.write(f"proxy = socks5://127.0.0.1:{nobody}\n")
    client.start()

    def problem():
        done = client.call("status", "--json")
        return done.returncode == 0 and json.loads(done.stdout)["problem"]
    assert "127.0.0.1" in eventually(problem)
    client.end()
