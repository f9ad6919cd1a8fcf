"""`holdfast repo dump`."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Literal

import click

from holdfast.cli.output import is_terminal
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import filter_options, snapshot_filter
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import RestoreError, UsageError

if TYPE_CHECKING:
    from holdfast.repository.reader import Reader
    from holdfast.repository.resolve import Resolved


@repo_command("dump", help="Print a file of a snapshot, or a folder as an archive.")
@click.argument("snapshot", metavar="ID[:PATH]")
@click.argument("file", metavar="FILE")
@click.option("-a", "--archive", type=click.Choice(["tar", "zip"]), default="tar", help="Form of archives of folders.")
@click.option("-t", "--target", metavar="FILE", help="Write to a file instead of standard output.")
@filter_options
@click.pass_obj
def command(
    session: RepoSession,
    snapshot: str,
    file: str,
    archive: Literal["tar", "zip"],
    target: str | None,
    host: Sequence[str],
    tag: Sequence[str],
    path: Sequence[str],
) -> None:
    """Dumps."""
    from holdfast.repository.dump import dump
    from holdfast.repository.resolve import resolve_directory

    with session.reading() as reader:
        where = resolve_directory(reader, snapshot, snapshot_filter(host, tag, path))
        name = os.fsencode(file)
        if target is None:
            if is_terminal(sys.stdout) and _is_folder(reader, where, name):
                raise UsageError(detail="an archive is nothing for a terminal: redirect it, or use --target")
            sys.stdout.flush()
            dump(reader, where, name, sys.stdout.buffer, archive=archive, cancel=session.cancel)
            return
        with session.listener() as listener, _new_file(target) as stream:
            report = dump(reader, where, name, stream, archive=archive, listener=listener, cancel=session.cancel)
    session.printer.message(
        "summary", target=target, entries=report.entries, content_bytes=report.content_bytes, skipped=report.skipped
    )
    session.printer.note("Wrote {path}.", path=target)


def _is_folder(reader: Reader, where: Resolved, path: bytes) -> bool:
    from holdfast.model.node import NodeType
    from holdfast.repository.trees import find_node

    node = find_node(reader, where.tree, path)
    return node is None or node.type is NodeType.DIR


@contextmanager
def _new_file(path: str) -> Generator[BinaryIO, None, None]:
    """A file that appears under its name when it is complete; a device or pipe is written to as it is."""
    try:
        if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
            with open(path, "wb") as stream:
                yield stream
            return
        fd, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=f".{os.path.basename(path)[:100]}.")
        try:
            with open(fd, "wb") as stream:
                yield stream
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise RestoreError(path=path, reason=error.strerror or str(error)) from error
