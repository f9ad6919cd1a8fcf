"""Routes that answer in the one shape, also when what they call or what they are asked is wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from holdfast.errors import HoldfastError, InternalError, RequestInvalid
from holdfast.runtime.unforeseen import named
from holdfast.server.complaints import complaint
from holdfast.server.replies import failure, language_of

LOGGER = logging.getLogger("holdfast")
_REASON_CHARACTERS = 200


class EnvelopeRoute(APIRoute):
    """A route whose errors are answers. Works in any FastAPI application, without handlers of its own there."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the library, with errors turned into answers."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except HoldfastError as error:
                return failure(error, language_of(request))
            except RequestValidationError as problem:
                return failure(invalid(problem), language_of(request))
            except HTTPException as problem:
                return failure(_cause_of(problem), language_of(request))
            except Exception as problem:
                LOGGER.exception("%s %s ended unexpectedly", request.method, self.path)
                known = named(problem)
                if isinstance(known, InternalError):
                    # What went wrong inside is for whoever runs the server, not for whoever asks it.
                    known = InternalError(kind=type(problem).__name__, reason="see the log of the server")
                return failure(known, language_of(request))

        return handled


def _cause_of(problem: HTTPException) -> HoldfastError:
    """What the library met while it read a body: an error of ours, or something that is no JSON."""
    cause = problem.__cause__
    return cause if isinstance(cause, HoldfastError) else RequestInvalid(field="body", reason=str(problem.detail))


def invalid(problem: RequestValidationError) -> RequestInvalid:
    """The first thing that is wrong with a request, without what it said: that may be a secret."""
    first = problem.errors()[0]
    at = ".".join(str(part) for part in first["loc"][1:] if isinstance(part, str | int)) or str(first["loc"][0])
    reason = complaint(str(first["type"]), first.get("ctx", {}), str(first["msg"])[:_REASON_CHARACTERS])
    return RequestInvalid(field=at[:_REASON_CHARACTERS], reason=reason)
