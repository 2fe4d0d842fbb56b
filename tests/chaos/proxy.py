"""What stands between clients and server, on loopback.

    Wire     carries bytes and does not understand them: cuts, slows, stalls, loses replies
    Echo     has the server's TLS key and speaks HTTP: hands requests on twice, or once more some seconds later, as a network, a
             retrying library or an attacker does"""

import heapq
import http.client
import http.server
import random
import select
import socket
import ssl
import threading
import time

CHUNK = 16384
HANDSHAKE_BYTES = 6000  # what the server says before its first reply; less is not counted as a reply


def reset(s):
    """Closed with RST: nobody is told goodbye."""
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        s.close()
    except OSError:
        pass


class Wire:
    """calm, slow (so many bytes a second each way), stalled (connections stay, nothing moves)."""

    def __init__(self, port_to):
        self.port_to = port_to
        self.rate, self.stalled, self.replies_to_lose = None, False, 0
        self.lock, self.pairs = threading.Lock(), set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            try:
                b = socket.create_connection(("127.0.0.1", self.port_to), timeout=5)
            except OSError:
                reset(a)
                continue
            with self.lock:
                self.pairs.add((a, b))
            threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    def carry(self, a, b):
        said = 0  # bytes of the server
        try:
            while True:
                ready = select.select([a, b], [], [], 60)[0]
                for s in ready:
                    while self.stalled:
                        time.sleep(0.02)
                    data = s.recv(CHUNK if self.rate is None else max(1, self.rate // 20))
                    if not data:
                        return
                    if s is b:
                        said += len(data)
                        if said > HANDSHAKE_BYTES and self.loses():
                            return
                    (b if s is a else a).sendall(data)
                    if self.rate is not None:
                        time.sleep(0.05)
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.pairs.discard((a, b))
            reset(a), reset(b)

    def loses(self):
        with self.lock:
            if not self.replies_to_lose:
                return False
            self.replies_to_lose -= 1
            return True

    def cut(self):
        """All connections, at once, in the middle of whatever they carry; how many."""
        with self.lock:
            pairs = list(self.pairs)
        for a, b in pairs:
            for s in (a, b):
                try:
                    s.shutdown(socket.SHUT_RDWR)  # wakes whoever carries, who then closes
                except OSError:
                    pass
        return len(pairs)

    def stop(self):
        self.stalled, self.rate = False, None
        self.listener.close()
        self.cut()


class Echo:
    """Of the requests that change something, a share is handed on twice in a row (both before the client has its reply) and a share
    comes again late_s later, out of order. What the copies are answered nobody hears."""

    def __init__(self, grid, unverified, seed, share=0.3, late_s=(0.2, 8)):
        self.grid, self.context, self.rng = grid, unverified(), random.Random(seed)
        self.share, self.late_s = share, late_s
        self.lock, self.later, self.open = threading.Condition(), [], True
        self.twice = self.late = self.refused = 0
        echo = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def pass_on(self):
                try:
                    echo.pass_on(self)
                except (OSError, http.client.HTTPException):
                    self.close_connection = True  # as if it had been cut: the client tries again

            do_GET = do_POST = do_HEAD = do_PATCH = do_DELETE = pass_on

            def log_message(self, *words):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass  # clients are killed all the time

            def finish_request(self, request, address):  # the handshake in the thread of the connection
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                tls.load_cert_chain(grid.data / "tls" / "certificate.pem", grid.data / "tls" / "key.pem")
                self.RequestHandlerClass(tls.wrap_socket(request, server_side=True), address, self)

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        threading.Thread(target=self.send_late, daemon=True).start()

    def ask(self, method, path, body, headers):
        upstream = http.client.HTTPSConnection("127.0.0.1", self.grid.port, context=self.context, timeout=20)
        try:
            upstream.request(method, path, body, headers)
            reply = upstream.getresponse()
            return reply, reply.read()
        finally:
            upstream.close()

    def pass_on(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length) if length else None
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("host", "connection", "content-length", "accept-encoding")}
        request = (handler.command, handler.path, body, headers)
        if handler.command in ("POST", "PATCH"):
            with self.lock:
                twice, late = self.rng.random() < self.share, self.rng.random() < self.share
                if late:
                    heapq.heappush(self.later, (time.monotonic() + self.rng.uniform(*self.late_s), self.rng.random(), request))
                    self.lock.notify()
            if twice:
                self.ask(*request)
                self.twice += 1
        reply, data = self.ask(*request)
        handler.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", reply.getheader("Content-Length", "0") if handler.command == "HEAD" else str(len(data)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(data)

    def send_late(self):
        while True:
            with self.lock:
                while self.open and not (self.later and self.later[0][0] <= time.monotonic()):
                    self.lock.wait(max(0.01, self.later[0][0] - time.monotonic()) if self.later else None)
                if not self.open:
                    return
                _, _, request = heapq.heappop(self.later)
            try:
                self.ask(*request)
                self.late += 1
            except (OSError, http.client.HTTPException):
                pass  # the server is away: that copy is lost

    def stop(self):
        with self.lock:
            self.open = False
            self.lock.notify()
        self.server.shutdown()
        self.server.server_close()
