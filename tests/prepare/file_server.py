"""A web server on this machine that breaks, changes and redirects as a test tells it to."""

import hashlib
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

BODY = np.random.default_rng(0).bytes(3_000_000)
OTHER = np.random.default_rng(1).bytes(3_000_000)
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """A web server of one file. `breaks` are the numbers of bytes after which answers are cut, one for each answer."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.etag, self.ranges, self.breaks = BODY, '"one"', True, []
        self.statuses, self.redirect, self.asked, self.paths = [], "", [], {}
        self.changes = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/fold_1.bin"

    def handle_error(self, request, client_address):
        """Broken pipes are what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append((self.headers.get("Range"), self.headers.get("If-Range")))
        status = server.statuses.pop(0) if server.statuses else 200
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        if status != 200:
            self.send_error(status)
            return
        if server.changes:
            server.body, server.etag = server.changes.pop(0)
        self._send(server.paths.get(self.path, server.body))

    def _send(self, body):
        server, start = self.server, 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and server.ranges and self.headers.get("If-Range", server.etag) == server.etag:
            start = int(wanted[1])
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        count = server.breaks.pop(0) if server.breaks else len(body)
        self.wfile.write(body[start : start + count])

    def log_message(self, *arguments):
        """The log of the tests stays empty."""


@contextmanager
def running_server():
    """A server that answers until the block ends."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
