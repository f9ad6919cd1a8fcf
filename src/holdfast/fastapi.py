"""The routes `/backups/…` for a FastAPI application of your own.

    from fastapi import FastAPI
    from holdfast.fastapi import router

    app = FastAPI()
    app.include_router(router, tags=["backups"])

The application is described by the `holdfast.toml` that is found as always, when the first request comes; its tokens
are made with `holdfast token create`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter

from holdfast.server.backups import backups_router
from holdfast.server.opening import open_site
from holdfast.server.site import Site

__all__ = ["create_router", "router"]


class _Later:
    """The application of a configuration, opened when it is first asked for."""

    def __init__(self, config: Path | None, environ: Mapping[str, str], cwd: Path | None) -> None:
        self._config = config
        self._environ = environ
        self._cwd = cwd
        self._lock = threading.Lock()
        self._site: Site | None = None

    def __call__(self) -> Site:
        with self._lock:
            if self._site is None:
                self._site = open_site(self._config, self._environ, self._cwd or Path.cwd())
            return self._site


def create_router(config: Path | None = None) -> APIRouter:
    """A router for the application of a configuration.

    Args:
        config: its `holdfast.toml`; None looks for it in the working directory and above, when the first request comes.
    """
    return backups_router(_Later(config, os.environ, None))


router = create_router()
