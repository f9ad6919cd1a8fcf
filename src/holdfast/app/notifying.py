"""From `[notify]` to channels and the courier that brings messages to them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from holdfast.config.model import Config
from holdfast.model.notice import Occasion
from holdfast.notifiers.delivery import Courier
from holdfast.notifiers.keeping import Deliveries
from holdfast.notifiers.occasions import Limits
from holdfast.notifiers.registry import ChannelSettings, channels_of
from holdfast.protocols.channel import Channel
from holdfast.runtime.clock import Clock


def channels(config: Config) -> tuple[Channel, ...]:
    """The channels of a configuration, in the order of their numbers."""
    notify = config.notify
    return channels_of(
        ChannelSettings(
            urls=notify.urls,
            healthchecks=notify.healthchecks or "",
            allow=notify.allow,
            telegram_api=notify.telegram_api,
        )
    )


def courier(config: Config, deliveries: Deliveries, *, clock: Clock) -> Courier:
    """The courier of an application; it sends nothing before it is asked to."""
    return Courier(
        deliveries,
        channels(config),
        app=config.app.name,
        on=[Occasion(word) for word in config.notify.on],
        clock=clock,
        language=config.app.language,
        zone=ZoneInfo(config.app.timezone),
    )


def limits(config: Config) -> Limits:
    """When a change is worth telling."""
    return Limits(low_space_bytes=config.notify.low_space_bytes)
