"""Sends a body that is ready, compressed for those who take that, and not at all to those who have it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from holdfast.server.listing import Document

UNCHANGED: dict[str, Any] = {"description": "It is the list of this `ETag` still, as `If-None-Match` asks."}


class Ready(Response):
    """An answer in pieces, so that a client who reads slowly holds one piece in our memory, and not all of them."""

    media_type = "application/json"

    def __init__(self, document: Document, request: Request, language: str = "") -> None:
        headers = {"ETag": document.etag, "Vary": "Accept-Language, Accept-Encoding"}
        if language:
            headers["Content-Language"] = language
        self._pieces: tuple[bytes, ...] = ()
        if _has(request.headers.get("if-none-match", ""), document.etag):
            super().__init__(status_code=304, headers=headers)
            return
        packs = takes_gzip(request.headers.get("accept-encoding", ""))
        self._pieces = document.packed if packs else document.plain
        if packs:
            headers["Content-Encoding"] = "gzip"
        super().__init__(headers={**headers, "Content-Length": str(sum(map(len, self._pieces)))})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as all answers
        """Sends it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def takes_gzip(accepted: str) -> bool:
    """Whether a client takes answers compressed by gzip.

    Args:
        accepted: the header `Accept-Encoding`, or empty.
    """
    for item in accepted[:512].lower().split(","):
        name, _semicolon, quality = item.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _has(asked: str, etag: str) -> bool:
    """Whether a client says that it has this. `*` is no such word: nobody keeps a list without knowing which."""
    return etag in (one.strip() for one in asked[:1024].split(","))
