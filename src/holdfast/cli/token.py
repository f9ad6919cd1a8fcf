"""`holdfast token …`: who may talk to the server."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from holdfast.cli.app_options import APP
from holdfast.cli.app_output import moment
from holdfast.cli.app_session import AppSession, app_command, pass_session
from holdfast.cli.commands import GLOBAL, Group
from holdfast.cli.output import count
from holdfast.cli.text import _
from holdfast.cli.values import name
from holdfast.errors import InvalidTime, UnknownName

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.model.access import Token

SCOPES = ("read", "backup", "restore", "admin")


@click.group("token", cls=Group, sections=[APP, GLOBAL], help="Say who may talk to the server.")
def token() -> None:
    """Shared options have been applied already."""


@app_command("create", help="Make a token and print it, once.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="What it is good for; repeatable. Each includes read, and admin includes all.",
)
@click.option("--name", "called", metavar="TEXT", default="", help="What people call it.")
@click.option("--expires", metavar="DURATION", help="How long it is good, such as 90d; by default until it is revoked.")
@pass_session
def create(session: AppSession, scopes: tuple[str, ...], called: str, expires: str | None) -> None:
    """Prints the secret alone, so that it can be put into a variable or a file."""
    from holdfast.app.catalog_of import open_app_catalog
    from holdfast.model.access import Scope
    from holdfast.runtime.host import local_actor

    app = session.app()
    now = app.context.now()
    until = None if expires is None else _end(now, expires)
    with open_app_catalog(app) as catalog:
        made, secret = catalog.tokens.create(called, [Scope(scope) for scope in scopes], expires_at=until, at=now)
        detail = {"name": called, "scopes": ",".join(made.scopes)}
        catalog.audit.append(now, local_actor(), "token.create", subject=made.token_id, detail=detail)
    session.printer.document({"token": secret, **_document(made, now)})
    session.printer.line(secret)


@app_command("list", help="List tokens, the oldest first. Their secrets are kept nowhere.")
@pass_session
def list_tokens(session: AppSession) -> None:
    """Prints all tokens, revoked and expired ones too."""
    from holdfast.app.catalog_of import open_app_catalog

    app, printer = session.app(), session.printer
    now = app.context.now()
    with open_app_catalog(app) as catalog:
        found = catalog.tokens.list()
    printer.document({"tokens": [_document(one, now) for one in found]})
    rows = [
        [
            one.token_id,
            name(one.name),
            ", ".join(one.scopes),
            moment(one.created_at, app.zone),
            moment(one.expires_at, app.zone),
            moment(one.last_used_at, app.zone),
            _("revoked") if one.revoked_at else _("valid") if one.valid_at(now) else _("expired"),
        ]
        for one in found
    ]
    printer.table([_("ID"), _("Name"), _("Scopes"), _("Created"), _("Expires"), _("Last used"), _("State")], rows)
    printer.line(count(len(found), "{count} token", "{count} tokens"))


@app_command("revoke", help="Make a token worthless at once.")
@click.argument("token_id", metavar="ID")
@pass_session
def revoke(session: AppSession, token_id: str) -> None:
    """Takes the id as `token list` shows it, or the token itself."""
    from holdfast.app.catalog_of import open_app_catalog
    from holdfast.runtime.host import local_actor

    app = session.app()
    now = app.context.now()
    # Whoever has found a token somewhere it should not be has the whole of it in hand.
    wanted = token_id[3:15] if token_id.startswith("hf_") else token_id
    with open_app_catalog(app) as catalog:
        known = {one.token_id: one for one in catalog.tokens.list()}
        if wanted not in known:
            standing = ", ".join(one.token_id for one in known.values() if one.valid_at(now)) or "none"
            raise UnknownName(what="token", name=wanted, known=standing)
        changed = catalog.tokens.revoke(wanted, now)
        if changed:
            catalog.audit.append(now, local_actor(), "token.revoke", subject=wanted)
    session.printer.document({"id": wanted, "revoked": True, "changed": changed})
    if changed:
        session.printer.note("Token {token} is revoked.", token=wanted)
    else:
        session.printer.note("Token {token} was revoked before.", token=wanted)


def _end(now: datetime, lasting: str) -> datetime:
    from holdfast.cli.moments import parse_seconds

    try:
        end = now + timedelta(seconds=parse_seconds(lasting))
    except OverflowError:
        raise InvalidTime(text=lasting) from None
    if end <= now:
        raise InvalidTime(text=lasting)
    return end


def _document(token: Token, now: datetime) -> dict[str, object]:
    return {
        "id": token.token_id,
        "name": token.name,
        "scopes": list(token.scopes),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
        "valid": token.valid_at(now),
    }


for _command in (create, list_tokens, revoke):
    token.add_command(_command)
