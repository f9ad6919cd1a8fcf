"""Reading stored content to its end to know that it is what was stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from holdfast.errors import BackupDamaged, Phrase
from holdfast.model.backup import StoredBackup
from holdfast.model.event import Listener, Progress
from holdfast.model.node import NodeType
from holdfast.protocols.content import Entry, StoredContent

_BLOCK_BYTES = 1 << 20
_PROGRESS_BYTES = 16 << 20


def prove(
    content: StoredContent,
    stored: StoredBackup,
    *,
    paths: Sequence[bytes],
    listener: Listener,
    cancelled: Callable[[], None],
) -> None:
    """Reads a component, and keeps nothing of it.

    Args:
        paths: only these; the component's own digest can then not be compared, each file's checksum is.

    Raises:
        DamageError: it is not what was stored.
        TargetError: it cannot be read.
    """
    from holdfast.archive.digest import ContentDigest

    digest = ContentDigest()
    done = told = 0
    for entry in content.entries(paths):
        cancelled()
        if entry.node.type is not NodeType.FILE or entry.open is None:
            digest.feed(entry)
            continue
        sha256, size_bytes = _read(entry, cancelled)
        digest.feed(entry, sha256, size_bytes)
        done += size_bytes
        if done - told >= _PROGRESS_BYTES:
            told = done
            total = 0 if paths else content.component.content_bytes
            listener(Progress(phase="verify", bytes_done=done, bytes_total=total, current=content.component.name))
    expected, actual = content.component.content_sha256, digest.hexdigest()
    if expected and not paths and actual != expected:
        reason = Phrase(
            "the content of {name} has digest {actual}, not {expected}",
            {"name": content.component.name, "actual": actual, "expected": expected},
        )
        raise BackupDamaged(backup=stored.backup_id, target=stored.target, reason=reason)


def _read(entry: Entry, cancelled: Callable[[], None]) -> tuple[bytes, int]:
    assert entry.open is not None
    digest, size_bytes = hashlib.sha256(), 0
    reader = entry.open()
    try:
        while block := reader.read(_BLOCK_BYTES):
            cancelled()
            digest.update(block)
            size_bytes += len(block)
    finally:
        reader.close()
    return digest.digest(), size_bytes
