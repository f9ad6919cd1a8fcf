"""Runs a server until it is told to stop: the REST interface, the scheduler, the courier and the mirror."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator

import msgspec
import uvicorn

from holdfast.errors import BindRefused, PortUnavailable
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.own_process import allow_open_files, keep_private
from holdfast.runtime.unforeseen import named
from holdfast.server.application import create_server
from holdfast.server.connections import PatientProtocol
from holdfast.server.opening import Deployment
from holdfast.server.setup import SetupSecret

LOGGER = logging.getLogger("holdfast")
GRACE_S = 30.0
_FIRST_LIST_S = 5.0
_PAUSE_S = 20.0
# A run that was cancelled has so long to end in order, and a thread that hangs.
_ENDING_S = 60.0
_HANGING_S = 5.0
# More than are kept open; see `connections`.
_CONNECTIONS = 512
_OPEN_FILES = 8192
# A thread that computes, as backups do, lets others work after so long; else each answer waits for it many times.
_TURN_S = 0.001
_KEEP_ALIVE_S = 10
_HEADER_BYTES = 32 * 1024


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens. `insecure` lets it do so beyond this machine without TLS."""

    host: str
    port: int
    tls_cert: str | None = None
    tls_key: str | None = None
    insecure: bool = False

    def check(self) -> None:
        """Refuses what would send tokens over a network unencrypted.

        Raises:
            BindRefused: it would.
        """
        if not (self.tls_cert or self.insecure or _is_loopback(self.host)):
            raise BindRefused(host=self.host)

    def opened(self) -> socket.socket:
        """A socket that listens there.

        Raises:
            PortUnavailable: it cannot.
        """
        try:
            family, kind, protocol, _name, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            made = socket.socket(family, kind, protocol)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
        except OSError as error:
            raise PortUnavailable(host=self.host, port=self.port, reason=error.strerror or str(error)) from error
        made.listen(_CONNECTIONS)
        return made

    def address(self, made: socket.socket) -> str:
        """The URL of a socket."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{made.getsockname()[1]}"


def serve(
    deployment: Deployment,
    listening: Listening,
    *,
    schedule: bool,
    cancel: CancelToken,
    told: Callable[[str, str], None],
    grace_s: float = GRACE_S,
) -> None:
    """Serves until cancelled; then ends what goes on in order.

    Args:
        grace_s: how long what runs has to end by itself.
        told: hears where it listens, and the set-up secret if there is no token yet, once it listens.

    Raises:
        PortUnavailable: it cannot listen there.
    """
    keep_private()
    allow_open_files(_OPEN_FILES)
    made = listening.opened()
    first = deployment.catalog.tokens.count_valid(deployment.service.now()) == 0
    setup = SetupSecret() if first else None
    app = create_server(deployment.site, deployment.settings, setup)
    server = _Server(uvicorn_settings(app, listening))
    threads = _threads(deployment, cancel, grace_s, schedule=schedule)
    try:
        for thread in threads.values():
            thread.start()
        # What is known of targets that take longer is shown meanwhile; one that hangs keeps nobody from serving.
        deployment.service.mirror.wait_listed(_FIRST_LIST_S, cancel)
        prepare(deployment)
        told(listening.address(made), setup.shown if setup else "")
        ended = (cancel, server, deployment, threads, grace_s)
        ending = threading.Thread(target=_end_with, args=ended, name="ending", daemon=True)
        ending.start()
        asyncio.run(server.serve(sockets=[made]))
        ending.join(grace_s + 2 * _ENDING_S)
    finally:
        cancel.cancel()
        for thread in threads.values():
            thread.join(_HANGING_S)
        made.close()


def prepare(deployment: Deployment) -> None:
    """Makes this process answer quickly while backups run in it."""
    sys.setswitchinterval(_TURN_S)
    deployment.site.lists.warm()
    # What is there now stays: looking for garbage among it again and again would stop all answers meanwhile.
    gc.freeze()


def uvicorn_settings(app: object, listening: Listening) -> uvicorn.Config:
    """How an application is served."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        ssl_certfile=listening.tls_cert,
        ssl_keyfile=listening.tls_key,
        proxy_headers=False,
        server_header=False,
        log_config=None,
        access_log=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        # A little longer than runs have: whoever waits for one hears that it was cancelled.
        timeout_graceful_shutdown=int(GRACE_S) + 10,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        http=PatientProtocol,
        ws="none",
        lifespan="off",
    )


class _Server(uvicorn.Server):
    """A server that leaves signals to us: the first asks everything to end, and a second one ends it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Installs no handlers."""
        yield


def _end_with(
    cancel: CancelToken,
    server: uvicorn.Server,
    deployment: Deployment,
    threads: dict[str, threading.Thread],
    grace_s: float,
) -> None:
    """Ends in order once it is told to: nothing new begins, and what runs has its time to end.

    INVARIANT: the scheduler ends its own run first, because it alone writes down that the run is to be repeated.
    """
    while not cancel.wait(3600):
        pass
    server.should_exit = True
    began = time.monotonic()
    if "scheduler" in threads:
        threads["scheduler"].join(grace_s + _ENDING_S)
    deployment.service.close(max(0.0, grace_s - (time.monotonic() - began)))


def _threads(
    deployment: Deployment, cancel: CancelToken, grace_s: float, *, schedule: bool
) -> dict[str, threading.Thread]:
    works: dict[str, Callable[[], object]] = {
        "courier": lambda: deployment.courier.work(cancel),
        "reporter": lambda: deployment.reporter.serve(cancel),
        "mirror": lambda: deployment.service.mirror.serve(cancel),
    }
    if schedule:
        works["scheduler"] = lambda: deployment.scheduler.serve(cancel, grace_s=grace_s)
    else:
        works["watch"] = lambda: deployment.scheduler.watch(cancel)
    # Daemons: one that hangs on a target that is away must not keep the process alive for ever.
    return {
        name: threading.Thread(target=kept_going, args=(name, work, cancel), name=name, daemon=True)
        for name, work in works.items()
    }


def kept_going(name: str, work: Callable[[], object], cancel: CancelToken, *, pause_s: float = _PAUSE_S) -> None:
    """Works until it is told to stop, and begins anew after an error that nobody foresaw.

    SAFETY: a server whose scheduler has died looks well and backs nothing up.
    """
    while not cancel.cancelled:
        try:
            work()
        except Exception as problem:
            LOGGER.exception("%s ended unexpectedly (%s) and is begun anew", name, named(problem).code)
        cancel.wait(pause_s)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
