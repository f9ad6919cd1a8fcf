"""Бэкапы Vertex AR как библиотека: `from backup_manager import create_backup_manager`. Всё делает Holdfast."""

from __future__ import annotations

from pathlib import Path

from holdfast import BackupManager
from holdfast import create_backup_manager as _create

ROOT = Path(__file__).resolve().parent

__all__ = ["BackupManager", "create_backup_manager"]


def create_backup_manager(max_backups: int = 7, backup_dir: str | Path | None = None) -> BackupManager:
    """Менеджер бэкапов по `holdfast.toml` рядом с этим файлом.

    Args:
        max_backups: сколько последних бэкапов каждого типа оставляет `rotate_backups`.
        backup_dir: куда складывать бэкапы; по умолчанию `backups/`.
    """
    # Быстрее, но без сжатия файлов: compression=""
    return _create(config=ROOT / "holdfast.toml", backup_dir=backup_dir, compression="gz", max_backups=max_backups)
