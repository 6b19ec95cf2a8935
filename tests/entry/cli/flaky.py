"""A way to a real server on which answers get lost."""

import http.client
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PASSED_ON = ("Content-Type", "X-API-Key", "Idempotency-Key")

Told = tuple[int, bytes, dict[str, str]]


class Way(BaseHTTPRequestHandler):
    """Of each delivery the first try meets a busy server, and the answer to the second is lost."""

    server: "Ways"

    def do_GET(self):
        self.answer(*self.pass_on(b""))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        self.server.tries[key] += 1
        if self.server.tries[key] == 1:
            self.answer(503, b'{"detail": "Busy."}', {"Retry-After": "1"})
            return
        told = self.pass_on(body)
        if self.server.tries[key] == 2:
            self.close_connection = True
            return
        self.answer(*told)

    def pass_on(self, body):
        connection = http.client.HTTPConnection(urlsplit(self.server.target).netloc, timeout=30)
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        told: Told = answer.status, answer.read(), {}
        connection.close()
        return told

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nobody listens."""


class Ways(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, target):
        super().__init__(("127.0.0.1", 0), Way)
        self.target = target
        self.tries: Counter[str] = Counter()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def flaky_way_to(target):
    with Ways(target) as ways:
        thread = threading.Thread(target=ways.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield ways
        finally:
            ways.shutdown()
            thread.join()
