"""Reading and writing the crontab of this user, through the program `crontab`."""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from holdfast.errors import HoldfastError, Phrase, ScheduleNotInstalled
from holdfast.runtime.programs import Patience, Program, find_program

_PATIENCE_S = 30.0
_LOCALTIME = "/etc/localtime"


def read_crontab() -> bytes:
    """The crontab of this user; empty if there is none.

    Raises:
        ScheduleNotInstalled: it cannot be read.
    """
    with _started(["-l"]) as program:
        content = bytearray()
        while block := program.read():
            content += block
        ending = program.finish()
    if ending.status == 0:
        return bytes(content)
    if ending.status == 1 and "no crontab" in ending.said:
        return b""
    raise _failed(ending.said)


def write_crontab(content: bytes, *, expected: bytes) -> None:
    """Puts a crontab in the place of the one that was read; an empty one is removed.

    Raises:
        ScheduleNotInstalled: somebody has changed it since, or it is not what was written.
    """
    if read_crontab() != expected:
        raise ScheduleNotInstalled(place="cron", reason="somebody else is editing the crontab")
    with _started(["-"] if content else ["-r"], feeds=True) as program:
        program.feed(content)
        ending = program.finish()
    if ending.status != 0:
        raise _failed(ending.said)
    if read_crontab() != content:
        raise ScheduleNotInstalled(place="cron", reason="crontab kept something else than it was given")


def machine_zone() -> tzinfo:
    """The zone whose clock cron goes by."""
    target = os.path.realpath(_LOCALTIME)
    _, found, name = target.partition("/zoneinfo/")
    if found:
        return ZoneInfo(name)
    if not os.path.exists(target):
        return UTC
    with open(target, "rb") as file:
        return ZoneInfo.from_file(file, key="localtime")


def _started(arguments: list[str], *, feeds: bool = False) -> Program:
    program = find_program(["crontab"])
    if program is None:
        raise ScheduleNotInstalled(place="cron", reason="the program crontab is not there")
    patience = Patience(_PATIENCE_S, _silent, lambda: None)
    try:
        return Program([program, *arguments], patience, feeds=feeds)
    except OSError as error:
        raise ScheduleNotInstalled(place="cron", reason=error.strerror or str(error)) from error


def _silent(seconds: float) -> HoldfastError:
    return ScheduleNotInstalled(
        place="cron", reason=Phrase("crontab did nothing for {seconds} s", {"seconds": int(seconds)})
    )


def _failed(said: str) -> ScheduleNotInstalled:
    return ScheduleNotInstalled(place="cron", reason=Phrase("crontab says: {said}", {"said": said.strip()[-300:]}))
