"""`holdfast repo list`."""

from __future__ import annotations

from collections.abc import Iterable

import click

from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.session import RepoSession

_FOLDERS = {"packs": "data", "snapshots": "snapshots", "index": "index", "keys": "keys", "locks": "locks"}


@repo_command("list", help="List objects of one kind by name.")
@click.argument("kind", type=click.Choice([*_FOLDERS, "blobs"]))
@click.pass_obj
def command(session: RepoSession, kind: str) -> None:
    """Lists names."""
    if kind == "blobs":
        _list_blobs(session)
        return
    from holdfast.protocols import FileKind

    repository = session.open()
    if kind == "locks":
        # A lock of our own would be in the list.
        _print(session, repository.names(FileKind.LOCK))
        return
    with session.reading_lock(repository):
        _print(session, repository.names(FileKind(_FOLDERS[kind])))


def _print(session: RepoSession, names: Iterable[bytes]) -> None:
    for name in names:
        session.printer.document({"id": name.hex()})
        session.printer.line(name.hex())


def _list_blobs(session: RepoSession) -> None:
    from holdfast.model.blob import BlobType

    with session.reading() as reader:
        for kind in (BlobType.DATA, BlobType.TREE):
            for blob_id in reader.index.ids(kind):
                session.printer.document({"type": kind.label, "id": blob_id.hex()})
                session.printer.line(f"{kind.label} {blob_id.hex()}")
