#!/usr/bin/python3
"""s3_temp.py FOLDER PORT: OpenStack Swift with its S3 API on loopback, all four of its servers in this one process, with one
disk that is FOLDER. It checks every signature and every digest. Key "test:tester", secret "testing". What FOLDER holds from
an earlier run is there again; a line on standard output for each request. Debian: swift-proxy swift-account swift-container swift-object."""

import logging
import os
import sys

import eventlet

eventlet.monkey_patch()
from eventlet import wsgi  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

KINDS = ("account", "container", "object")
SERVER = """[DEFAULT]
swift_dir = {folder}/etc
devices = {folder}/devices
mount_check = false
log_level = CRITICAL
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
PROXY = """[DEFAULT]
swift_dir = {folder}/etc
log_level = CRITICAL
[pipeline:main]
pipeline = catch_errors gatekeeper cache proxy-logging listing_formats s3api tempauth copy slo dlo versioned_writes proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin http://127.0.0.1:{port}/v1/AUTH_test
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
""" + "".join(f"[filter:{name}]\nuse = egg:swift#{name.replace('-', '_')}\n" for name in (
    "catch_errors", "gatekeeper", "proxy-logging", "listing_formats", "copy", "slo", "dlo", "versioned_writes"))


def listen(port):
    return eventlet.listen(("127.0.0.1", port), reuse_port=False)


def write(folder, name, text):
    with open(os.path.join(folder, "etc", name), "w") as f:
        f.write(text)
    return os.path.join(folder, "etc", name)


def make_ring(folder, kind, port):
    """The one disk has all of it."""
    builder = RingBuilder(0, 1, 0)
    builder.add_dev(dict(id=0, region=1, zone=1, weight=1, ip="127.0.0.1", port=port, device="d1", meta="", replication_ip="127.0.0.1",
                         replication_port=port))
    builder.rebalance()
    builder.get_ring().save(os.path.join(folder, "etc", f"{kind}.ring.gz"))


def serve(sock, app, told=False):
    log = logging.getLogger("told" if told else "quiet")
    log.propagate = False
    log.setLevel(logging.DEBUG)
    log.addHandler(logging.StreamHandler(sys.stdout) if told else logging.NullHandler())
    return eventlet.spawn(wsgi.server, sock, app, log=log, log_format="%(request_line)s -> %(status_code)s")


def main():
    folder, port = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    for name in ("etc", "devices/d1"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    write(folder, "swift.conf", "[swift-hash]\nswift_hash_path_suffix = tests\n")
    utils.set_swift_dir(os.path.join(folder, "etc"))
    served = []
    for kind in KINDS:
        sock = listen(0)
        make_ring(folder, kind, sock.getsockname()[1])
        served.append(serve(sock, loadapp(write(folder, f"{kind}.conf", SERVER.format(folder=folder, kind=kind)))))
    proxy = loadapp(write(folder, "proxy.conf", PROXY.format(folder=folder, port=port)))
    served.append(serve(listen(port), proxy, told=True))
    served[-1].wait()


if __name__ == "__main__":
    main()
