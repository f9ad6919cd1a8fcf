"""The part of a restore that runs in worker processes: from sealed blobs to written files.

Everything here takes and returns plain tuples, because they cross a pipe, and creates no object per file beyond
what the system calls need: at fifty thousand files a microsecond each is noticed.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256

from holdfast.errors import DamageError, Phrase
from holdfast.format.seal import Sealer
from holdfast.model.buffer import Buffer
from holdfast.repository.blobs import open_blob
from holdfast.repository.restore.report import detail_of
from holdfast.repository.restore.safe_fs import Folders, Root, restore_error
from holdfast.repository.restore.work import (
    GAP_BYTES,
    SPAN_BYTES,
    BlobWork,
    ComparedFile,
    Comparison,
    JobResult,
    PackWork,
    Part,
    Range,
    Setup,
    WholeFile,
)
from holdfast.repository.restore.writing import Writer

_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def restore_packs(setup: Setup, packs: list[PackWork]) -> JobResult:
    """Reads blobs from packs, proves them and writes them to all their places."""
    unread: list[tuple[int, int, str]] = []
    with Writer(setup) as writer:
        sealer = Sealer(setup.master)
        for number, work in enumerate(packs):
            for blob_number, detail in _restore_pack(writer, sealer, work):
                unread.append((number, blob_number, detail))
        return JobResult(writer.written_bytes, writer.ignored, writer.failures, unread)


def deliver_blob(setup: Setup, plaintext: Buffer, files: list[WholeFile], parts: list[Part]) -> JobResult:
    """Writes one blob, proved elsewhere, to all its places."""
    with Writer(setup) as writer:
        writer.deliver(plaintext, files, parts)
        return JobResult(writer.written_bytes, writer.ignored, writer.failures, [])


def _restore_pack(writer: Writer, sealer: Sealer, work: PackWork) -> list[tuple[int, str]]:
    """Handles the blobs of one pack. Returns those that could not be read, with the reason."""
    name, path, data, base, blobs = work
    bad: list[tuple[int, str]] = []
    what = Phrase("a blob in pack data/{name}", {"name": name[:12]})
    deliver = writer.deliver
    for first, last, start, end in spans(blobs):
        try:
            buffer = _read(path, start, end) if data is None else data
        except OSError as error:
            bad += [(number, f"{what}: {error.strerror}") for number in range(first, last)]
            continue
        base_here = start if data is None else base
        for number in range(first, last):
            offset, length, raw_length, blob_id, files, parts = blobs[number]
            if not length:
                deliver(b"", files, parts)
                continue
            try:
                plaintext = open_blob(sealer, buffer, offset - base_here, length, raw_length, blob_id, what, keep=False)
            except DamageError as error:
                bad.append((number, error.phrase))
                continue
            deliver(plaintext, files, parts)
    return bad


def _read(path: str | None, start: int, end: int) -> bytes:
    if path is None:
        return b""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(fd, end - start, start)
    finally:
        os.close(fd)


def spans(
    blobs: list[BlobWork], most_bytes: int = SPAN_BYTES, gap_bytes: int = GAP_BYTES
) -> list[tuple[int, int, int, int]]:
    """Groups blobs that lie near each other: (first number, number after the last, start, end)."""
    found: list[tuple[int, int, int, int]] = []
    first = 0
    start = end = -1
    for number, blob in enumerate(blobs):
        offset, stop = blob[0], blob[0] + blob[1]
        if end >= 0 and offset - end <= gap_bytes and stop - start <= most_bytes:
            end = max(end, stop)
            continue
        if end >= 0:
            found.append((first, number, start, end))
        first, start, end = number, offset, stop
    if end >= 0:
        found.append((first, len(blobs), start, end))
    return found


# --- comparing ---------------------------------------------------------------------------------------


def compare_files(root: Root, files: list[ComparedFile]) -> list[Comparison]:
    """Reads files again and tells which of their ranges are not what they should be."""
    with Folders(root) as folders:
        return [_compare(folders, *file) for file in files]


def _compare(
    folders: Folders, number: int, directory: bytes, name: bytes, inode: int, ranges: list[Range]
) -> Comparison:
    everything = list(range(len(ranges)))
    try:
        fd = _open_quietly(folders.get(directory).fd, name)
    except OSError as error:
        return number, everything, detail_of(restore_error(_join(directory, name), error))
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or (inode and status.st_ino != inode):
            return number, everything, "it was replaced meanwhile"
        wrong = [
            position
            for position, (offset, length, blob_id) in enumerate(ranges)
            if sha256(os.pread(fd, length, offset)).digest() != blob_id
        ]
        size = ranges[-1][0] + ranges[-1][1] if ranges else 0
    except OSError as error:
        return number, everything, detail_of(restore_error(_join(directory, name), error))
    finally:
        os.close(fd)
    return (
        number,
        wrong,
        ""
        if status.st_size == size
        else Phrase("it has {st_size} bytes instead of {size}", {"st_size": status.st_size, "size": size}),
    )


def _open_quietly(dir_fd: int, name: bytes) -> int:
    """Opens a file for reading without touching its access time, where that is allowed."""
    try:
        return os.open(name, _READ_FLAGS | os.O_NOATIME, dir_fd=dir_fd)
    except PermissionError:
        return _open_own(dir_fd, name)


def _open_own(dir_fd: int, name: bytes) -> int:
    """Opens a file of this user whose mode forbids reading it, by lifting that for a moment."""
    path_fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        path = f"/proc/self/fd/{path_fd}"
        status = os.fstat(path_fd)
        if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
            return os.open(name, _READ_FLAGS, dir_fd=dir_fd)
        mode = stat.S_IMODE(status.st_mode)
        os.chmod(path, mode | stat.S_IRUSR)
        try:
            return os.open(path, os.O_RDONLY | os.O_NOATIME | os.O_CLOEXEC)
        finally:
            os.chmod(path, mode)
    finally:
        os.close(path_fd)


def _join(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name
