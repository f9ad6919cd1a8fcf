"""What `[notify]` says, typed, and what two variables of old add to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

NotifyUrl = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$(?!\n)", description="a URL such as mailto://… or tgram://…"),
]
Event = Literal[
    "success", "warning", "failure", "overdue", "recovered", "low-space", "shrunk", "grown", "refused", "damage",
    "restored", "drill-failed", "report",
]  # fmt: skip
Size = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9]{1,9}([KMGT]iB)?$(?!\n)", description="a size such as 500MiB, 20GiB or 1TiB"),
]
Allowed = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_.:\[\]/-]{1,253}$(?!\n)",
        description="an address, a network or a host name, such as 10.0.0.5, 10.0.0.0/24 or hooks.lan",
    ),
]
WebUrl = Annotated[str, msgspec.Meta(pattern=r"^https?://\S+$(?!\n)", description="a URL that begins with https://")]

DEFAULT_ON: tuple[Event, ...] = ("failure", "overdue", "recovered", "damage", "low-space", "drill-failed")
TELEGRAM_TOKEN, TELEGRAM_CHAT, TELEGRAM_API = "TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "TELEGRAM_API_URL"

_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


class Notify(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[notify]`: who is told, by URL, and about what.

    Attributes:
        urls: one for each channel; they hold secrets.
        on: the occasions that channels are told of.
        healthchecks: URL of a check that hears of each start and end of a backup; a secret.
        allow: hosts and addresses that messages may go to although they are not public.
        low_space: less free room than this in a target is told of.
        telegram_api: where the interface of Telegram's bots is.
    """

    urls: tuple[NotifyUrl, ...] = ()
    on: tuple[Event, ...] = DEFAULT_ON
    healthchecks: NotifyUrl | None = None
    allow: tuple[Allowed, ...] = ()
    low_space: Size | None = None
    telegram_api: WebUrl = "https://api.telegram.org"

    @property
    def low_space_bytes(self) -> int:
        """`low_space` in bytes; 0 if it is not given."""
        number = (self.low_space or "0").rstrip("KMGTiB")
        return int(number) * _UNITS[(self.low_space or "0")[len(number) :]]


def with_telegram(notify: Notify, given: Mapping[str, object], variables: Mapping[str, str]) -> Notify:
    """Adds the chat that `TELEGRAM_BOT_TOKEN` and `TELEGRAM_CHAT_ID` name, unless a URL names it already.

    Where nothing says what to tell, that chat hears of every backup, as scripts with these variables always did it.

    Args:
        notify: what the table says.
        given: the table as it was written.
        variables: of the environment and of `.env`.
    """
    token, chat = variables.get(TELEGRAM_TOKEN, "").strip(), variables.get(TELEGRAM_CHAT, "").strip()
    api = variables.get(TELEGRAM_API, "").strip()
    if api and "telegram_api" not in given:
        notify = msgspec.structs.replace(notify, telegram_api=api)
    if not token or not chat or any(token in url for url in notify.urls):
        return notify
    every = ("success", "warning") if "on" not in given and not notify.urls else ()
    return msgspec.structs.replace(notify, urls=(*notify.urls, f"tgram://{token}/{chat}"), on=(*every, *notify.on))
