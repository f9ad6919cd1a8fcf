"""An application that is ready for operations, and how it comes out of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import tzinfo
from pathlib import Path
from typing import Self, cast
from zoneinfo import ZoneInfo

import msgspec

from holdfast import __version__
from holdfast.app.building import built_sources, built_targets, keep_by_target, keeps_state, log_paths
from holdfast.app.overrides import Overrides, overridden
from holdfast.config.load import load_config
from holdfast.config.model import Config
from holdfast.model.event import Listener, ignore
from holdfast.operations.context import AppContext, Hooks
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import Clock, SystemClock
from holdfast.runtime.host import hostname


class App:
    """One application with its sources and targets. Close it, or use it as a context manager.

    Attributes:
        config: what it was made from.
        context: what operations work on.
    """

    def __init__(self, config: Config, context: AppContext, resources: ExitStack) -> None:
        self.config = config
        self.context = context
        self._resources = resources

    @property
    def name(self) -> str:
        """The application's name."""
        return self.config.app.name

    @property
    def language(self) -> str:
        """The language of its messages."""
        return self.config.app.language

    @property
    def zone(self) -> tzinfo:
        """The time zone in which its people live."""
        return ZoneInfo(self.config.app.timezone)

    def telling(self, listener: Listener) -> AppContext:
        """The context with events going to a listener."""
        return msgspec.structs.replace(self.context, listener=listener)

    def close(self) -> None:
        """Gives back connections of the targets. Does nothing the second time."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def load_app(
    path: Path | None,
    environment: str | None,
    environ: Mapping[str, str],
    cwd: Path,
    *,
    overrides: Overrides | None = None,
    clock: Clock | None = None,
    cancel: CancelToken | None = None,
    command: str = "holdfast",
) -> App:
    """Reads the configuration and makes the application it describes.

    Args:
        path: of the configuration; None looks for it as people expect.
        environment: one of its environments; None leaves it to `HOLDFAST_ENV`.
        environ: variables.
        cwd: where the search begins.
        overrides: changes for this run.
        clock: tells the time.
        cancel: stops operations.
        command: what is being run, for whoever meets our lock. No secret.

    Raises:
        ConfigNotFound, ConfigUnreadable, ConfigInvalid: there is nothing to go by.
        UnknownName: something is named that does not exist.
    """
    config = load_config(path, environment, environ, cwd)
    return app_from_config(overridden(config, overrides or Overrides()), clock=clock, cancel=cancel, command=command)


def app_from_config(
    config: Config,
    *,
    clock: Clock | None = None,
    cancel: CancelToken | None = None,
    command: str = "holdfast",
) -> App:
    """Makes the application that a configuration describes; nothing is connected to or written yet."""
    clock = clock or SystemClock()
    with ExitStack() as resources:
        targets = built_targets(config, clock, resources)
        context = AppContext(
            app=config.app.name,
            sources=built_sources(config),
            targets=targets,
            state_dir=config.state_dir,
            scratch_dir=config.scratch_dir,
            keep_by_target=keep_by_target(config),
            hooks=_hooks(config),
            log_paths=log_paths(config),
            clock=clock,
            listener=ignore,
            cancel=cancel or CancelToken(),
            verify_after=config.app.verify_after,
            keep_state=keeps_state(config),
            max_age_s=cast(Mapping[str, float], config.objectives.max_age_s),
            language=config.app.language,
            host=hostname(),
            program=f"holdfast {__version__}",
            command=command,
            stall_s=config.app.stall_timeout_s,
            dump_timeout_s=config.app.dump_timeout_s,
        )
        return App(config, context, resources.pop_all())


def _hooks(config: Config) -> Hooks:
    return Hooks(
        before_backup=config.hooks.lines("before_backup"),
        after_backup=config.hooks.lines("after_backup"),
        before_restore=config.hooks.lines("before_restore"),
        after_restore=config.hooks.lines("after_restore"),
        directory=config.base_dir,
        timeout_s=config.hooks.timeout_s,
    )
