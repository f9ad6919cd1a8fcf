"""The application for any ASGI server: `uvicorn app.main:app`. It needs nothing but Python."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from app import database

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
    """Answers `GET /health`, `GET /totals`, `GET /portraits/{link}` and the files below `GET /storage/`."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    path: str = scope["path"]
    if scope["method"] != "GET":
        await _answer(send, 405, {"detail": "Method Not Allowed"})
    elif path == "/health":
        await _answer(send, 200, {"status": "ok"})
    elif path == "/totals":
        with database.connect() as connection:
            await _answer(send, 200, database.totals(connection))
    elif path.startswith("/portraits/"):
        with database.connect() as connection:
            found = database.portrait(connection, path.removeprefix("/portraits/"))
        await _answer(send, 404 if found is None else 200, found or {"detail": "Not Found"})
    elif path.startswith("/storage/"):
        await _send_file(send, path.removeprefix("/"))
    else:
        await _answer(send, 404, {"detail": "Not Found"})


async def _live(receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _send_file(send: Send, name: str) -> None:
    file = (database.ROOT / name).resolve()
    if not file.is_relative_to(database.ROOT / "storage") or not file.is_file():
        await _answer(send, 404, {"detail": "Not Found"})
        return
    await _respond(send, 200, "application/octet-stream", file.read_bytes())


async def _answer(send: Send, status: int, document: object) -> None:
    await _respond(send, status, "application/json", json.dumps(document, ensure_ascii=False).encode())


async def _respond(send: Send, status: int, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
