"""`holdfast repo key list`, `add`, `remove` and `passwd`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli import values
from holdfast.cli.repo import passwords
from holdfast.cli.repo.command import repo_command, repo_group
from holdfast.cli.repo.names import find_name
from holdfast.cli.repo.session import RepoSession
from holdfast.cli.text import _

if TYPE_CHECKING:
    from holdfast.repository.keys import KeyInfo


@repo_group("key", help="List, add and remove keys, and change the password.")
def command() -> None:
    """Each key is a file that opens the repository with a password of its own."""


def _new_key_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--host", metavar="NAME", help="Host name to record instead of this machine's."),
        click.option("--user", metavar="NAME", help="User name to record instead of yours."),
        click.option(
            "--new-insecure-no-password", is_flag=True, help="Make a key with an empty password: everybody may read."
        ),
        click.option("--new-password-file", metavar="FILE", help="File to read the new password from."),
    ):
        function = option(function)
    return function


@repo_command("list", help="List the keys.")
@click.pass_obj
def list_command(session: RepoSession) -> None:
    """Lists keys."""
    from holdfast.repository.keys import list_keys

    repository = session.open()
    with session.reading_lock(repository):
        keys = list_keys(repository)
    session.printer.document([_document(key) for key in keys])
    rows = [
        [
            ("*" if key.current else " ") + key.id.hex()[:8],
            values.name(key.username),
            values.name(key.hostname),
            values.moment(key.created) if key.created is not None else "",
            values.name(key.problem),
        ]
        for key in keys
    ]
    header = [" " + _("ID"), _("User"), _("Host"), _("Created"), _("Problem")]
    if not any(key.problem for key in keys):
        header, rows = header[:4], [row[:4] for row in rows]
    session.printer.table(header, rows)


def _document(key: KeyInfo) -> dict[str, object]:
    document: dict[str, object] = {
        "current": key.current,
        "id": key.id.hex(),
        "userName": key.username,
        "hostName": key.hostname,
        "created": values.moment(key.created) if key.created is not None else "",
    }
    return {**document, "problem": key.problem} if key.problem else document


@repo_command("add", help="Let another password open the repository.")
@_new_key_options
@click.pass_obj
def add_command(
    session: RepoSession,
    new_password_file: str | None,
    new_insecure_no_password: bool,
    user: str | None,
    host: str | None,
) -> None:
    """Adds a key."""
    from holdfast.repository.keys import add_key

    repository = session.open()
    with session.lock(repository):
        password = passwords.replacement(
            new_password_file or "", no_password=new_insecure_no_password, printer=session.printer
        )
        new = add_key(repository, password.reveal(), username=user, hostname=host)
    session.printer.message("added", id=new.hex())
    session.printer.note("Saved new key {key}.", key=new.hex()[:8])


@repo_command("remove", help="Remove a key; its password opens the repository no longer.")
@click.argument("key", metavar="ID")
@click.pass_obj
def remove_command(session: RepoSession, key: str) -> None:
    """Removes a key."""
    from holdfast.protocols import FileKind
    from holdfast.repository.keys import remove_key

    repository = session.open()
    with session.lock(repository, exclusive=True):
        name = find_name(repository, FileKind.KEY, key)
        session.printer.detail(1, "Removing key {key}.", key=name.hex()[:8])
        remove_key(repository, name)
    session.printer.message("removed", id=name.hex())
    session.printer.note("Removed key {key}.", key=name.hex()[:8])


@repo_command("passwd", help="Change the password: add a key and remove the one in use.")
@_new_key_options
@click.pass_obj
def passwd_command(
    session: RepoSession,
    new_password_file: str | None,
    new_insecure_no_password: bool,
    user: str | None,
    host: str | None,
) -> None:
    """Changes the password."""
    from holdfast.repository.keys import change_password

    repository = session.open()
    with session.lock(repository, exclusive=True):
        old = repository.key_id
        password = passwords.replacement(
            new_password_file or "", no_password=new_insecure_no_password, printer=session.printer
        )
        new = change_password(repository, password.reveal(), username=user, hostname=host)
    session.printer.message("changed", id=new.hex(), removed_id=old.hex())
    session.printer.note("Saved new key {key} and removed {old}.", key=new.hex()[:8], old=old.hex()[:8])


for _sub_command in (list_command, add_command, remove_command, passwd_command):
    command.add_command(_sub_command)
