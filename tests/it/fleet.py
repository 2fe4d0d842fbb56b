"""Several servers of one project on one PostgreSQL, behind HAProxy with the file that the package ships.

    with Fleet(folder, servers=3) as fleet:        # a Grid whose address is HAProxy's
        fleet.kill(1)                              # kill -9
        fleet.start_server(1)
        fleet.at(2).get("/v1/server")              # one of them by itself"""

import subprocess
from pathlib import Path

from grid import BIN, Api, Grid, Process, eventually, free_port, set_conf
from postgres import Postgres

SHIPPED = Path(__file__).resolve().parents[2] / "packaging" / "proxy" / "haproxy.cfg"


class Place:
    """What Api wants of a grid: where to connect."""

    address = "127.0.0.1"

    def __init__(self, port):
        self.port = port


class Fleet(Grid):
    def __init__(self, folder, servers=3, database=None, **conf):
        self.postgres = None if database else Postgres()
        self.front_port = free_port()
        url = f"https://127.0.0.1:{self.front_port}"
        super().__init__(folder, database=database or self.postgres.new(), url=url, **{"connections_per_address": 10000, **conf})
        self.ports = [self.port]
        self.servers = [self.server]
        for i in range(1, servers):
            self.add_server(i)
        self.link, self.url, self.port = self.link.replace(self.url, url), url, self.front_port
        self.balancer = Process(["/usr/sbin/haproxy", "-db", "-f", self.write_balancer()], self.folder / "haproxy.log")

    def add_server(self, i):
        """One more, by the one command that an operator gives."""
        data, port = self.folder / f"server{i}", free_port()
        made = subprocess.run([BIN / "dugnad-server", "--data", data, "clone", self.data, "--listen", f"127.0.0.1:{port}"],
                              text=True, timeout=30, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert made.returncode == 0, made.stderr
        self.ports.append(port)
        self.servers.append(Process([BIN / "dugnad-server", "--data", data, "serve"], self.folder / f"server{i}.log"))

    def write_balancer(self):
        text = SHIPPED.read_text()
        listed = "".join(f"    server s{i} 127.0.0.1:{port}\n" for i, port in enumerate(self.ports))
        shipped = "".join(f"    server {name} 10.0.0.1{i}:8443\n" for i, name in ((1, "one"), (2, "two"), (3, "three")))
        for old, new in ((shipped, listed), ("maxconn 40000", "maxconn 4000"), ("bind :8443", f"bind 127.0.0.1:{self.front_port}"), ("conn_rate gt 200", "conn_rate gt 100000"),
                         ("inter 1s", "inter 200ms")):
            assert text.count(old) == 1, f"packaging/proxy/haproxy.cfg has {old!r} not once"
            text = text.replace(old, new)
        path = self.folder / "haproxy.cfg"
        path.write_text(text)
        return path

    def start(self):
        for server in self.servers:
            server.start()
        for i in range(len(self.servers)):
            self.wait_server(i)
        self.balancer.start()
        self.wait_ready()
        return self

    def at(self, i, token=True):
        """One server by itself, not through the balancer."""
        return Api(Place(self.ports[i]), self.token if token else None)

    def server_ready(self, i):
        assert self.servers[i].alive(), f"server {i} has ended: {self.servers[i].text()[-2000:]}"
        api = self.at(i, token=False)
        try:
            return api.once("GET", "/readyz").status == 200
        except OSError:
            return False
        finally:
            api.close()

    def wait_server(self, i, seconds=60):
        eventually(lambda: self.server_ready(i), seconds, what=f"server {i} is ready")

    def kill(self, i):
        self.servers[i].kill()

    def start_server(self, i):
        self.servers[i].start()

    def set_all(self, **conf):
        for i in range(len(self.servers)):
            set_conf(self.folder / (f"server{i}" if i else "server") / "server.conf", **conf)

    def logs(self):
        return [(x.log.name, x.text()[-4000:]) for x in [*self.processes, *self.servers, self.balancer]]

    def __exit__(self, kind, value, trace):
        try:
            self.processes += self.servers[1:]
            super().__exit__(kind, value, trace)
        finally:
            self.balancer.kill()
            if self.postgres:
                self.postgres.end()
