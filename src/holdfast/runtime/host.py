"""Who and where this process is, and what the names of others are."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import time
from functools import lru_cache

_NAMES_KEPT = 4096


def hostname() -> str:
    """The name of this machine; empty if it has none."""
    return socket.gethostname()


def username() -> str:
    """The login name of the effective user; empty if the user has none."""
    return user_name(os.geteuid())


def user_id() -> int:
    """The effective user id."""
    return os.geteuid()


def local_actor() -> str:
    """Who runs this process, as records name people of this machine: `user:<name>`, or the number without a name."""
    return f"user:{username() or user_id()}"


def group_id() -> int:
    """The effective group id."""
    return os.getegid()


def process_id() -> int:
    """The id of this process."""
    return os.getpid()


@lru_cache(maxsize=_NAMES_KEPT)
def user_name(uid: int) -> str:
    """The name of a user; empty if unknown. Looked up once per process."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return ""


@lru_cache(maxsize=_NAMES_KEPT)
def group_name(gid: int) -> str:
    """The name of a group; empty if unknown. Looked up once per process."""
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return ""


def pid_alive(pid: int) -> bool:
    """Whether a process with this id runs on this machine. One that has ended but was not reaped does not."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            after_name = stat.read().rpartition(b")")[2].split()
    except OSError:
        return False
    return bool(after_name) and after_name[0] in (b"Z", b"X")


def process_age_s(pid: int) -> float | None:
    """Seconds since a process of this machine began, suspended time included; None if it is not there."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            began_ticks = int(stat.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began_ticks / os.sysconf("SC_CLK_TCK")


@lru_cache(maxsize=1)
def boot_id() -> str:
    """A name of this run of the kernel; empty where the system does not tell one."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as source:
            return source.read().strip()
    except OSError:
        return ""
