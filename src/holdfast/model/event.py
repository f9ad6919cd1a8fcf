"""What an operation tells while it runs. Events are data; printing them is somebody else's work."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from holdfast.errors import Phrase


class Progress(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="progress"):
    """How far a phase of an operation is. A total of 0 means that it is not known yet."""

    phase: str
    items_done: int = 0
    items_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    current: str = ""


class Warned(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="warning"):
    """Something a person should know that does not stop the operation.

    `code` is stable and English; `subject` names the object; `detail` says what happened.
    """

    code: str
    subject: str
    detail: str = ""


Event = Progress | Warned
Listener = Callable[[Event], None]


def phase_in_words(phase: str) -> Phrase:
    """A phase, or a stage of a run, as people are told of it; those of one source carry its name."""
    verb, _, name = phase.partition(" ")
    for phrase in (Phrase("read {name}", {"name": name}), Phrase("load {name}", {"name": name})):
        if name and phrase == f"{verb} {name}":
            return phrase
    return Phrase("{detail}", {"detail": phase})


def ignore(_event: Event) -> None:
    """A listener that listens to nothing."""
