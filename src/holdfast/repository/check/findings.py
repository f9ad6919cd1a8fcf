"""Collecting what a check finds, bounded in memory and tied to the blobs it makes unreadable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from holdfast.errors import BackendError, BackendUnavailable, DamageError, HoldfastError, KeyParametersRefused
from holdfast.model.blob import BlobType
from holdfast.model.ids import PackId
from holdfast.repository.check.report import Finding, Hurt
from holdfast.repository.index import Index

LISTED_MAX = 1000
"""Errors of one kind that are listed; broken packs are listed without limit."""

_SUGGESTIONS = {
    "index-damaged": "repair-index",
    "index-split": "repair-index",
    "index-impossible": "repair-index",
    "index-disagrees": "repair-index",
    "pack-missing": "repair-index",
    "pack-size": "repair-packs",
    "pack-damaged": "repair-packs",
    "snapshot-damaged": "repair-snapshots",
    "blob-missing": "repair-snapshots",
    "tree-damaged": "repair-snapshots",
    "file-size": "repair-snapshots",
    "key-damaged": "remove-key",
    "pack-mixed": "prune",
    "pack-listed-twice": "prune",
    "pack-unreferenced": "prune",
}
# Packs first: what can be salvaged from a pack that was cut short is known to the index alone.
_ORDER = ("repair-packs", "repair-index", "repair-snapshots", "remove-key", "prune")


def blob_key(kind: BlobType, blob_id: bytes) -> bytes:
    """A blob as one value: its id and one byte for its type."""
    return blob_id + bytes((kind,))


def is_about_object(error: HoldfastError) -> bool:
    """Whether an error tells of one stored object, and not of a storage that cannot be reached."""
    if isinstance(error, DamageError | KeyParametersRefused):
        return True
    return isinstance(error, BackendError) and not isinstance(error, BackendUnavailable)


class Findings:
    """Errors, hints and notes of one check.

    Attributes:
        broken: blobs that cannot be read from anywhere, by `blob_key`, with the numbers of the errors they are part of;
            complete after `settle`.
        damaged_packs: packs that are missing, damaged or of a wrong size, in the order found.
        problems: how many errors were found, listed or not.
    """

    def __init__(self) -> None:
        self.hints: list[Finding] = []
        self.notes: list[Finding] = []
        self.broken: dict[bytes, list[int]] = {}
        self.damaged_packs: dict[PackId, None] = {}
        self.problems = 0
        self._copies: dict[bytes, dict[PackId, int]] = {}
        self._errors: list[Finding] = []
        self._counts: Counter[str] = Counter()

    def error(self, code: str, subject: object, detail: object, broken: Iterable[bytes] = ()) -> None:
        """Notes damage.

        Args:
            broken: keys of blobs that cannot be read because of it.
        """
        self.problems += 1
        self._counts[code] += 1
        listed = self._counts[code] <= LISTED_MAX or code.startswith("pack-")
        if listed:
            self._errors.append(Finding(code=code, object=str(subject), detail=str(detail)))
        for key in broken:
            numbers = self.broken.setdefault(key, [])
            if listed:
                numbers.append(len(self._errors) - 1)

    def pack_error(self, code: str, pack_id: PackId, detail: object, broken: Iterable[bytes] = ()) -> None:
        """Notes damage of a pack.

        Args:
            broken: keys of blobs whose copy in this pack cannot be read.
        """
        self.damaged_packs[pack_id] = None
        self.error(code, f"data/{pack_id.hex()}", detail)
        for key in broken:
            self._copies.setdefault(key, {})[pack_id] = len(self._errors) - 1

    def settle(self, index: Callable[[], Index]) -> None:
        """Finds out which blobs of damaged packs have no sound copy elsewhere.

        Args:
            index: gives everything that is indexed; asked only where there is damage.
        """
        for key, copies in self._copies.items():
            places = index().lookup_all(BlobType(key[32]), key[:32])
            if all(place.pack in copies for place in places):
                self.broken.setdefault(key, []).extend(copies.values())
        self._copies.clear()

    def hint(self, code: str, subject: object, detail: str) -> None:
        """Notes an oddity."""
        self._counts[code] += 1
        if self._counts[code] <= LISTED_MAX:
            self.hints.append(Finding(code=code, object=str(subject), detail=detail))

    def note(self, code: str, subject: object, detail: str) -> None:
        """Notes something that is fine."""
        self._counts[code] += 1
        if self._counts[code] <= LISTED_MAX:
            self.notes.append(Finding(code=code, object=str(subject), detail=detail))

    def errors(self, hurts: dict[int, list[Hurt]]) -> tuple[Finding, ...]:
        """The errors, with what each of them hurts."""
        return tuple(
            Finding(code=found.code, object=found.object, detail=found.detail, hurts=tuple(hurts.get(number, ())))
            for number, found in enumerate(self._errors)
        )

    def suggestions(self) -> tuple[str, ...]:
        """What helps, in the order in which to do it."""
        wanted = {_SUGGESTIONS[code] for code in self._counts if code in _SUGGESTIONS}
        if self.broken:
            wanted.add("repair-snapshots")
        if self._counts["blob-missing"] and self._counts["pack-unreferenced"]:
            # An index file was lost: what it listed is still there.
            wanted.add("repair-index")
        if self.problems:
            # Prune removes what nothing refers to, which may be what a repair needs.
            wanted.discard("prune")
        return tuple(name for name in _ORDER if name in wanted)
