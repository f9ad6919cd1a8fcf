"""Connections of clients who keep the server waiting, with times that are short enough for a test."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import ClassVar

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from holdfast.server.connections import PatientProtocol, Waits
from holdfast.server.serving import Listening, uvicorn_settings

_TIMEOUT_S = 30
_LARGE = 64 << 20


class Hasty(PatientProtocol):
    """Has little time, and few places."""

    most: ClassVar[int] = 5
    limits_s: ClassVar[Mapping[Waits, float]] = {"request": 0.4, "body": 0.4, "reading": 0.4}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes the body, and gives a large answer in pieces where one is asked for."""
    while (await receive()).get("more_body"):
        pass
    pieces = [b"x" * 65536] * (_LARGE >> 16) if scope["path"] == "/large" else [b"here"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@contextmanager
def served(kind: type[PatientProtocol]) -> Iterator[tuple[int, uvicorn.Server]]:
    listening = Listening(host="127.0.0.1", port=0)
    config = uvicorn_settings(application, listening)
    config.http = kind
    server = uvicorn.Server(config)
    with closing(listening.opened()) as made:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[made])))
        thread.start()
        try:
            yield made.getsockname()[1], server
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def port() -> Iterator[int]:
    with served(Hasty) as (port, _server):
        yield port


def connect(port: int, sent: bytes = b"") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
    made.sendall(sent)
    return made


def answered(port: int) -> bool:
    with connect(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as made:
        return b"200 OK" in made.recv(4096)


def ends(made: socket.socket, trickle: bytes = b"") -> bool:
    """Whether a connection is ended although a byte is sent now and then."""
    made.settimeout(0.05)
    for _turn in range(_TIMEOUT_S * 20):
        try:
            if trickle:
                made.sendall(trickle)
            if made.recv(65536) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n",
    ],
)
def test_a_byte_now_and_then_keeps_no_connection(port: int, sent: bytes) -> None:
    with connect(port, sent) as slow:
        assert ends(slow, b"x")
    assert answered(port)


def test_who_never_reads_is_given_up() -> None:
    with served(Hasty) as (port, server), connect(port, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n") as deaf:
        assert deaf.recv(12) == b"HTTP/1.1 200"
        end = time.monotonic() + _TIMEOUT_S
        while server.server_state.connections and time.monotonic() < end:
            time.sleep(0.02)
        assert not server.server_state.connections


def test_who_takes_an_answer_slowly_gets_all_of_it(port: int) -> None:
    taken = 0
    with connect(port, b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as slow:
        while part := slow.recv(1 << 16):
            taken += len(part)
    assert taken > _LARGE


def test_the_one_that_waits_longest_makes_room(port: int) -> None:
    class Crowded(Hasty):
        limits_s: ClassVar[Mapping[Waits, float]] = {"request": 600, "body": 600, "reading": 600}

    with served(Crowded) as (crowded, server):
        slow = [connect(crowded, b"GET / HTTP/1.1\r\n") for _number in range(Crowded.most)]
        assert all(answered(crowded) for _turn in range(Crowded.most * 2))
        assert ends(slow[0])
        assert len(server.server_state.connections) <= Crowded.most
        for one in slow:
            one.close()
