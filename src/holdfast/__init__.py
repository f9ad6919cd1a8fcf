"""Holdfast: backups for applications, proven restorable."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.manager import BackupManager, create_backup_manager

__version__ = "0.1.0"
__all__ = ["BackupManager", "__version__", "create_backup_manager"]


def __getattr__(name: str) -> object:
    """The library face, imported when it is asked for: the command line starts without it."""
    if name in ("BackupManager", "create_backup_manager"):
        from holdfast import manager

        return getattr(manager, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
