"""What some folders and writers can do beyond what all can."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from holdfast.protocols.content import ContentReader


@runtime_checkable
class Rereadable(Protocol):
    """A writer whose bytes can be read back before they become visible."""

    def reread(self) -> ContentReader:
        """Reads what was written, from where it is stored. Nothing may be written afterwards."""
        ...


@runtime_checkable
class TakesOver(Protocol):
    """A writer that can make another file its own."""

    def take_over(self, file: Path) -> int | None:
        """Makes a whole file the content, in place of what would be written.

        Returns:
            Its bytes. None if that cannot be done here; then everything is as it was before.
        """
        ...

    def settle(self) -> None:
        """Makes the content durable before `commit` does. Raises `BackendError`."""
        ...


@runtime_checkable
class WithDirectories(Protocol):
    """A folder in which directories exist for themselves and can be left empty."""

    def remove_directory(self, name: str) -> None:
        """Removes a directory if it is empty; does nothing if it is not, or if there is none."""
        ...
