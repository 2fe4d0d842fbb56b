"""A real S3 server of the test's own (Debian's OpenStack Swift, tests/lib/s3_temp.py), and requests to it past ours."""

import datetime
import hashlib
import hmac
import http.client
import os
import re
import signal
from pathlib import Path

from grid import Process, eventually, free_port

PROGRAM = Path(__file__).resolve().parents[1] / "lib" / "s3_temp.py"
BUCKET, KEY, SECRET, REGION = "dugnad", "test:tester", "testing", "us-east-1"


def signed(method, host, path, query, body):
    """Headers of AWS Signature Version 4."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    names = {"host": host, "x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-date": now}
    listed = ";".join(names)
    request = "\n".join([method, path, query, *(f"{k}:{v}" for k, v in names.items()), "", listed, names["x-amz-content-sha256"]])
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    key = b"AWS4" + SECRET.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    mark = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return {**names, "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope},SignedHeaders={listed},Signature={mark}"}


class S3(Process):
    def __init__(self, folder):
        self.port, self.files = free_port(), Path(folder) / "s3"
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(["/usr/bin/python3", PROGRAM, self.files, self.port], Path(folder) / "s3.log")

    def ask(self, method, path, query="", body=b""):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path + (f"?{query}" if query else ""), body,
                               signed(method, f"127.0.0.1:{self.port}", path, query, body))
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def answers(self):
        assert self.alive(), self.text()[-2000:]
        try:
            return self.ask("PUT", f"/{BUCKET}")[0] in (200, 409)
        except (OSError, http.client.HTTPException):
            return False

    def start(self):
        super().start()
        eventually(self.answers, 60, what="the S3 server answers")
        return self

    def hang(self):
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def objects(self):
        """Digest -> bytes, of what is in the bucket."""
        status, page = self.ask("GET", f"/{BUCKET}", "list-type=2&prefix=blobs%2F")
        assert status == 200 and b"<IsTruncated>false" in page, page
        return {name: int(size) for name, size in re.findall(r"<Key>blobs/(\w+)</Key>.*?<Size>(\d+)</Size>", page.decode(), re.S)}

    def linked(self):
        """Files that were fetched by a link."""
        return set(re.findall(r"GET /dugnad/blobs/(\w+)\?X-Amz-\S+ HTTP/1.1 -> 20[06]", self.text()))

    def conf(self, data, secret=SECRET, **more):
        """Options of a server that keeps its files here."""
        (data / "s3.secret").write_text(secret + "\n")
        (data / "s3.secret").chmod(0o600)
        return dict(blobs=f"s3://{BUCKET}/blobs", s3_endpoint=self.url, s3_key_id=KEY, **more)
