"""What a REST server may do, by scripted answers; the real servers are in the conformance tests."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator

import pytest

from holdfast.backends.options import BackendOptions
from holdfast.backends.registry import open_backend
from holdfast.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    HoldfastError,
    ObjectExists,
    ObjectNotFound,
    OutOfSpace,
    ShortRead,
)
from holdfast.protocols import CONFIG_HANDLE, Backend, FileKind, Handle, StoredObject
from holdfast.testing import servers
from holdfast.testing.backend_suite import handle_for, listed, store
from holdfast.testing.scripted_server import Answer, ScriptedServer, always

HANDLE = Handle(FileKind.PACK, "0a" * 32)
V2 = "application/vnd.x.restic.rest.v2"


@pytest.fixture
def backend(script: ScriptedServer) -> Iterator[Backend]:
    url = script.url.replace("://", "://somebody:sesame@")
    opened = open_backend(f"rest:{url}repo", options=BackendOptions(retry_deadline_s=0))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("status", "expected", "transient"),
    [
        (400, BackendError, False),
        (401, AccessDenied, False),
        (403, AccessDenied, False),
        (404, ObjectNotFound, False),
        (408, BackendUnavailable, True),
        (416, ShortRead, True),
        (429, BackendUnavailable, True),
        (500, BackendUnavailable, True),
        (501, BackendError, False),
        (502, BackendUnavailable, True),
        (503, BackendUnavailable, True),
        (507, OutOfSpace, False),
        (302, BackendError, False),
    ],
)
def test_statuses(
    backend: Backend, script: ScriptedServer, status: int, expected: type[HoldfastError], transient: bool
) -> None:
    script.answer = always(status)
    with pytest.raises(BackendError) as caught:
        backend.load(HANDLE)
    assert type(caught.value) is expected
    assert caught.value.transient is transient
    assert "sesame" not in str(caught.value)


def test_every_request_asks_for_version_2_and_carries_the_login(backend: Backend, script: ScriptedServer) -> None:
    script.answer = always(200, {"Content-Type": V2}, b"[]")
    backend.create()
    backend.save(HANDLE, [b"x"])
    listed(backend, FileKind.PACK)
    backend.size(HANDLE)
    backend.load(HANDLE)
    backend.remove(HANDLE)
    assert [f"{method} {path}" for method, path, _ in script.asked] == [
        "POST /repo/?create=true",
        f"POST /repo/data/{HANDLE.name}",
        "GET /repo/data/",
        f"HEAD /repo/data/{HANDLE.name}",
        f"GET /repo/data/{HANDLE.name}",
        f"DELETE /repo/data/{HANDLE.name}",
    ]
    assert {headers["Accept"] for _, _, headers in script.asked} == {V2}
    assert all(headers["Authorization"].startswith("Basic ") for _, _, headers in script.asked)


def test_a_redirection_is_not_followed(backend: Backend, script: ScriptedServer) -> None:
    script.answer = always(307, {"Location": script.url + "elsewhere"})
    with pytest.raises(BackendError, match="redirects elsewhere"):
        backend.load(HANDLE)
    assert len(script.asked) == 1


def test_an_old_server_tells_names_and_is_asked_for_sizes(backend: Backend, script: ScriptedServer) -> None:
    names = ["0a" * 32, "0b" * 32, "not-a-name"]

    def answer(method: str, path: str) -> Answer:
        if path.endswith("/data/"):
            return 200, {"Content-Type": "application/vnd.x.restic.rest.v1"}, json.dumps(names).encode()
        return (200, {}, b"12345") if names[0] in path else (404, {}, b"")

    script.answer = answer
    assert listed(backend, FileKind.PACK) == [StoredObject(names[0], 5)]


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":1}', b'[{"name":1,"size":2}]', b'[{"name":"x","size":-1}', b"\xff"])
def test_a_listing_that_is_none(backend: Backend, script: ScriptedServer, body: bytes) -> None:
    script.answer = always(200, {"Content-Type": V2}, body)
    with pytest.raises(BackendError, match="listing cannot be read"):
        listed(backend, FileKind.PACK)


def test_a_missing_folder_is_an_empty_listing(backend: Backend) -> None:
    assert listed(backend, FileKind.PACK) == []


def test_a_range_answered_with_everything_is_cut_out(backend: Backend, script: ScriptedServer) -> None:
    script.answer = always(200, {}, b"0123456789")
    assert backend.load(HANDLE, 3, 4) == b"3456"


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (206, {"Content-Range": "bytes 0-3/10"}, b"0123", BackendUnavailable),
        (206, {"Content-Range": "bytes 3-5/6"}, b"345", ShortRead),
        (206, {"Content-Range": "bytes 3-9/10"}, b"3456789", BackendError),
        (206, {"Content-Length": "4"}, b"34", BackendUnavailable),
        (200, {"Content-Length": "100"}, b"0123456", BackendUnavailable),
    ],
)
def test_wrong_answers_to_a_range(
    backend: Backend,
    script: ScriptedServer,
    status: int,
    headers: dict[str, str],
    body: bytes,
    expected: type[BackendError],
) -> None:
    script.answer = always(status, headers, body)
    with pytest.raises(BackendError) as caught:
        backend.load(HANDLE, 3, 4)
    assert type(caught.value) is expected


def test_a_pause_that_the_server_names_is_passed_on(backend: Backend, script: ScriptedServer) -> None:
    script.answer = always(503, {"Retry-After": "7"})
    with pytest.raises(BackendUnavailable) as caught:
        backend.load(HANDLE)
    assert caught.value.context["retry_after_s"] == 7


def test_no_server_at_all_is_a_passing_failure(script: ScriptedServer) -> None:
    backend = open_backend(f"rest:http://127.0.0.1:{servers.free_port()}/", options=BackendOptions(retry_deadline_s=0))
    with pytest.raises(BackendUnavailable):
        backend.load(HANDLE)
    backend.close()


def test_a_server_that_only_lets_add() -> None:
    with servers.rclone_rest(append_only=True, user="somebody", password="hard:to/gu@ss") as server:
        environment = {"RESTIC_REST_USERNAME": "somebody", "RESTIC_REST_PASSWORD": "hard:to/gu@ss"}
        options = BackendOptions(retry_deadline_s=0, environment=environment)
        backend = open_backend(server.url("repo"), options=options)
        backend.create()
        backend.save(CONFIG_HANDLE, [b"config"])
        with pytest.raises(ObjectExists):
            backend.save(CONFIG_HANDLE, [b"config"])
        handle = store(backend, b"content")
        store(backend, b"content")
        with pytest.raises(ObjectExists):
            backend.save(handle, [b"other bytes"])
        with pytest.raises(AccessDenied):
            backend.remove(handle)
        lock = store(backend, b"lock", FileKind.LOCK)
        backend.remove(lock)
        assert backend.load(handle) == b"content"
        backend.close()

        stranger = open_backend(server.url("repo"), options=BackendOptions(retry_deadline_s=0, environment={}))
        with pytest.raises(AccessDenied, match="401"):
            stranger.load(handle)
        stranger.close()


def test_a_socket_of_this_machine(tmp_path_factory: pytest.TempPathFactory, script: ScriptedServer) -> None:
    folder = tmp_path_factory.mktemp("s")
    path = os.path.join(folder, "r.sock")
    server = _Relay(path, script.port)
    backend = open_backend(f"rest:http+unix://{path}:/repo/", options=BackendOptions(retry_deadline_s=0))
    script.answer = always(200, {}, b"through a socket")
    assert backend.load(handle_for(b"through a socket")) == b"through a socket"
    assert script.asked[0][1].startswith("/repo/data/")
    backend.close()
    server.stop()


class _Relay:
    """Passes one connection from a socket in the file system on to a TCP port."""

    def __init__(self, path: str, port: int) -> None:
        import socket

        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.port = port
        self.thread = threading.Thread(target=self.relay)
        self.thread.start()

    def relay(self) -> None:
        import socket

        near, _ = self.listener.accept()
        with near, socket.create_connection(("127.0.0.1", self.port)) as far:
            back = threading.Thread(target=self.copy, args=(far, near))
            back.start()
            self.copy(near, far)
            far.shutdown(socket.SHUT_WR)
            back.join()

    def copy(self, source: object, target: object) -> None:
        while part := source.recv(65536):  # type: ignore[attr-defined]
            target.sendall(part)  # type: ignore[attr-defined]

    def stop(self) -> None:
        self.thread.join()
        self.listener.close()
