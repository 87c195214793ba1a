"""A real S3 server (moto's) as a process of its own, and a proxy before it that brings faults about."""

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
_NOT_FORWARDED = {"connection", "transfer-encoding", "date", "server", "content-length", "host", "expect"}
_REFUSALS = {"error": (500, "InternalError"), "refuse": (403, "AccessDenied")}


@contextmanager
def moto() -> Iterator[int]:
    """The port of a running S3 server with nothing in it."""
    code = (
        "import moto.server\n"
        "from werkzeug.serving import make_server\n"
        "app = moto.server.DomainDispatcherApplication(moto.server.create_backend_app)\n"
        "server = make_server('127.0.0.1', 0, app, threaded=True)\n"
        "print(server.port, flush=True)\n"
        "server.serve_forever()\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@dataclass
class Fault:
    """What happens to requests of this `method` whose path has `path` in it, `times` times."""

    kind: str
    """error: status 500; cut: half of the body, then the connection is closed; hang: no answer; drop: closed at once;
    refuse: status 403; lost: it is done, and the connection is closed before the answer."""
    method: str = ""
    path: str = ""
    times: int = 1 << 30

    def meets(self, method: str, path: str) -> bool:
        """Whether it happens to this request; then it is one time less."""
        if self.times <= 0 or self.method not in ("", method) or self.path not in path:
            return False
        self.times -= 1
        return True


@dataclass
class Proxy:
    """Passes everything on to the server at `port`, but for `faults`; remembers what was asked."""

    port: int
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    """Set: what hangs is let go of."""

    def requests(self, method: str, path: str) -> int:
        """How many requests of this method had `path` in their path."""
        return sum(asked_method == method and path in asked_path for asked_method, asked_path in list(self.asked))

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its address as a URL."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            self.released.set()
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers one request after another of one connection."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.proxy.asked.append((self.command, self.path))
        faults = self.proxy.faults
        kind = next((fault.kind for fault in list(faults) if fault.meets(self.command, self.path)), "")
        if kind in _REFUSALS:
            status, code = _REFUSALS[kind]
            self._answer(status, {}, f"<Error><Code>{code}</Code><Message>refused</Message></Error>".encode())
        elif kind in ("hang", "drop"):
            self.close_connection = True
            if kind == "hang":
                self.proxy.released.wait()
        else:
            self._forward(body, kind)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any  # noqa: N815  the names that http.server calls

    def _forward(self, body: bytes, kind: str) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_FORWARDED}
        upstream.request(self.command, self.path, body, {**headers, "Host": self.headers["Host"]})
        response = upstream.getresponse()
        answer = response.read()
        upstream.close()
        if kind == "lost":
            self.close_connection = True
        else:
            self._answer(response.status, dict(response.getheaders()), answer, cut=kind == "cut")

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False) -> None:
        length = next((value for name, value in headers.items() if name.lower() == "content-length"), len(body))
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _NOT_FORWARDED:
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  http.server's name for it
        """Say nothing."""


def make_bucket(port: int, name: str) -> None:
    """An empty bucket on the server at `port`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("PUT", f"/{name}", b"", {"Content-Length": "0"})
    assert connection.getresponse().status == 200
    connection.close()


def until(is_so: Any, timeout_s: float = 60.0) -> None:
    """Wait until `is_so()`; the limit only ends a test that would wait for ever."""
    give_up = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.02)
