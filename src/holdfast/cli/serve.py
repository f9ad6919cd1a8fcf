"""`holdfast serve`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from holdfast.cli.app_session import AppSession, app_command, pass_session
from holdfast.errors import ExtraMissing


@app_command("serve", help="Serve the REST interface, run policies when due, tell people.")
@click.option("--host", metavar="ADDRESS", help="Listen there; by default as configured, 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen on this port; by default as configured, 8321.")
@click.option("--insecure-http", is_flag=True, help="Listen beyond this machine without TLS.")
@click.option("--no-schedule", is_flag=True, help="Run nothing by itself.")
@pass_session
def command(session: AppSession, host: str | None, port: int | None, insecure_http: bool, no_schedule: bool) -> None:
    """Serves until it is told to stop."""
    app = session.app()
    try:
        from holdfast.server.opening import Deployment
        from holdfast.server.serving import Listening, serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("holdfast"):
            raise
        raise ExtraMissing(what="holdfast serve", name=error.name or "", extra="server") from error

    server = app.config.server
    listening = Listening(
        host=host or server.host,
        port=server.port if port is None else port,
        tls_cert=None if server.tls_cert is None else str(app.config.resolve(server.tls_cert)),
        tls_key=None if server.tls_key is None else str(app.config.resolve(server.tls_key)),
        insecure=insecure_http,
    )
    listening.check()
    with Deployment(app.config.path, os.environ, Path.cwd(), session.options.environment) as deployment:
        serve(
            deployment,
            listening,
            schedule=server.schedule and not no_schedule,
            cancel=session.frame.cancel,
            told=lambda address, secret: _told(session, address, secret),
        )


def _told(session: AppSession, address: str, secret: str) -> None:
    session.printer.document({"message_type": "listening", "address": address})
    session.printer.note("Listening at {address}", address=address)
    if secret:
        # SAFETY: on the terminal alone, once: whoever reads a log must not become the first administrator.
        session.printer.note(
            "There is no token yet. For an hour this secret makes the first one, once, by POST /api/v1/setup: {secret}",
            secret=secret,
        )
    # Whoever started us waits for this line, and it may be a program behind a pipe.
    sys.stdout.flush()
