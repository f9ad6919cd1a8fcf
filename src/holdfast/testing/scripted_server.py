"""An HTTP server on the loopback address that answers what a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body. A `Content-Length` among the headers may lie."""

Answering = Callable[[str, str], Answer]
"""From method and path to an answer."""


class Request(NamedTuple):
    """What was asked."""

    method: str
    path: str
    headers: Mapping[str, str]


def always(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answering:
    """The same answer to everything."""
    return lambda _method, _path: (status, headers or {}, body)


class ScriptedServer:
    """Runs in a thread from the moment it is made until `stop`.

    Attributes:
        answer: makes the answers; may be replaced at any time.
        asked: every request so far.
        port: where it listens.
        url: `http://127.0.0.1:port/`.
    """

    def __init__(self) -> None:
        self.answer: Answering = always(404)
        self.asked: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(script: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            script.asked.append(Request(self.command, self.path, dict(self.headers)))
            status, headers, body = script.answer(self.command, self.path)
            self.send_response(status)
            sent = {"Content-Length": str(len(body)), **headers}
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            if sent["Content-Length"] != str(len(body)):
                self.close_connection = True

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = respond  # noqa: N815 - names of the library

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
            pass

    return Handler
