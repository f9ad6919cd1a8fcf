"""Writing units where systemd looks for them, and taking them away again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from holdfast.errors import HoldfastError, Phrase, ScheduleNotInstalled
from holdfast.runtime.programs import Patience, find_program, run_program
from holdfast.scheduler.units import UnitFacts, is_ours, service_text, timer_text, unit_name

_SYSTEM = Path("/etc/systemd/system")
_PATIENCE_S = 90.0


class Units:
    """The units of one application in one folder.

    Args:
        app: its name.
        user: of the manager of this user, not of the machine.
        directory: another folder; nothing is enabled there.
    """

    def __init__(self, app: str, *, user: bool, directory: str | None) -> None:
        self._app = app
        self._user = user
        self._folder = Path(directory) if directory else _user_folder() if user else _SYSTEM
        self._enables = directory is None

    def planned(self, facts: Iterable[UnitFacts]) -> dict[Path, str]:
        """What is to be in which file.

        Raises:
            ScheduleNotInstalled: a file of that name is there and is not ours.
        """
        files: dict[Path, str] = {}
        for one in facts:
            stem = unit_name(one.app, one.policy)
            files[self._folder / f"{stem}.service"] = service_text(one)
            files[self._folder / f"{stem}.timer"] = timer_text(one)
        for path in files:
            if path.exists() and not is_ours(path.read_text(errors="replace"), self._app):
                raise self._failed(Phrase("{path} is there and was not written for this app", {"path": str(path)}))
        return files

    def installed(self) -> list[Path]:
        """Our units that are there."""
        found = sorted(self._folder.glob(f"holdfast-{self._app}-*.*"))
        units = [path for path in found if path.suffix in (".service", ".timer") and path.is_file()]
        return [path for path in units if is_ours(path.read_text(errors="replace"), self._app)]

    def install(self, files: Mapping[Path, str]) -> None:
        """Writes and enables units, in the place of all that are there. If that fails, what was there is put back.

        Raises:
            ScheduleNotInstalled: it failed.
        """
        former = {path: path.read_text() for path in self.installed()}
        gone = [path for path in former if path not in files]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._disable(gone)
            self._write(files)
            _delete(gone)
            self._reload()
            self._systemctl("enable", "--now", _timers(files))
        except (OSError, HoldfastError) as error:
            with contextlib.suppress(OSError, HoldfastError):
                self._disable([path for path in files if path not in former])
                _delete([path for path in files if path not in former])
                self._write(former)
                self._reload()
                self._systemctl("enable", "--now", _timers(former))
            raise self._failed(error.strerror or str(error)) if isinstance(error, OSError) else error from error

    def remove(self, ours: Sequence[Path]) -> None:
        """Disables and deletes units.

        Raises:
            ScheduleNotInstalled: it failed.
        """
        if not ours:
            return
        try:
            self._disable(ours)
            _delete(ours)
            self._reload()
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error

    def _write(self, files: Mapping[Path, str]) -> None:
        for path, text in files.items():
            temporary = path.with_name(f".{path.name}.new")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            # Units hold no secret, and systemd warns of those that not everybody may read.
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        if files:
            # DURABILITY: the names, too.
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _disable(self, paths: Iterable[Path]) -> None:
        self._systemctl("disable", "--now", _timers(paths))

    def _reload(self) -> None:
        self._systemctl("daemon-reload", "", None)

    def _systemctl(self, verb: str, option: str, units: Sequence[str] | None) -> None:
        if not self._enables or units == []:
            return
        program = find_program(["systemctl"])
        if program is None:
            raise self._failed("the program systemctl is not there")
        command = [program, *(["--user"] if self._user else []), verb, *([option] if option else []), *(units or [])]
        try:
            _, ending = run_program(command, Patience(_PATIENCE_S, self._silent, lambda: None))
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error
        if ending.status != 0:
            raise self._failed(Phrase("systemctl says: {said}", {"said": ending.said.strip()[-300:]}))

    def _silent(self, seconds: float) -> HoldfastError:
        return self._failed(Phrase("systemctl did nothing for {seconds} s", {"seconds": int(seconds)}))

    def _failed(self, reason: object) -> ScheduleNotInstalled:
        return ScheduleNotInstalled(place=str(self._folder), reason=reason)


def _timers(paths: Iterable[Path]) -> list[str]:
    return [path.name for path in paths if path.suffix == ".timer"]


def _delete(paths: Iterable[Path]) -> None:
    # SAFETY: only files that begin with our mark and name this application come here.
    for path in paths:
        path.unlink(missing_ok=True)


def _user_folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(base) / "systemd/user"
