"""`holdfast notify …`: try the channels, and see what became of messages."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import click

from holdfast.cli.app_options import APP
from holdfast.cli.app_output import moment
from holdfast.cli.app_session import AppSession, app_command, pass_session
from holdfast.cli.commands import GLOBAL, Group
from holdfast.cli.output import count
from holdfast.cli.text import N_, _, render
from holdfast.cli.values import name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.app import App
    from holdfast.errors import HoldfastError
    from holdfast.model.notice import Delivery
    from holdfast.protocols.channel import Channel

STATES = {"waiting": N_("waiting"), "delivered": N_("delivered"), "given-up": N_("given up")}
DEADLINE_S = 20.0


@click.group("notify", cls=Group, sections=[APP, GLOBAL], help="Try the channels, and see what became of messages.")
def notify() -> None:
    """Shared options have been applied already."""


@app_command("test", help="Send a test message to every channel, or to one.")
@click.option("--channel", "number", type=click.IntRange(min=1), metavar="N", help="Only the channel with this number.")
@pass_session
def test(session: AppSession, number: int | None) -> None:
    """Sends at once, past the list of deliveries, and says what became of it."""
    app, printer = session.app(), session.printer
    failures: dict[str, HoldfastError | None] = {}
    for channel in _chosen(app, number):
        failures[channel.name] = failure = _tried(app, channel)
        if failure is None:
            printer.say("Channel {channel} took the message.", channel=name(channel.name))
        else:
            printer.warn(failure.message, **failure.context)
    printer.document({"channels": [{"channel": each, "error": _told(error)} for each, error in failures.items()]})
    session.finish(next((error for error in failures.values() if error is not None), None))


def _told(error: HoldfastError | None) -> dict[str, object] | None:
    if error is None:
        return None
    return {"code": error.code, "exit_code": error.exit_code, "message": str(error), "hint": error.hint}


def _chosen(app: App, number: int | None) -> Sequence[Channel]:
    from holdfast.app.notifying import channels
    from holdfast.errors import UnknownName

    found = channels(app.config)
    if (number or 1) > len(found):
        known = ", ".join(channel.name for channel in found)
        raise UnknownName(what="channel", name=number or 1, known=known or "none")
    return found if number is None else [found[number - 1]]


def _tried(app: App, channel: Channel) -> HoldfastError | None:
    from holdfast.errors import DeliveryFailed
    from holdfast.model.notice import Notice, Occasion
    from holdfast.notifiers.wording import ping_text, worded

    notice = Notice(occasion=Occasion.TEST, app=app.name, at=app.context.clock.now().at().astimezone(UTC))
    title, body = ping_text(notice, app.language) if channel.is_ping else worded(notice, app.language, app.zone)
    try:
        channel.send(title, body, occasion=notice.occasion, run_id="", deadline_s=DEADLINE_S)
    except DeliveryFailed as error:
        return error
    return None


@app_command("list", help="List messages, the newest first, and whether they arrived.")
@click.option("--state", type=click.Choice(tuple(STATES)), help="Only messages in this state.")
@click.option("--limit", type=click.IntRange(min=1, max=10_000), default=50, show_default=True, help="At most so many.")
@pass_session
def list_deliveries(session: AppSession, state: str | None, limit: int) -> None:
    """Prints deliveries. What was sent is not shown; a report's text may be long."""
    from holdfast.app.catalog_of import open_app_catalog
    from holdfast.model.notice import DeliveryState

    app, printer = session.app(), session.printer
    with open_app_catalog(app) as catalog:
        found = catalog.deliveries.find([DeliveryState(state)] if state else (), limit)
    printer.document({"deliveries": found})
    titles = [_("Created"), _("Channel"), _("Occasion"), _("State"), _("Attempts"), _("Next"), _("Reason")]
    printer.table(titles, [_row(app, delivery) for delivery in found], right=(4,))
    printer.line(count(len(found), "{count} message", "{count} messages"))


def _row(app: App, delivery: Delivery) -> list[str]:
    return [
        moment(delivery.created_at, app.zone),
        name(delivery.channel),
        delivery.occasion.value,
        _(STATES[delivery.state.value]),
        str(delivery.attempts),
        moment(delivery.next_at, app.zone),
        _reason(delivery.error),
    ]


def _reason(said: str) -> str:
    """Why a message did not leave: kept as it was said in English, told in the language of this process."""
    from holdfast.notifiers.transport import ANSWERED

    before = ANSWERED.format(status="")
    if said.startswith(before):
        return render(ANSWERED, {"status": said.removeprefix(before)})
    return render("{reason}", {"reason": said}) if said else ""


notify.add_command(test)
notify.add_command(list_deliveries)
