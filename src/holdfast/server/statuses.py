"""Statuses of answers, as the description of the interface names them."""

from __future__ import annotations

from typing import Any

from holdfast.server.admin_models import Envelope, Failure, StartedRun

_SAYS = {
    401: "No valid token.",
    403: "The token is not good for this.",
    404: "There is no such thing.",
    409: "Not now, or not this one: another run is at work, or it is held, needed or the last good one.",
    413: "The request is too large.",
    416: "That part of the file cannot be sent.",
    421: "The server does not answer for this host.",
    422: "Something in the request is not valid.",
    429: "Too many wrong tokens from this address.",
    500: "It was tried and failed, or something is missing in what was made.",
    503: "Something that it takes cannot be reached, or it was cancelled.",
    507: "There is not enough space.",
}
_ALWAYS = (413, 421, 429, 500)


def documented(*statuses: int, accepted: bool = False) -> dict[int | str, dict[str, Any]]:
    """The answers of a route besides that of success, for the description of the interface.

    Args:
        accepted: whether it can answer before it is done.
    """
    known: dict[int | str, dict[str, Any]] = {
        status: {"model": Failure, "description": _SAYS[status]} for status in sorted({*statuses, *_ALWAYS})
    }
    if accepted:
        known[202] = {"model": Envelope[StartedRun], "description": "It was begun; see the run."}
    return known
