"""From URLs to channels: a table of what is spoken here, and apprise for everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from holdfast.notifiers import telegram
from holdfast.notifiers.bridge import Bridge
from holdfast.notifiers.guard import Guard, Resolve, system_resolve
from holdfast.notifiers.healthchecks import Healthchecks
from holdfast.notifiers.telegram import Telegram
from holdfast.notifiers.transport import Transport
from holdfast.notifiers.webhook import SCHEMES, Webhook
from holdfast.protocols.channel import Channel


class ChannelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told.

    Attributes:
        urls: one for each channel. Secrets.
        healthchecks: URL of a check; empty for none.
        allow: hosts and addresses that may be connected to although they are not public.
        telegram_api: where the interface of Telegram's bots is.
    """

    urls: tuple[str, ...] = ()
    healthchecks: str = ""
    allow: tuple[str, ...] = ()
    telegram_api: str = telegram.API


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What channels are made with."""

    guard: Guard
    transport: Transport
    telegram_api: str


_Maker = Callable[[str, str, Tools], Channel]


def _webhook(name: str, url: str, tools: Tools) -> Channel:
    return Webhook(name, url, tools.transport)


def _healthchecks(name: str, url: str, tools: Tools) -> Channel:
    return Healthchecks(name, url, tools.transport)


def _telegram(name: str, url: str, tools: Tools) -> Channel:
    if not telegram.is_plain(url):
        return Bridge(name, url, tools.guard)
    return Telegram.from_url(name, url, tools.transport, api=tools.telegram_api)


_MAKERS: dict[str, _Maker] = {
    **dict.fromkeys(SCHEMES, _webhook),
    **dict.fromkeys(("healthchecks", "hc+https", "hc+http"), _healthchecks),
    "tgram": _telegram,
}


def channels_of(settings: ChannelSettings, *, resolve: Resolve = system_resolve) -> tuple[Channel, ...]:
    """The channels, in the order of their URLs; a check comes last."""
    guard = Guard(settings.allow, resolve=resolve)
    tools = Tools(guard=guard, transport=Transport(guard), telegram_api=settings.telegram_api)
    urls: Sequence[str] = [*settings.urls, *([settings.healthchecks] if settings.healthchecks else [])]
    check = len(settings.urls) + 1 if settings.healthchecks else 0
    return tuple(_channel(number, url, tools, is_check=number == check) for number, url in enumerate(urls, 1))


def _channel(number: int, url: str, tools: Tools, *, is_check: bool) -> Channel:
    scheme = url.partition(":")[0].lower()
    if is_check and scheme in ("http", "https"):
        return Healthchecks(f"{number}:healthchecks", f"hc+{url}", tools.transport)
    maker = _MAKERS.get(scheme)
    name = f"{number}:{scheme}"
    return maker(name, url, tools) if maker is not None else Bridge(name, url, tools.guard)
