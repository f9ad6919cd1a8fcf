"""What a restore is asked to do and what it tells afterwards."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from holdfast.errors import DamageError, ExitCode, HoldfastError, RestoreError, UnsafePath

_PROBLEMS_KEPT = 10_000


class Overwrite(StrEnum):
    """What happens to files that are already there."""

    ALWAYS = "always"
    IF_CHANGED = "if-changed"
    IF_NEWER = "if-newer"
    NEVER = "never"


class RestoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to restore.

    Attributes:
        subfolder: a directory of the snapshot whose content is restored instead of everything.
        includes, insensitive_includes: take only what matches; all if both are empty.
        excludes, insensitive_excludes: leave out what matches; not together with includes.
        overwrite: `always` compares what is there and writes only what differs; `if-changed` trusts size and
            modification time; `if-newer` keeps files that are as new as the snapshot's; `never` keeps all.
        delete: remove what is not in the snapshot from directories that are.
        sparse: also leave out runs of zeros within blobs (whole blobs of zeros always become holes in new files).
        verify: read everything again afterwards and compare it with the snapshot's ids.
        set_ids: restore set-user-id and set-group-id bits and file capabilities (root only in any case).
        devices: restore device nodes (root only in any case).
        dry_run: tell what would be done and change nothing.
    """

    subfolder: bytes = b""
    includes: tuple[bytes, ...] = ()
    insensitive_includes: tuple[bytes, ...] = ()
    excludes: tuple[bytes, ...] = ()
    insensitive_excludes: tuple[bytes, ...] = ()
    overwrite: Overwrite = Overwrite.ALWAYS
    delete: bool = False
    sparse: bool = False
    verify: bool = False
    set_ids: bool = True
    devices: bool = True
    dry_run: bool = False


class RestoreProblem(msgspec.Struct, frozen=True, gc=False):
    """One item that was not restored as the snapshot has it. `code` is stable and English."""

    path: bytes
    code: str
    detail: str
    damage: bool


class RestoreReport(msgspec.Struct, kw_only=True):
    """What a restore did.

    Attributes:
        files: regular files restored or found to be right already.
        unchanged: those of them whose content was there already.
        dirs: directories.
        others: links, FIFOs and devices.
        hard_links: further names of restored files.
        restored_bytes: content of the restored files.
        skipped: existing files kept because of the overwrite mode, and sockets.
        deleted: entries removed because the snapshot does not have them.
        verified: files read again and found right.
        ignored: owners, attributes and mode bits that this user or file system does not allow.
        problem_count: how many problems there were; `problems` holds the first ten thousand.
        damaged: whether one of them is damage in the repository or a hostile snapshot.
    """

    files: int = 0
    unchanged: int = 0
    dirs: int = 0
    others: int = 0
    hard_links: int = 0
    restored_bytes: int = 0
    skipped: int = 0
    deleted: int = 0
    verified: int = 0
    ignored: int = 0
    problem_count: int = 0
    damaged: bool = False
    duration_s: float = 0.0
    problems: list[RestoreProblem] = []

    def add(self, path: bytes, code: str, detail: str, *, damage: bool) -> RestoreProblem:
        """Notes a problem."""
        problem = RestoreProblem(path, code, detail, damage)
        self.problem_count += 1
        self.damaged = self.damaged or damage
        if len(self.problems) < _PROBLEMS_KEPT:
            self.problems.append(problem)
        return problem

    def add_error(self, path: bytes, error: HoldfastError) -> RestoreProblem:
        """Notes an error as a problem."""
        return self.add(path, error.code, detail_of(error), damage=isinstance(error, DamageError | UnsafePath))

    @property
    def exit_code(self) -> int:
        """The process exit status this outcome leads to."""
        if self.damaged:
            return ExitCode.DAMAGED
        return ExitCode.FAILED if self.problem_count else ExitCode.DONE


def detail_of(error: HoldfastError) -> str:
    """What an error says besides the path, which a problem names anyway."""
    reason = error.context.get("reason")
    return reason if isinstance(error, RestoreError) and isinstance(reason, str) else error.phrase
