"""Receivers of messages on the loopback address: they take, refuse, hang, trickle, redirect, and note what came."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

_TRICKLE_S = 0.05


class Posted(NamedTuple):
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """What an HTTP server got. `base` is its URL without a path.

    Attributes:
        requests: in the order in which they came.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self.requests: list[Posted] = []


Answer = Callable[[BaseHTTPRequestHandler, threading.Event], None]
"""Answers a request whose body was read; the event is set when the server goes away."""


def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"a secret answer") -> Answer:
    """Answers with a status."""

    def answer(handler: BaseHTTPRequestHandler, _gone: threading.Event) -> None:
        handler.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def tarpit(handler: BaseHTTPRequestHandler, gone: threading.Event) -> None:
    """Answers one byte now and then, for ever."""
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 ")
        while not gone.wait(_TRICKLE_S):
            handler.wfile.write(b"x")
            handler.wfile.flush()


def silence(_handler: BaseHTTPRequestHandler, gone: threading.Event) -> None:
    """Takes the request and says nothing."""
    gone.wait()


def hang_up(handler: BaseHTTPRequestHandler, _gone: threading.Event) -> None:
    """Takes the request and closes the connection."""
    handler.connection.close()


@contextlib.contextmanager
def http_receiver(answer: Answer | None = None, *, tls: ssl.SSLContext | None = None) -> Generator[Receiver]:
    """An HTTP server that notes every request and answers as told; 200 by default. With `tls` it speaks HTTPS."""
    gone = threading.Event()
    chosen = answer or status(200)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            receiver.requests.append(Posted(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            chosen(self, gone)

        do_GET = do_PUT = do_POST  # noqa: N815 - the library's names for them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name for it
            """Says nothing."""

        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().handle()

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver = Receiver(server.server_address[1])
    with _served(server, gone):
        yield receiver


class Letter(NamedTuple):
    """One e-mail as it was handed over."""

    sender: str
    recipients: list[str]
    content: bytes


@contextlib.contextmanager
def smtp_receiver() -> Generator[tuple[int, list[Letter]]]:
    """A mail server without a single check: (port, letters)."""
    letters: list[Letter] = []
    gone = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _speak_smtp(self, letters)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with _served(server, gone):
        yield server.server_address[1], letters


def _speak_smtp(session: socketserver.StreamRequestHandler, letters: list[Letter]) -> None:
    def say(line: str) -> None:
        session.wfile.write(line.encode() + b"\r\n")

    sender, recipients = "", list[str]()
    say("220 receiver")
    while line := session.rfile.readline().decode("utf-8", "replace").strip():
        word = line.upper()
        if word.startswith("MAIL FROM:"):
            sender = line[10:].partition(" ")[0]
        elif word.startswith("RCPT TO:"):
            recipients.append(line[8:].partition(" ")[0])
        elif word == "DATA":
            say("354 go on")
            content = b""
            while (part := session.rfile.readline()) not in (b".\r\n", b""):
                content += part
            letters.append(Letter(sender, recipients, content))
            recipients = []
        elif word == "QUIT":
            say("221 bye")
            return
        if word.startswith("EHLO"):
            say("250-receiver")
        say("235 yes" if word.startswith("AUTH") else "250 AUTH PLAIN")


class Canary:
    """A listener that nobody may connect to.

    Attributes:
        port: where it listens, on 127.0.0.1.
        touched: how many connections came.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self.touched = 0

    def watch(self) -> None:
        """Counts connections until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                connected, _address = self._listener.accept()
                self.touched += 1
                connected.close()


@contextlib.contextmanager
def canary() -> Generator[Canary]:
    """Listens on the loopback address and counts."""
    listener = socket.create_server(("127.0.0.1", 0))
    bird = Canary(listener)
    thread = threading.Thread(target=bird.watch, daemon=True)
    thread.start()
    try:
        yield bird
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@contextlib.contextmanager
def _served(server: socketserver.BaseServer, gone: threading.Event) -> Generator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        gone.set()
        server.shutdown()
        server.server_close()
        thread.join()
