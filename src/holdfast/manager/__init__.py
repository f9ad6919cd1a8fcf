"""The library face: `BackupManager` and what its methods return.

from holdfast import create_backup_manager

manager = create_backup_manager(max_backups=7)
result = manager.create_full_backup()
print(result["backup_path"], result["checksum"])
"""

from __future__ import annotations

from holdfast.manager.factory import create_backup_manager
from holdfast.manager.manager import BackupManager
from holdfast.manager.records import BackupRecord, BackupStats, RestoreResult

__all__ = ["BackupManager", "BackupRecord", "BackupStats", "RestoreResult", "create_backup_manager"]
