"""`holdfast repo cat`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import snapshot_filter
from holdfast.cli.repo.names import find_name, whole_id
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import Phrase, UsageError

if TYPE_CHECKING:
    from holdfast.model.key import MasterKey
    from holdfast.repository.repository import Repository

_KINDS = ["masterkey", "config", "pack", "blob", "snapshot", "index", "key", "lock", "tree"]


@repo_command("cat", help="Print one object of the repository.")
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("name", required=False, metavar="[ID]")
@click.pass_obj
def command(session: RepoSession, kind: str, name: str | None) -> None:
    """Prints an object."""
    if kind in ("masterkey", "config"):
        if name:
            raise UsageError(detail=Phrase("there is only one {kind}; give no id", {"kind": kind}))
    elif not name:
        raise UsageError(detail=Phrase("give the id of the {kind}", {"kind": kind}))
    if kind in ("blob", "tree"):
        _print_blob(session, kind, name or "")
        return
    repository = session.open()
    if kind == "lock":
        session.printer.raw(_document(repository, kind, name or ""))
        return
    with session.reading_lock(repository):
        session.printer.raw(_document(repository, kind, name or ""))


def _document(repository: Repository, kind: str, name: str) -> bytes:
    from holdfast.protocols import CONFIG_HANDLE, FileKind, Handle

    if kind == "masterkey":
        return _indented(_master_key_document(repository.master))
    if kind == "config":
        stored = repository.backend.load(CONFIG_HANDLE)
        return _indented(json.loads(bytes(repository.sealer().open(stored, CONFIG_HANDLE))))
    if kind == "pack":
        handle = Handle(FileKind.PACK, find_name(repository, FileKind.PACK, name).hex())
        return repository.backend.load(handle)
    if kind == "key":
        handle = Handle(FileKind.KEY, find_name(repository, FileKind.KEY, name).hex())
        return _indented(json.loads(repository.backend.load(handle)))
    if kind == "snapshot":
        return _indented(json.loads(repository.load_unpacked(FileKind.SNAPSHOT, _snapshot_id(repository, name))))
    folder = FileKind.INDEX if kind == "index" else FileKind.LOCK
    return _indented(json.loads(repository.load_unpacked(folder, find_name(repository, folder, name))))


def _snapshot_id(repository: Repository, text: str) -> bytes:
    from holdfast.repository.resolve import resolve_snapshot

    snapshot = resolve_snapshot(repository, text, snapshot_filter((), (), ()))
    assert snapshot.id is not None
    return snapshot.id


def _master_key_document(master: MasterKey) -> dict[str, object]:
    from base64 import b64encode

    mac = {"k": b64encode(master.mac_k).decode(), "r": b64encode(master.mac_r).decode()}
    return {"mac": mac, "encrypt": b64encode(master.encrypt).decode()}


def _indented(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=2).encode("utf-8", "surrogatepass") + b"\n"


def _print_blob(session: RepoSession, kind: str, name: str) -> None:
    from holdfast.errors import NameNotFound
    from holdfast.model.blob import BlobType
    from holdfast.repository.resolve import resolve_directory

    with session.reading() as reader:
        if kind == "tree":
            place = resolve_directory(reader, name, snapshot_filter((), (), ()))
            session.printer.raw(reader.load_blob(BlobType.TREE, place.tree))
            return
        blob_id = whole_id(kind, name)
        for blob_type in (BlobType.DATA, BlobType.TREE):
            if reader.index.contains(blob_type, blob_id):
                session.printer.raw(reader.load_blob(blob_type, blob_id))
                return
        raise NameNotFound(kind=kind, wanted=name, reason="it is in no index file")
