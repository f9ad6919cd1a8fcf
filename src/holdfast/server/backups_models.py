"""Answers of the five routes below `/backups`, as a client may rely on them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["full", "database", "storage", "config", "incremental"]
Wanted = Literal["all", "full", "database", "storage", "config", "incremental"]


class Answer(BaseModel):
    """Keys stand side by side here; the library's own may grow."""

    model_config = ConfigDict(extra="allow")
    success: Literal[True] = True


class Record(BaseModel):
    """A backup; see `BackupRecord` of the library for all keys."""

    model_config = ConfigDict(extra="allow")
    backup_id: str = Field(examples=["backup_2024_01_01_12_00_00"])
    timestamp: str = Field(examples=["20240101_120000"])
    type: str = Field(examples=["full"])
    backup_path: str = Field(examples=["backups/full/full_backup_20240101_120000.json"])
    file_size: int = Field(description="Bytes.", examples=[15728640])
    checksum: str
    created_at: str = Field(examples=["2024-01-01T12:00:00Z"])
    file_count: int


class Created(Answer, Record):
    """A backup that was made."""

    message: str


class Listed(Answer):
    """Backups, the newest first."""

    backups: list[Record]
    total_count: int
    total_size: int


class Stats(Answer):
    """All backups in numbers."""

    total_backups: int = Field(examples=[10])
    total_size: int = Field(description="Bytes of all copies.", examples=[157286400])
    total_size_mb: float = Field(examples=[150.0])
    average_size: int
    oldest_backup: str | None
    newest_backup: str | None
    by_type: dict[str, int] = Field(examples=[{"full": 7, "database": 3}])


class Restored(Answer):
    """What a restore brought back."""

    message: str
    backup_id: str
    restored: list[str]
    rows: dict[str, int]
    file_count: int
    safety_copies: list[str]
    undo: list[Any]
    verified: bool


class Rotated(Answer):
    """What was deleted."""

    message: str
    removed: list[str]
    removed_count: int
    freed_bytes: int
