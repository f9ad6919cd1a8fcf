"""Telegram, spoken here because scripts of old configure it by two variables and nothing else needs to be installed."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlencode, urlsplit

from holdfast.errors import DeliveryRefused
from holdfast.model.notice import Occasion
from holdfast.notifiers.transport import Transport
from holdfast.notifiers.webhook import cut

API = "https://api.telegram.org"
MAX_CHARS = 4096

_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,100}\Z")
_CHAT = re.compile(r"(?:-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64})\Z")


def is_plain(url: str) -> bool:
    """Whether a `tgram://` URL names a token and chats and nothing that only apprise understands."""
    parts = urlsplit(url)
    return not parts.query and not parts.fragment


class Telegram:
    """Sends messages as a bot. See `holdfast.protocols.channel.Channel`.

    Args:
        name: of the channel.
        token: of the bot.
        chats: where it writes.
        transport: posts.
        api: where the bots' interface is; another one where the usual one cannot be reached.
    """

    is_ping = False

    def __init__(self, name: str, token: str, chats: tuple[str, ...], transport: Transport, *, api: str = API) -> None:
        self.name = name
        self._token = token
        self._chats = chats
        self._transport = transport
        self._api = api.rstrip("/")

    @classmethod
    def from_url(cls, name: str, url: str, transport: Transport, *, api: str = API) -> Telegram:
        """From `tgram://token/chat/chat…`."""
        first, *chats = unquote(url.partition("://")[2]).strip("/").split("/")
        return cls(name, first, tuple(chats), transport, api=api)

    def send(self, title: str, body: str, *, occasion: Occasion, run_id: str, deadline_s: float) -> None:
        """Sends one message to each chat, as plain text: nothing in it is taken for formatting."""
        del occasion, run_id
        if not _TOKEN.match(self._token) or not self._chats or not all(map(_CHAT.match, self._chats)):
            raise DeliveryRefused(channel=self.name, reason="its token or chat is not written as it should be")
        text = cut(f"{title}\n\n{body}", MAX_CHARS)
        url = f"{self._api}/bot{self._token}/sendMessage"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "holdfast"}
        for chat in self._chats:
            content = urlencode({"chat_id": chat, "text": text, "disable_web_page_preview": "true"}).encode()
            self._transport.post(self.name, url, content, headers, deadline_s=deadline_s / len(self._chats))
