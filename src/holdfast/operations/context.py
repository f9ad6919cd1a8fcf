"""What every operation works on: one application, described once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from holdfast.model.event import Listener, ignore
from holdfast.policy.backup_retention import KeepRules
from holdfast.protocols.source import Source
from holdfast.protocols.target import Target
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import Clock, SystemClock


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """Commands around runs, one program with its arguments each; split as a shell splits words, run without one.

    Attributes:
        directory: where they run; the folder of the configuration.
        timeout_s: how long one may stay silent.
    """

    before_backup: tuple[str, ...] = ()
    after_backup: tuple[str, ...] = ()
    before_restore: tuple[str, ...] = ()
    after_restore: tuple[str, ...] = ()
    directory: Path = Path("/")
    timeout_s: float = 600.0


class AppContext(msgspec.Struct, frozen=True, kw_only=True):
    """One application as operations see it.

    Attributes:
        sources: by name, in the order of the configuration.
        targets: by name, in the order of the configuration.
        keep: what to keep in a target that `keep_by_target` does not name.
        state_dir: 0700; locks, journals of restores, marks. Made when it is not there.
        scratch_dir: where dumps may put large temporary files; None puts them into the state directory.
        log_paths: log files to append to, one at the root of each local archive.
        verify_after: read every new backup again before it counts as verified.
        keep_state: keep with every full backup what a later incremental one compares with.
        max_age_s: by source, how old its newest good backup may be; `""` for sources that are not named.
        stall_s: how long a target may do nothing before a run goes on without it.
        command: what is being run, for whoever meets our lock. Never holds a secret.
    """

    app: str
    sources: Mapping[str, Source]
    targets: Mapping[str, Target]
    state_dir: Path
    scratch_dir: Path | None = None
    keep: KeepRules = KeepRules()
    keep_by_target: Mapping[str, KeepRules] = {}
    hooks: Hooks = Hooks()
    log_paths: tuple[Path, ...] = ()
    clock: Clock = msgspec.field(default_factory=SystemClock)
    listener: Listener = ignore
    cancel: CancelToken = msgspec.field(default_factory=CancelToken)
    verify_after: bool = True
    keep_state: bool = True
    max_age_s: Mapping[str, float] = {}
    language: str = "en"
    host: str = ""
    program: str = ""
    command: str = "holdfast"
    stall_s: float = 1800.0
    dump_timeout_s: float = 3600.0

    def now(self) -> datetime:
        """The present in UTC."""
        return self.clock.now().at().astimezone(UTC)
