"""Units of systemd that run policies: what is written into them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

MARK = "# Written by `holdfast schedule install`, and deleted by `holdfast schedule remove`."

_PLAIN = """\
NoNewPrivileges=yes
UMask=0077
Nice=10
IOSchedulingClass=idle
"""
_ENCLOSED = """\
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""
_ROOT = "CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_FOWNER CAP_CHOWN\n"
_NOBODY = "CapabilityBoundingSet=\nAmbientCapabilities=\n"


class UnitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the units of one policy are made from.

    Attributes:
        calendar: see `holdfast.policy.on_calendar`.
        command: what is run, with its arguments.
        user: whom it runs as; empty for units of a person's own manager, which run as that person.
        directory: the working directory.
        writable: folders it writes to; None leaves it unenclosed, where hooks may do anything.
        timeout_s: when systemd ends it, after everything that the policy allows.
    """

    app: str
    policy: str
    calendar: Sequence[str]
    command: Sequence[str]
    user: str
    directory: str
    writable: Sequence[str] | None
    timeout_s: int


def unit_name(app: str, policy: str) -> str:
    """The name of both units without its ending."""
    return f"holdfast-{app}-{policy}"


def service_text(facts: UnitFacts) -> str:
    """The unit that runs the policy once."""
    lines = [
        MARK,
        *_whose(facts.app, facts.policy),
        "[Unit]",
        f"Description=Holdfast: policy {facts.policy} of {facts.app}",
        *(["Wants=network-online.target", "After=network-online.target"] if facts.user else []),
        "",
        "[Service]",
        "Type=oneshot",
        *([f"User={facts.user}"] if facts.user else []),
        f"WorkingDirectory={_percent(facts.directory)}",
        f"ExecStart={' '.join(map(_word, facts.command))}",
        f"TimeoutStartSec={facts.timeout_s}",
    ]
    text = "\n".join(lines) + "\n" + _PLAIN
    if facts.user and facts.writable is not None:
        paths = "".join(f"ReadWritePaths={_word('-' + path)}\n" for path in facts.writable)
        text += _ENCLOSED + (_ROOT if facts.user == "root" else _NOBODY) + paths
    return text


def timer_text(facts: UnitFacts) -> str:
    """The unit that starts the other when the policy is due, and after the machine was off or asleep, once."""
    lines = [
        MARK,
        *_whose(facts.app, facts.policy),
        "[Unit]",
        f"Description=Holdfast: when policy {facts.policy} of {facts.app} is due",
        "",
        "[Timer]",
        *(f"OnCalendar={line}" for line in facts.calendar),
        "Persistent=true",
        "AccuracySec=1s",
        f"Unit={unit_name(facts.app, facts.policy)}.service",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def is_ours(text: str, app: str) -> bool:
    """Whether a unit was written for an application by us."""
    return text.startswith(MARK + "\n") and text.splitlines()[1:2] == [f"# app: {app}"]


def _whose(app: str, policy: str) -> list[str]:
    return [f"# app: {app}", f"# policy: {policy}"]


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """One word of a line of systemd."""
    escaped = _percent(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"' if any(character in escaped for character in " \t'\"\\;") else escaped
