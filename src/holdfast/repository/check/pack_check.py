"""Verifying one pack from its bytes alone, in a worker process.

Nothing is taken from the index: the pack's own header says what is in it, every blob is opened and hashed, and the
digest of the header is handed back for comparison. That way packs are verified while the index is still being read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from holdfast.errors import DamageError, FormatError, Phrase
from holdfast.format import pack as pack_format
from holdfast.format import zstd
from holdfast.format.seal import OVERHEAD, Sealer
from holdfast.model.buffer import Buffer
from holdfast.model.key import MasterKey
from holdfast.repository.check.pack_source import WHOLE_MAX, FileSource, MemorySource, PackSource
from holdfast.repository.reader import MAX_BLOB_BYTES

_COMPRESSED = struct.Struct("<BII32s")
_RAW = struct.Struct("<BI32s")
_RECORD = struct.Struct("<B32sIII")
_WINDOW = 16 << 20
_DETAILS_MAX = 3

_Entry = tuple[int, bytes, int, int, int]
"""Kind (0 data, 1 tree), id, offset, stored length, raw length or 0."""


class PackJob(NamedTuple):
    """What to verify.

    Attributes:
        name: the pack, 32 bytes.
        path: its file, or "" if `content` has its bytes.
        part, parts: verify only the blobs of this part; part 0 also hashes the whole.
        record: the blobs as the index lists them; where given, these are verified and not those in the header.
    """

    master: MasterKey
    name: bytes
    path: str
    content: Buffer = b""
    part: int = 0
    parts: int = 1
    record: bytes | None = None


class PackOutcome(NamedTuple):
    """What came of it.

    Attributes:
        header: SHA-256 of the header's plaintext; empty if it cannot be read.
        problems: what is wrong, in words; empty if nothing is.
        broken: keys of blobs that do not verify.
    """

    header: bytes
    blobs: int
    size: int
    problems: list[str]
    broken: list[bytes]


@lru_cache(maxsize=2)
def _sealer(encrypt: bytes, mac_k: bytes, mac_r: bytes) -> Sealer:
    return Sealer(MasterKey(encrypt=encrypt, mac_k=mac_k, mac_r=mac_r))


def worker_sealer(master: MasterKey) -> Sealer:
    """The sealer of a process that works alone: made once."""
    return _sealer(master.encrypt, master.mac_k, master.mac_r)


def verify_in_worker(job: PackJob) -> tuple[object, ...]:
    """`verify_pack` for a process of its own, which keeps its sealer. Returns the fields of a `PackOutcome`."""
    return tuple(verify_pack(job, worker_sealer(job.master)))


def verify_pack(job: PackJob, sealer: Sealer) -> PackOutcome:
    """Hashes a pack, opens its header and every blob in it."""
    if not job.path:
        return _verify(job, MemorySource(job.content), sealer)
    try:
        with FileSource(job.path) as source:
            if job.parts == 1 and source.size <= WHOLE_MAX:
                return _verify(job, MemorySource(source.view(0, source.size)), sealer)
            return _verify(job, source, sealer)
    except OSError as error:
        return PackOutcome(b"", 0, 0, [Phrase("it cannot be read: {reason}", {"reason": error.strerror or error})], [])


def _verify(job: PackJob, source: PackSource, sealer: Sealer) -> PackOutcome:
    problems: list[str] = []
    if job.part == 0:
        actual = source.digest()
        if actual != job.name:
            problems.append(Phrase("its content hashes to {actual}", {"actual": actual.hex()}))
    header, entries = b"", list[_Entry]()
    try:
        header = bytes(_open_header(source, sealer))
        entries = _entries(header)
        last = entries[-1]
        if last[2] + last[3] != source.size - len(header) - OVERHEAD - pack_format.HEADER_LENGTH_BYTES:
            raise FormatError(object="pack", reason="its blobs do not fill it")
    except DamageError as error:
        problems.append(Phrase("its header is damaged: {reason}", {"reason": reason_of(error)}))
        header, entries = b"", []
    if job.record is not None:
        entries = list(_RECORD.iter_unpack(job.record))
    entries = _part(entries, job.part, job.parts)
    broken = _verify_blobs(source, entries, sealer, problems)
    digest = sha256(header).digest() if header else b""
    return PackOutcome(digest, len(entries), source.size if job.part == 0 else 0, problems, broken)


def _open_header(source: PackSource, sealer: Sealer) -> Buffer:
    tail = source.size - pack_format.HEADER_LENGTH_BYTES
    length = pack_format.header_length(source.view(tail, pack_format.HEADER_LENGTH_BYTES), source.size)
    return sealer.open(source.view(tail - length, length), "pack")


def _entries(header: bytes) -> list[_Entry]:
    """What a header lists. Headers of one kind of entry, as nearly all are, are read without an object for each."""
    offset = 0
    entries: list[_Entry] = []
    if not len(header) % _COMPRESSED.size and not header[:: _COMPRESSED.size].strip(b"\x02\x03"):
        for kind, length, raw_length, blob_id in _COMPRESSED.iter_unpack(header):
            if not raw_length:
                raise FormatError(object="pack", reason="its header lists an impossible blob")
            entries.append((kind & 1, blob_id, offset, length, raw_length))
            offset += length
        return entries
    if not len(header) % _RAW.size and not header[:: _RAW.size].strip(b"\x00\x01"):
        for kind, length, blob_id in _RAW.iter_unpack(header):
            entries.append((kind, blob_id, offset, length, 0))
            offset += length
        return entries
    return [
        (blob.type, blob.id, blob.offset, blob.length, blob.raw_length) for blob in pack_format.decode_header(header)
    ]


def _part(entries: list[_Entry], part: int, parts: int) -> list[_Entry]:
    if parts == 1 or not entries:
        return entries
    end = entries[-1][2] + entries[-1][3]
    return [entry for entry in entries if entry[2] * parts // end == part]


def _verify_blobs(source: PackSource, entries: list[_Entry], sealer: Sealer, problems: list[str]) -> list[bytes]:
    broken: list[bytes] = []
    for start, length, window in _windows(entries, source.size):
        try:
            view = source.view(start, length)
        except FormatError as error:
            _note(problems, window[0], reason_of(error))
            broken += [blob_id + bytes((kind,)) for kind, blob_id, *_ in window]
            continue
        for kind, blob_id, offset, stored, raw_length in window:
            try:
                if raw_length > MAX_BLOB_BYTES:
                    raise FormatError(object="blob", reason="it is larger than a blob may be")
                plaintext: Buffer = sealer.open_scratch(view, offset - start, stored, "blob")
                if raw_length:
                    plaintext = zstd.decompress_exact(plaintext, raw_length)
                if sha256(plaintext).digest() == blob_id:
                    continue
                reason = "it hashes to something else"
            except DamageError as error:
                reason = reason_of(error)
            broken.append(blob_id + bytes((kind,)))
            if len(broken) <= _DETAILS_MAX:
                _note(problems, (kind, blob_id, offset, stored, raw_length), reason)
    if len(broken) > _DETAILS_MAX:
        problems.append(Phrase("{count} blobs are damaged in all", {"count": len(broken)}))
    return broken


def _windows(entries: list[_Entry], size: int) -> Iterator[tuple[int, int, list[_Entry]]]:
    """Runs of blobs that follow each other, so that a huge pack is never in memory whole; (offset, length, blobs)."""
    window: list[_Entry] = []
    start = end = 0
    for entry in entries:
        offset, length = entry[2], entry[3]
        if window and (offset != end or end + length - start > _WINDOW or end + length > size):
            yield start, end - start, window
            window = []
        if not window:
            start = end = offset
        window.append(entry)
        end = offset + length
    if window:
        yield start, end - start, window


def _note(problems: list[str], entry: _Entry, reason: str) -> None:
    kind = "tree" if entry[0] else "data"
    problems.append(
        Phrase("{kind} blob {entry} is damaged: {reason}", {"kind": kind, "entry": entry[1].hex(), "reason": reason})
    )


def reason_of(error: DamageError) -> str:
    """What is wrong, without the name of the object, which the caller knows better."""
    reason = error.context.get("reason")
    return reason if isinstance(reason, str) and reason else error.code
