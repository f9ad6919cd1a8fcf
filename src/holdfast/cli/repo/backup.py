"""`holdfast repo backup`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli import values
from holdfast.cli.repo.backup_options import instant, items_from_files, patterns_from_files, size_of
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import default_host
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import BackupIncomplete, Phrase, SourceCommandFailed, UsageError

if TYPE_CHECKING:
    from holdfast.repository.backup.report import BackupOptions, BackupReport
    from holdfast.repository.backup.stream_file import Stream
    from holdfast.repository.repository import Repository


@repo_command("backup", help="Back up files and folders into a new snapshot.")
@click.argument("paths", nargs=-1, metavar="[PATH]…")
@click.option("-e", "--exclude", multiple=True, metavar="PATTERN", help="Leave out what matches; may be repeated.")
@click.option("--iexclude", multiple=True, metavar="PATTERN", help="The same, whatever the case of letters.")
@click.option("--exclude-file", multiple=True, metavar="FILE", help="Read patterns from a file.")
@click.option("--iexclude-file", multiple=True, metavar="FILE", help="The same, whatever the case of letters.")
@click.option(
    "--exclude-if-present", multiple=True, metavar="NAME[:HEADER]", help="Leave out folders that hold such a file."
)
@click.option("--exclude-caches", is_flag=True, help="Leave out folders that hold a CACHEDIR.TAG.")
@click.option("--exclude-larger-than", metavar="SIZE", help="Leave out files larger than this, such as 500M.")
@click.option("-x", "--one-file-system", is_flag=True, help="Stay within the file systems of the given paths.")
@click.option("--files-from", multiple=True, metavar="FILE", help="Read paths to back up, as patterns, one a line.")
@click.option("--files-from-verbatim", multiple=True, metavar="FILE", help="Read paths to back up, one a line.")
@click.option("--files-from-raw", multiple=True, metavar="FILE", help="Read paths to back up, each ended by NUL.")
@click.option("--tag", multiple=True, metavar="TAG[,TAG…]", help="Tag the snapshot; may be repeated.")
@click.option("-H", "--host", metavar="NAME", help="Host name to record instead of this machine's.")
@click.option("--time", metavar="TIME", help="Time to record instead of now, such as 2026-01-31 23:59:00.")
@click.option("--parent", metavar="ID", help="Snapshot to compare with instead of the newest fitting one.")
@click.option("-g", "--group-by", default="host,paths", metavar="GROUP", help="What makes a snapshot fit as parent.")
@click.option("-f", "--force", is_flag=True, help="Read every file again.")
@click.option("--ignore-inode", is_flag=True, help="A changed inode number does not mean a changed file.")
@click.option("--ignore-ctime", is_flag=True, help="A changed ctime does not mean a changed file.")
@click.option("--with-atime", is_flag=True, help="Record access times.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Back up standard input.")
@click.option("--stdin-filename", default="stdin", metavar="NAME", help="Name of the file made of standard input.")
@click.option("--stdin-from-command", is_flag=True, help="Take the paths as a command and back up what it prints.")
@click.option("--skip-if-unchanged", is_flag=True, help="Make no snapshot that would equal its parent.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done and store nothing.")
@click.option("--no-scan", is_flag=True, help="Do not estimate how much there is; accepted for compatibility.")
@click.option("--read-concurrency", type=click.IntRange(min=1), help="Accepted for compatibility.")
@click.pass_obj
def command(session: RepoSession, /, paths: Sequence[str], **given: Any) -> None:
    """Backs up."""
    stdin_is_data = bool(given["from_stdin"])
    pool = session.workers()
    options = _options(session, given)
    repository = session.open(stdin_is_data=stdin_is_data)
    with (
        session.lock(repository) as lock,
        session.index(repository) as index,
        session.listener() as listener,
    ):
        from holdfast.repository.backup.run import backup

        index.sync(listener)
        options = _with_parent(options, given["parent"], repository)
        report = backup(
            repository,
            index,
            lock,
            _targets(paths, given),
            options,
            streams=_streams(session, paths, given),
            listener=listener,
            cancel=session.cancel,
            pool=pool,
        )
    _print(session, report, options)
    if report.problems:
        name = report.snapshot.id.hex()[:8] if report.snapshot and report.snapshot.id else "-"
        raise BackupIncomplete(snapshot=name, count=len(report.problems))


def _options(session: RepoSession, given: dict[str, Any]) -> BackupOptions:
    from holdfast.policy.selection import parse_tags
    from holdfast.repository.backup.report import BackupOptions

    markers = tuple(given["exclude_if_present"])
    if given["exclude_caches"]:
        markers += ("CACHEDIR.TAG:Signature: 8a477f597d28d172789f06886806bc55",)
    return BackupOptions(
        excludes=(*given["exclude"], *patterns_from_files(given["exclude_file"])),
        insensitive_excludes=(*given["iexclude"], *patterns_from_files(given["iexclude_file"])),
        exclude_if_present=markers,
        exclude_larger_than=size_of(given["exclude_larger_than"]),
        one_file_system=given["one_file_system"],
        force=given["force"],
        ignore_inode=given["ignore_inode"],
        ignore_ctime=given["ignore_ctime"],
        with_atime=given["with_atime"],
        group_by=given["group_by"],
        tags=tuple(tag for text in given["tag"] for tag in parse_tags(text)),
        hostname=given["host"] or default_host(),
        time=instant(given["time"]),
        compression=session.compression(),
        pack_bytes=session.pack_bytes(),
        skip_if_unchanged=given["skip_if_unchanged"],
        dry_run=given["dry_run"],
    )


def _with_parent(options: BackupOptions, wanted: str | None, repository: Repository) -> BackupOptions:
    if not wanted:
        return options
    from msgspec.structs import replace

    from holdfast.policy.selection import resolve
    from holdfast.repository.snapshots import load_snapshots

    return replace(options, parent=resolve(wanted, load_snapshots(repository)).id)


def _targets(paths: Sequence[str], given: dict[str, Any]) -> list[bytes]:
    if given["from_stdin"] or given["stdin_from_command"]:
        if given["from_stdin"] and paths:
            raise UsageError(detail="--stdin takes no paths")
        return []
    targets = [os.fsencode(path) for path in paths]
    targets += items_from_files(given["files_from"], given["files_from_verbatim"], given["files_from_raw"])
    if not targets:
        raise UsageError(detail="there is nothing to back up: name at least one path")
    return targets


def _streams(session: RepoSession, paths: Sequence[str], given: dict[str, Any]) -> list[Stream]:
    from holdfast.repository.backup.stream_file import Stream

    name = given["stdin_filename"].lstrip("/")
    if (given["from_stdin"] or given["stdin_from_command"]) and ("/" in name or name in ("", ".", "..")):
        raise UsageError(detail="--stdin-filename takes the name of a file, without folders")
    if given["from_stdin"]:
        return [Stream(name, sys.stdin.buffer)]
    if not given["stdin_from_command"]:
        return []
    if not paths:
        raise UsageError(detail="--stdin-from-command needs a command")
    try:
        process = subprocess.Popen(list(paths), stdout=subprocess.PIPE)
    except OSError as error:
        raise SourceCommandFailed(path=paths[0], reason=error.strerror or str(error)) from error
    # A command that is still at work when the backup fails must not be left behind.
    session.resources.callback(_end, process)
    assert process.stdout is not None

    def check() -> None:
        status = process.wait()
        if status:
            raise SourceCommandFailed(
                path=paths[0], reason=Phrase("it exited with status {status}", {"status": status})
            )

    return [Stream(name, process.stdout, check=check)]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _print(session: RepoSession, report: BackupReport, options: BackupOptions) -> None:
    printer = session.printer
    printer.message(
        "summary",
        dry_run=options.dry_run,
        files_new=report.files_new,
        files_changed=report.files_changed,
        files_unmodified=report.files_unmodified,
        dirs_new=report.dirs_new,
        dirs_changed=report.dirs_changed,
        dirs_unmodified=report.dirs_unmodified,
        data_blobs=report.data_blobs,
        tree_blobs=report.tree_blobs,
        data_added=report.data_added,
        data_added_packed=report.data_added_packed,
        total_files_processed=report.total_files_processed,
        total_bytes_processed=report.total_bytes_processed,
        total_duration=report.duration_s,
        **_times(report),
        problems=len(report.problems),
        snapshot_id=report.snapshot.id.hex() if report.snapshot and report.snapshot.id else "",
        parent=report.parent.hex() if report.parent else "",
    )
    printer.note(
        "Files: {new} new, {changed} changed, {unmodified} unmodified.",
        new=report.files_new,
        changed=report.files_changed,
        unmodified=report.files_unmodified,
    )
    printer.note(
        "Folders: {new} new, {changed} changed, {unmodified} unmodified.",
        new=report.dirs_new,
        changed=report.dirs_changed,
        unmodified=report.dirs_unmodified,
    )
    printer.note(
        "Processed {files} files, {size} in {duration}.",
        files=report.total_files_processed,
        size=values.size(report.total_bytes_processed),
        duration=values.duration(report.duration_s),
    )
    _print_added(session, report, options)


def _times(report: BackupReport) -> dict[str, Any]:
    from holdfast.format.timestamp import render_instant

    summary = report.snapshot.summary if report.snapshot is not None else None
    if summary is None:
        return {}
    return {"backup_start": render_instant(summary.backup_start), "backup_end": render_instant(summary.backup_end)}


def _print_added(session: RepoSession, report: BackupReport, options: BackupOptions) -> None:
    printer = session.printer
    added, stored = values.size(report.data_added), values.size(report.data_added_packed)
    if options.dry_run:
        printer.note("Would add {added} ({stored} stored) to the repository.", added=added, stored=stored)
    else:
        printer.note("Added {added} ({stored} stored) to the repository.", added=added, stored=stored)
    if report.snapshot is not None and report.snapshot.id is not None:
        printer.note("Saved snapshot {snapshot}.", snapshot=report.snapshot.id.hex()[:8])
    elif not options.dry_run:
        printer.note("Nothing has changed, so no snapshot was made.")
