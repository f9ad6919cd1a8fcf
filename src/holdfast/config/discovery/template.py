"""The text of a new configuration, with comments."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.config.discovery.findings import Findings, FoundSource, Reference
from holdfast.config.positions import dotted
from holdfast.config.shapes import items
from holdfast.config.toml_text import value_text

_NOT_IN_APP_NAMES = re.compile(r"[^A-Za-z0-9._-]+")

_HEAD = """\
# What Holdfast backs up, where to, and how long it is kept.
#
#   holdfast config check      says what is wrong in this file
#   holdfast create            makes a backup
#   holdfast list              shows what there is
#
# Relative paths start at this file. ${NAME} is a variable of the environment or of the file .env beside this one.

[app]
name = {name}
language = "en"                  # en | fa | ru | tr: messages, notifications, reports
timezone = "UTC"                 # of schedules, such as "Europe/Istanbul"
"""

_TAIL = """\

# Plain dated files that any tool can open.
[targets.backups]
kind = "archive"
url = "backups"                  # a path, or s3:// gs:// az:// sftp://
layout = "typed"                 # typed | flat | bundle | directory
compression = "gz"               # gz | zst | "" for none

# An encrypted, deduplicated copy somewhere else: take the signs # away, and add "offsite" to the policy below.
# [targets.offsite]
# kind = "repository"
# url = "s3://bucket/{name}"
# password_file = "/etc/holdfast/{name}.password"

[policies.nightly]
schedule = "0 2 * * *"           # cron, or hourly | daily | weekly | monthly
type = "full"                    # full | database | storage | config | incremental
targets = ["backups"]
keep = { last = 7, daily = 7, weekly = 4, monthly = 12 }

# [objectives]
# rpo = "24h"                    # how much work may be lost
# rto = "4h"                     # how long a restore may take

# [notify]
# urls = ["tgram://${TELEGRAM_BOT_TOKEN}/${TELEGRAM_CHAT_ID}"]
# on = ["failure", "overdue", "drill-failed"]

# [hooks]
# before_restore = ["docker compose down"]
# after_restore = ["docker compose up -d"]
"""


def app_name(folder: Path) -> str:
    """A name for the application in a folder."""
    return _NOT_IN_APP_NAMES.sub("-", folder.name).strip("-._")[:63] or "app"


def config_text(name: str, findings: Findings) -> str:
    """The file."""
    sources = "".join(f"\n{_source_text(source)}" for source in findings.sources)
    return _HEAD.replace("{name}", value_text(name)) + sources + _TAIL.replace("{name}", name)


def _source_text(source: FoundSource) -> str:
    lines = [f"# Found: {_one_line(str(source.origin))}."]
    lines += [f"# Note: {_one_line(str(note))}." for note in source.notes]
    lines += [f"[sources.{dotted((source.name,))}]", f"kind = {value_text(source.kind)}"]
    lines += [f"{dotted((key,))} = {value_text(_escaped(value))}" for key, value in source.options.items()]
    return "\n".join(lines) + "\n"


def _escaped(value: object) -> object:
    """A text that means itself must not be taken for a variable."""
    if isinstance(value, str) and not isinstance(value, Reference):
        return value.replace("${", "$${")
    many = items(value)
    return value if many is None else [_escaped(one) for one in many]


def _one_line(text: str) -> str:
    return value_text(text)[1:-1].replace('\\"', '"')
