"""A backend that misbehaves on request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from holdfast.errors import BackendError, BackendUnavailable
from holdfast.protocols import Backend, FileKind, Handle, Payload, StoredObject


class Operation(StrEnum):
    """What a rule watches for."""

    CREATE = "create"
    SAVE = "save"
    LOAD = "load"
    SIZE = "size"
    LIST = "list"
    REMOVE = "remove"


class Fault(StrEnum):
    """What goes wrong."""

    FAIL = "fail"
    """Nothing is done and the rule's error is raised."""
    FAIL_AFTER = "fail-after"
    """It is done, but the answer is lost: the rule's error is raised."""
    FLIP = "flip"
    """One bit of what is loaded is another."""
    TRUNCATE = "truncate"
    """What is loaded or stored misses its last bytes, and nobody says so."""
    DROP = "drop"
    """What is saved is not stored, and nobody says so."""
    BREAK_OFF = "break-off"
    """A listing raises the rule's error after some entries."""
    DELAY = "delay"
    """It takes longer."""


@dataclass(slots=True)
class Rule:
    """One fault and when it strikes.

    Attributes:
        operation: which calls count.
        fault: what happens.
        kind: only objects of this kind; None is all.
        name: only the object of this name; empty is all.
        first: the number of the first matching call that is hit, from 1.
        times: how many calls are hit from then on; None is all.
        once_per_object: hit only the first matching call for each object.
        amount: bytes to cut off, entries to let through, or the position of the bit.
        delay_s: how much longer it takes.
        error: makes the error to raise.
        hits: how often it struck.
    """

    operation: Operation
    fault: Fault
    kind: FileKind | None = None
    name: str = ""
    first: int = 1
    times: int | None = None
    once_per_object: bool = False
    amount: int = 1
    delay_s: float = 0.0
    error: Callable[[str, str], BackendError] | None = None
    hits: int = 0
    _calls: int = 0
    _objects: set[Handle] = field(default_factory=set[Handle])

    def strikes(self, operation: Operation, handle: Handle) -> bool:
        """Counts a call and tells whether it is hit."""
        if operation is not self.operation or (self.kind is not None and handle.kind is not self.kind):
            return False
        if self.name and handle.name != self.name:
            return False
        if self.once_per_object and handle in self._objects:
            return False
        self._objects.add(handle)
        self._calls += 1
        last = None if self.times is None else self.first + self.times - 1
        if self._calls < self.first or (last is not None and self._calls > last):
            return False
        self.hits += 1
        return True

    def failure(self, url: str, handle: Handle) -> BackendError:
        """The error to raise; transient unless the rule says otherwise."""
        if self.error is not None:
            return self.error(url, str(handle))
        return BackendUnavailable(url=url, object=str(handle), reason="a fault was asked for")


class FaultyBackend:
    """Passes everything on to another backend, except where a rule says otherwise.

    Args:
        inner: the storage.
        rules: all that match a call strike, in order; more may be added while it runs.

    Attributes:
        calls: operation and object of every call, in order.
    """

    def __init__(self, inner: Backend, rules: Sequence[Rule] = ()) -> None:
        self.inner = inner
        self.rules = list(rules)
        self.calls: list[tuple[Operation, Handle]] = []
        self._guard = threading.Lock()

    @property
    def url(self) -> str:
        """The location of the storage within."""
        return self.inner.url

    @property
    def connections(self) -> int:
        """How many requests at once are useful."""
        return self.inner.connections

    def count(self, operation: Operation) -> int:
        """How many calls of an operation there were."""
        return sum(1 for called, _ in self.calls if called is operation)

    def create(self) -> None:
        """Prepares an empty location."""
        rules = self._begin(Operation.CREATE, Handle(FileKind.CONFIG))
        self.inner.create()
        self._end(rules, Handle(FileKind.CONFIG))

    def save(self, handle: Handle, data: Payload) -> None:
        """Stores an object, all of it, some of it or nothing."""
        rules = self._begin(Operation.SAVE, handle)
        dropped = any(rule.fault is Fault.DROP for rule in rules)
        for rule in rules:
            if rule.fault is Fault.TRUNCATE:
                data = [_shortened(b"".join(data), rule.amount)]
            elif rule.fault is Fault.FLIP:
                data = [_flipped(b"".join(data), rule.amount)]
        if not dropped:
            self.inner.save(handle, data)
        self._end(rules, handle)

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an object or a range of it, possibly wrongly."""
        rules = self._begin(Operation.LOAD, handle)
        content = self.inner.load(handle, offset, length)
        for rule in rules:
            if rule.fault is Fault.FLIP:
                content = _flipped(content, rule.amount)
            elif rule.fault is Fault.TRUNCATE:
                content = _shortened(content, rule.amount)
        self._end(rules, handle)
        return content

    def size(self, handle: Handle) -> int:
        """Bytes of a stored object."""
        rules = self._begin(Operation.SIZE, handle)
        size_bytes = self.inner.size(handle)
        self._end(rules, handle)
        return size_bytes

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        """Objects of a kind, possibly not all."""
        handle = Handle(kind)
        rules = self._begin(Operation.LIST, handle)
        breaks = [rule for rule in rules if rule.fault is Fault.BREAK_OFF]
        for given, entry in enumerate(self.inner.list(kind)):
            for rule in breaks:
                if given >= rule.amount:
                    raise rule.failure(self.url, handle)
            yield entry
        self._end(rules, handle)

    def remove(self, handle: Handle) -> None:
        """Deletes an object."""
        rules = self._begin(Operation.REMOVE, handle)
        if not any(rule.fault is Fault.DROP for rule in rules):
            self.inner.remove(handle)
        self._end(rules, handle)

    def local_path(self, handle: Handle) -> Path | None:  # noqa: ARG002 - the protocol's signature
        """None, so that nobody reads past the faults."""
        return None

    def close(self) -> None:
        """Closes the storage within."""
        self.inner.close()

    def _begin(self, operation: Operation, handle: Handle) -> Sequence[Rule]:
        with self._guard:
            self.calls.append((operation, handle))
            rules = [rule for rule in self.rules if rule.strikes(operation, handle)]
        for rule in rules:
            if rule.fault is Fault.DELAY:
                time.sleep(rule.delay_s)
            elif rule.fault is Fault.FAIL:
                raise rule.failure(self.url, handle)
        return rules

    def _end(self, rules: Sequence[Rule], handle: Handle) -> None:
        for rule in rules:
            if rule.fault is Fault.FAIL_AFTER:
                raise rule.failure(self.url, handle)


def _flipped(content: bytes, bit: int) -> bytes:
    """The content with one bit turned; a position beyond the end is counted round."""
    if not content:
        return content
    changed = bytearray(content)
    position = bit % (8 * len(content))
    changed[position // 8] ^= 1 << (position % 8)
    return bytes(changed)


def _shortened(content: bytes, missing_bytes: int) -> bytes:
    return content[: max(0, len(content) - missing_bytes)]
