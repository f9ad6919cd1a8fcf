"""Bodies and answers of the interface for admin panels, field by field as its guide shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

T = TypeVar("T")
_ID = "backup_2025_09_16_12_30_45"
BackupId = Annotated[
    str,
    Field(
        pattern=r"^backup_[0-9]{4}(_[0-9]{2}){5}(_[1-9][0-9]{0,3})?$",
        max_length=40,
        description="A backup's id.",
        examples=[_ID],
    ),
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Frequency = Literal["hourly", "daily", "weekly", "monthly"]


class Body(BaseModel):
    """What somebody sends: fields that nobody knows are refused, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


class Envelope(BaseModel, Generic[T]):
    """A request that was carried out."""

    success: Literal[True] = True
    message: str
    data: T


class ErrorDetail(BaseModel):
    """What went wrong: `code` is stable and has a page of its own, `hint` says what to do next."""

    code: str = Field(examples=["not-enough-space"])
    hint: str = Field(examples=["Clean up space or add capacity, then back up again; nothing was committed."])


class Failure(BaseModel):
    """A request that was not, or not completely, carried out."""

    success: Literal[False] = False
    message: str = Field(examples=["Not enough disk space for backup: 15 MiB needed, 2 MiB available in target local"])
    error: ErrorDetail
    data: dict[str, Any] | None = None


class ComponentEntry(BaseModel):
    """One component in a manifest; `count` is the number of rows, and is there for exports of tables only."""

    file: str = Field(examples=[f"backups/{_ID}/image_timelines.json"])
    count: int | None = Field(default=None, examples=[150])
    size: int = Field(description="Bytes.", examples=[204800])


class ManifestEntry(BaseModel):
    """What a backup holds."""

    backup_id: str = Field(examples=[_ID])
    created_at: str = Field(description="ISO 8601 in UTC.", examples=["2025-09-16T12:30:45Z"])
    version: str = Field(examples=["1.0"])
    components: dict[str, ComponentEntry]
    total_size: int = Field(description="Bytes of the file that holds everything.", examples=[15728640])


class CreatedBackup(BaseModel):
    """A backup that was made."""

    backup_id: str = Field(examples=[_ID])
    backup_path: str = Field(examples=[f"backups/{_ID}.zip"])
    size: int = Field(description="Bytes.", examples=[15728640])
    created_at: str = Field(description="ISO 8601 in UTC.", examples=["2025-09-16T12:30:45Z"])
    manifest: ManifestEntry
    type: str = Field(
        examples=["full"], description="`full` where there was nothing an incremental one could build on."
    )
    warnings: list[str] = []


def _written_out(value: object) -> object:
    # A number could be seconds or milliseconds; whoever means one of them gets the other.
    if isinstance(value, str) and "-" in value:
        return value
    raise ValueError("write it as ISO 8601 with its zone")


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]


class IncrementalBody(Body):
    """Since when changes are wanted; without it, since the newest backup."""

    since: Moment | None = Field(default=None, examples=["2025-09-15T00:00:00Z"])


class ListedEntry(BaseModel):
    """One backup; `created_at` is a Unix time here."""

    file: str = Field(examples=[f"backups/{_ID}.zip"])
    size: int = Field(examples=[15728640])
    created_at: int = Field(description="Seconds since 1970-01-01 UTC.", examples=[1758025845])
    backup_id: str = Field(examples=[_ID])
    type: str = Field(examples=["full"])
    targets: list[str] = Field(description="Where copies of it are.", examples=[["local"]])
    verified: bool
    held: bool


class BackupList(BaseModel):
    """Backups, the newest first."""

    backups: list[ListedEntry]
    total_count: int = Field(examples=[1])
    total_size: int = Field(examples=[15728640])


class RestoreBody(Body):
    """What to bring back: everything, or only some components or tables."""

    backup_id: BackupId
    components: list[Name] = Field(default=[], max_length=100, examples=[["database"]])
    tables: list[Name] = Field(default=[], max_length=1000, examples=[["story_comments"]])


class RestoredEntry(BaseModel):
    """What was brought back, counted afterwards in the place it was brought to."""

    backup_id: str = Field(examples=[_ID])
    restored: list[str] = Field(examples=[["database", "storage"]])
    rows: dict[str, int] = Field(examples=[{"story_comments": 500}])
    files: int
    verified: bool
    safety_copies: list[str]
    undo: list[str]
    duration_seconds: float


class DeletedEntry(BaseModel):
    """A backup that was deleted."""

    backup_id: str = Field(examples=[_ID])
    targets: list[str] = Field(examples=[["local"]])
    freed_size: int


class CleanupBody(Body):
    """How many days backups are kept."""

    days_to_keep: int = Field(ge=1, le=36500, examples=[30])


class CleanupEntry(BaseModel):
    """What was deleted because of its age."""

    deleted: list[str] = Field(examples=[[_ID]])
    deleted_count: int
    freed_size: int
    days_to_keep: int


class ScheduleBody(Body):
    """When backups are made by themselves, and how long they are kept."""

    full_backup_frequency: Frequency = Field(examples=["weekly"])
    incremental_backup_frequency: Frequency = Field(examples=["daily"])
    retention_days: int = Field(ge=1, le=36500, examples=[30])
    enabled: bool = Field(examples=[True])
    components: dict[Name, Frequency] = Field(
        default={},
        max_length=100,
        description="Components that are backed up at a frequency of their own.",
        examples=[{"performance_metrics": "daily"}],
    )


class ScheduleEntry(ScheduleBody):
    """The schedule, and when the next backups are due."""

    next_runs: dict[str, datetime] = Field(default={}, examples=[{"api-full": "2025-09-21T03:00:00Z"}])


class StatsEntry(BaseModel):
    """All backups in numbers; the moments are Unix times, and null while there is no backup."""

    total_backups: int = Field(examples=[10])
    total_size: int = Field(examples=[157286400])
    oldest_backup: int | None = Field(examples=[1757939445])
    newest_backup: int | None = Field(examples=[1758025845])
    average_size: int = Field(examples=[15728640])


class StartedRun(BaseModel):
    """A run that was begun; see `/api/v1/runs/{run_id}`."""

    run_id: str = Field(examples=["0123456789abcdef0123456789abcdef"])
    state: str = Field(examples=["queued"])
