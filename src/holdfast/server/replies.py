"""The one shape of all answers, in the language of whoever asks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from holdfast import errors
from holdfast.errors import HoldfastError
from holdfast.runtime.translation import LANGUAGES, render, translate_error

LANGUAGE_KEY = "holdfast.language"
_ITEM = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]{1,32})?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*\Z")

# The first class that fits decides; what is not here is a failure of ours or of the machine.
_STATUSES: tuple[tuple[type[HoldfastError], int], ...] = (
    (errors.NotAuthenticated, 401),
    (errors.ScopeMissing, 403),
    (errors.SetupRefused, 403),
    (errors.TooManyRequests, 429),
    (errors.HostRefused, 421),
    (errors.RequestTooLarge, 413),
    (errors.RangeRefused, 416),
    (errors.RouteNotFound, 404),
    (errors.RunNotFound, 404),
    (errors.BackupNotFound, 404),
    (errors.ComponentNotFound, 404),
    (errors.NoBase, 409),
    (errors.AppBusy, 409),
    (errors.BackupHeld, 409),
    (errors.LastGoodBackup, 409),
    (errors.StillNeeded, 409),
    (errors.RetentionRefused, 409),
    (errors.DestinationBusy, 409),
    (errors.RestoreRefused, 409),
    (errors.NotEnoughSpace, 507),
    (errors.RestoreNeedsSpace, 507),
    (errors.OutOfSpace, 507),
    (errors.DatabaseUnavailable, 503),
    (errors.BackendUnavailable, 503),
    (errors.Interrupted, 503),
    (errors.CatalogUnavailable, 503),
    # Whoever asks cannot mend the configuration.
    (errors.ConfigInvalid, 500),
    (errors.ConfigNotFound, 500),
    (errors.ConfigUnreadable, 500),
    (errors.UsageError, 422),
    (errors.RequestError, 422),
)


def status_of(error: HoldfastError) -> int:
    """The HTTP status that tells of an error."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def chosen_language(accepted: str, default: str) -> str:
    """The language of an answer.

    Args:
        accepted: the header `Accept-Language`, or empty.
        default: where it names none that there is.
    """
    wanted: list[tuple[float, str]] = []
    for item in accepted[:512].split(","):
        found = _ITEM.match(item)
        if found is not None and found[1].lower() in LANGUAGES:
            wanted.append((float(found[2] or 1), found[1].lower()))
    best = max(wanted, key=lambda one: one[0], default=(0.0, default))
    return best[1] if best[0] > 0 else default


def language_of(request: HTTPConnection) -> str:
    """The language that was chosen for a request; English where nobody chose."""
    default = str(request.scope.get(LANGUAGE_KEY, "en"))
    return chosen_language(request.headers.get("accept-language", ""), default)


def success(
    request: HTTPConnection,
    message: str,
    data: object,
    *,
    values: Mapping[str, object] | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An answer to a request that was carried out.

    Args:
        message: an English literal; see `holdfast.runtime.translation`.
        values: for its placeholders.
    """
    language = language_of(request)
    body = {"success": True, "message": render(message, values or {}, language), "data": data}
    return JSONResponse(body, status, _headers(language, headers))


def failure(error: HoldfastError, language: str, data: Mapping[str, object] | None = None) -> JSONResponse:
    """An answer to a request that was not, or not completely, carried out.

    Args:
        data: what there is all the same, such as the id of a backup that lacks something.
    """
    message, hint = translate_error(error, language)
    body: dict[str, Any] = {"success": False, "message": message, "error": {"code": error.code, "hint": hint}}
    if data is not None:
        body["data"] = data
    extra: dict[str, str] = {}
    if isinstance(error, errors.NotAuthenticated):
        extra["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.TooManyRequests):
        extra["Retry-After"] = str(error.context.get("seconds", 60))
    return JSONResponse(body, status_of(error), _headers(language, extra))


def _headers(language: str, more: Mapping[str, str] | None) -> dict[str, str]:
    return {"Content-Language": language, "Vary": "Accept-Language", **(more or {})}
