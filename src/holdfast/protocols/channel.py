"""A way to reach somebody: e-mail, a messenger, a webhook, a dead man's switch."""

from __future__ import annotations

from typing import Protocol

from holdfast.model.notice import Occasion


class Channel(Protocol):
    """One receiver of messages.

    `send` is called from one thread at a time and only by a `Courier`, never from a run. It must come back by itself
    within its deadline, whatever the receiver does, and must not show what the receiver answers.
    """

    @property
    def name(self) -> str:
        """Number of the URL in the configuration and its scheme, such as `1:tgram`; never the URL."""
        ...

    @property
    def is_ping(self) -> bool:
        """Whether it takes starts and ends of runs instead of messages: the body is the sentence of an error alone."""
        ...

    def send(self, title: str, body: str, *, occasion: Occasion, run_id: str, deadline_s: float) -> None:
        """Delivers one message.

        Args:
            title: one line; nothing in it can disturb a header or a terminal.
            body: text; cut to what the receiver takes.
            occasion: what happened.
            run_id: of the run it is about; empty if there is none.
            deadline_s: after so long it has failed.

        Raises:
            DeliveryFailed: not this time; trying again may help.
            DeliveryRefused: not as it is configured.
        """
        ...
