"""Putting something else in the place of a module's or class's attribute for a while.

For tests of tests: planting a bug, or letting this process pass for another one. Everything else passes fakes in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from holdfast.runtime import host

_NO_PROCESS = 2**22 + 1
"""More than the largest process id Linux gives out."""


@contextlib.contextmanager
def standing_in(owner: object, **attributes: object) -> Generator[None]:
    """Replaces attributes of a module or class, and puts the old ones back."""
    before = {name: getattr(owner, name) for name in attributes}
    try:
        for name, value in attributes.items():
            setattr(owner, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


@contextlib.contextmanager
def doomed_process(number: int = 0) -> Generator[None]:
    """Whatever is done meanwhile is done by a process that nobody will find alive; there are many of them."""
    with standing_in(host, process_id=lambda: _NO_PROCESS + number):
        yield
