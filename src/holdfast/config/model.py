"""What a configuration says, typed. The fields of a Struct are the keys of its table, unless its docstring says so."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from holdfast.config.notify import Notify
from holdfast.config.problems import ConfigWarning
from holdfast.config.server import Server
from holdfast.config.spans import seconds
from holdfast.model.backup import BackupType
from holdfast.policy import durations
from holdfast.policy.durations import CalendarDuration

AppName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$(?!\n)",
        description="a name: up to 63 letters a-z, digits, dots, _ and -, beginning with a letter or digit",
    ),
]
Span = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([0-9]{1,9}[smhdw])+$(?!\n)", description="a length of time such as 90s, 15m, 1h30m, 24h, 7d or 2w"
    ),
]
CalendarSpan = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?:([0-9]{1,6})([ymdh])(?!.*\2))+$(?!\n)",
        description="years, months, days and hours such as 30d, 1y6m or 12h",
    ),
]
PathText = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Words = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
HookCommand = Annotated[str, msgspec.Meta(min_length=1)] | Words
HOOKS = ("before_backup", "after_backup", "before_restore", "after_restore")


class App(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[app]`: the application as a whole.

    Attributes:
        name: names the application in backups, tags, logs and notifications.
        language: of messages, notifications, reports and pages.
        timezone: of schedules and of times shown, as in the IANA database.
        state_dir: where locks and marks are kept; `.holdfast` beside the file by default.
        scratch_dir: where large temporary files go; below `state_dir` by default.
        log_file: another log file; each local archive has its `backup.log` anyway.
        verify_after: read every new backup again before it counts as verified.
        keep_state: keep with every full backup what a later incremental one compares with; by default where a policy
            makes incremental backups.
        dump_timeout: how long a source may stay silent before it counts as hung.
        stall_timeout: how long a target may do nothing before a run goes on without it.
    """

    name: AppName
    language: Literal["en", "fa", "ru", "tr"] = "en"
    timezone: str = "UTC"
    state_dir: PathText = ".holdfast"
    scratch_dir: PathText | None = None
    log_file: PathText | None = None
    verify_after: bool = True
    keep_state: bool | None = None
    dump_timeout: Span = "1h"
    stall_timeout: Span = "30m"

    @property
    def dump_timeout_s(self) -> int:
        """`dump_timeout` in seconds."""
        return seconds(self.dump_timeout)

    @property
    def stall_timeout_s(self) -> int:
        """`stall_timeout` in seconds."""
        return seconds(self.stall_timeout)


class Keep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`keep`: which backups stay; the rules add up, and at least one keeps something.

    Attributes:
        last: the newest so many.
        hourly, daily, weekly, monthly, yearly: the newest of each of so many hours … years.
        days: everything younger than so many days, from now.
        within: everything younger than this, from the newest backup.
    """

    last: Count = 0
    hourly: Count = 0
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0
    yearly: Count = 0
    days: Count = 0
    within: CalendarSpan | None = None

    @property
    def within_span(self) -> CalendarDuration:
        """`within` as years, months, days and hours."""
        return durations.parse(self.within or "")

    @property
    def empty(self) -> bool:
        """Whether no rule keeps anything."""
        counts = (self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly, self.days)
        return not any(counts) and not any(character in "123456789" for character in self.within or "")


class SourceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[sources.<name>]`: `options` is an object of the options class of its kind."""

    name: str
    kind: str
    options: object


class TargetConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[targets.<name>]`: `options` is an object of its kind's options class; `keep` wins over that of policies."""

    name: str
    kind: str
    options: object
    keep: Keep | None = None


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[policies.<name>]`: what is done when.

    Attributes:
        schedule: a cron line of five fields, or `hourly`, `daily`, `weekly`, `monthly`; None runs it by hand only.
        type: of the backups.
        sources: names; empty for all that the type takes.
        targets: names; empty for all.
        keep: which backups stay in its targets; None removes nothing.
        jitter: a run starts up to so much later, so that not all machines start at once.
        retries: how often a failed run is repeated.
        retry_delay: how long to wait before that; twice as long each further time.
        timeout: a run that takes longer is ended and has failed.
        enabled: whether its schedule counts.
    """

    schedule: str | None = None
    type: BackupType = BackupType.FULL
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    keep: Keep | None = None
    jitter: Span = "0s"
    retries: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    retry_delay: Span = "5m"
    timeout: Span = "24h"
    enabled: bool = True

    @property
    def jitter_s(self) -> int:
        """`jitter` in seconds."""
        return seconds(self.jitter)

    @property
    def retry_delay_s(self) -> int:
        """`retry_delay` in seconds."""
        return seconds(self.retry_delay)

    @property
    def timeout_s(self) -> int:
        """`timeout` in seconds."""
        return seconds(self.timeout)


class Objectives(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[objectives]`: what the backups are measured against.

    Attributes:
        rpo: how much work may be lost.
        rto: how long a restore may take.
        max_age: how old the newest good backup may be; `rpo` by default.
        sources: another `max_age` for single sources, by name.
    """

    rpo: Span | None = None
    rto: Span | None = None
    max_age: Span | None = None
    sources: dict[str, Span] = {}

    @property
    def rpo_s(self) -> int | None:
        """`rpo` in seconds."""
        return seconds(self.rpo) if self.rpo else None

    @property
    def rto_s(self) -> int | None:
        """`rto` in seconds."""
        return seconds(self.rto) if self.rto else None

    @property
    def max_age_s(self) -> dict[str, int]:
        """Seconds by source; `""` is for those that are not named."""
        default = self.max_age or self.rpo
        return {**({"": seconds(default)} if default else {}), **{n: seconds(s) for n, s in self.sources.items()}}


class Hooks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[hooks]`: programs around runs, without a shell; a text is cut into words as a shell would.

    Attributes:
        before_backup, after_backup, before_restore, after_restore: run one after the other.
        timeout: how long one may take.
    """

    before_backup: tuple[HookCommand, ...] = ()
    after_backup: tuple[HookCommand, ...] = ()
    before_restore: tuple[HookCommand, ...] = ()
    after_restore: tuple[HookCommand, ...] = ()
    timeout: Span = "10m"

    @property
    def timeout_s(self) -> int:
        """`timeout` in seconds."""
        return seconds(self.timeout)

    def lines(self, hook: str) -> tuple[str, ...]:
        """The commands of a hook, each as one line that a shell's quoting rules cut into words."""
        commands: tuple[HookCommand, ...] = getattr(self, hook)
        return tuple(command if isinstance(command, str) else shlex.join(command) for command in commands)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A whole configuration that was checked.

    Attributes:
        path: the file.
        environment: the environment that was chosen; empty for none.
        environments: names of all there are.
        warnings: what works and should not stay as it is.
    """

    path: Path
    app: App
    sources: dict[str, SourceConfig]
    targets: dict[str, TargetConfig]
    policies: dict[str, Policy] = {}
    objectives: Objectives = Objectives()
    notify: Notify = Notify()
    hooks: Hooks = Hooks()
    server: Server = Server()
    environment: str = ""
    environments: tuple[str, ...] = ()
    warnings: tuple[ConfigWarning, ...] = ()

    @property
    def base_dir(self) -> Path:
        """The folder that relative paths start at."""
        return self.path.parent

    @property
    def state_dir(self) -> Path:
        """Where locks and marks are kept."""
        return self.resolve(self.app.state_dir)

    @property
    def scratch_dir(self) -> Path | None:
        """Where large temporary files go; None leaves it to the state directory."""
        return self.resolve(self.app.scratch_dir) if self.app.scratch_dir else None

    @property
    def log_file(self) -> Path | None:
        """The log file besides those of the archives."""
        return self.resolve(self.app.log_file) if self.app.log_file else None

    def resolve(self, path: str) -> Path:
        """A path of the file, made absolute; `~` is the home folder."""
        return self.base_dir / os.path.expanduser(path)
