"""What ties the entries of an audit log together, and how a log is judged. Knows no database."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import NamedTuple

from holdfast.catalog.columns import encoded, micros
from holdfast.model.access import AuditEntry, AuditVerdict

GENESIS = "0" * 64


class Head(NamedTuple):
    """What a log says about its own end. `mac` authenticates both values."""

    entries: int
    chain: str
    mac: str


class Chain:
    """MACs under the key of a catalog."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"holdfast audit 1", "sha256")

    def link(self, previous: str, entry: AuditEntry) -> str:
        """The chain value of an entry that follows the entry with this chain value."""
        return self._mac(b"entry", previous, _canonical(entry))

    def broken_link(self, previous: str, entry: AuditEntry) -> str:
        """The chain value of an entry that was written although the log's end was forged.

        SAFETY: a log never heals. Without this, the next entry would make a log whose end was cut look whole.
        """
        return self._mac(b"entry after a forged head", previous, _canonical(entry))

    def head(self, entries: int, chain: str) -> Head:
        """An authentic head."""
        return Head(entries, chain, self._mac(b"head", str(entries), chain))

    def authentic(self, head: Head | None) -> bool:
        """Whether a head was written by who has the key."""
        return head is not None and hmac.compare_digest(
            self.head(head.entries, head.chain).mac.encode(), _bytes(head.mac)
        )

    def judge(self, read: Callable[[], Iterable[AuditEntry]], head: Head | None, expected: str = "") -> AuditVerdict:
        """Whether a log is what was written. Keeps none of it in memory.

        Args:
            read: reads all entries by number; called a second time if something is wrong.
            head: as it is stored; None if it is missing.
            expected: chain value of an entry, or of the whole log, that was noted elsewhere; empty for none.
        """
        previous, count, noted = GENESIS, 0, expected in ("", GENESIS)
        bad, reason = 0, ""
        for count, entry in enumerate(read(), start=1):
            if not bad and entry.number != count:
                bad, reason = count, "missing"
            elif not bad and not _same(self.link(previous, entry), entry.chain):
                bad, reason = count, self._what_happened(previous, entry, read)
            previous = entry.chain
            noted = noted or entry.chain == expected
        if not bad:
            bad, reason = self._bad_end(count, previous, head) or (0, "")
        if not bad and not noted:
            bad, reason = count + 1, "cut"
        return AuditVerdict(entries=count, head=previous, first_bad=bad, reason=reason)

    def _what_happened(self, previous: str, entry: AuditEntry, read: Callable[[], Iterable[AuditEntry]]) -> str:
        if _same(self.broken_link(previous, entry), entry.chain):
            return "cut"
        if _same(self.link(GENESIS, entry), entry.chain):
            return "reordered"
        return "reordered" if any(_same(self.link(one.chain, entry), entry.chain) for one in read()) else "edited"

    def _bad_end(self, count: int, last: str, head: Head | None) -> tuple[int, str] | None:
        """What is wrong with the head of a log of which every link is right."""
        if head is None or not self.authentic(head) or head.entries > count:
            return count + 1, "cut"
        if head.entries < count:
            return head.entries + 1, "edited"
        return None if _same(head.chain, last) else (max(1, count), "edited")

    def _mac(self, purpose: bytes, *parts: str) -> str:
        message = b"\0".join([purpose, *(_bytes(part) for part in parts)])
        return hmac.digest(self._key, message, "sha256").hex()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _canonical(entry: AuditEntry) -> str:
    # The number is not part of it: the place in the chain says it, and a moved entry is told from an edited one.
    return encoded(
        [
            micros(entry.at),
            entry.actor,
            entry.action,
            entry.subject,
            entry.outcome,
            entry.address,
            entry.detail,
        ]
    )
