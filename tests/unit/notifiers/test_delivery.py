"""Messages are stored first and sent by others than the run; none is lost, none delays anything."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from holdfast.errors import CatalogUnavailable, DeliveryFailed, DeliveryRefused
from holdfast.model.notice import Delivery, DeliveryState, Notice, Occasion
from holdfast.notifiers.delivery import BACK_OFF_S, GIVE_UP_S, KEPT_S, Courier
from holdfast.runtime.cancel import CancelToken
from holdfast.testing.fake_channel import FakeChannel, FakeDeliveries
from holdfast.testing.fake_clock import FakeClock

ON = frozenset({Occasion.FAILURE, Occasion.SUCCESS, Occasion.RECOVERED})
RUN = "0123456789abcdef0123456789abcdef"
DOWN = DeliveryFailed(channel="1:fake", reason="status 503")


def _notice(occasion: Occasion = Occasion.FAILURE) -> Notice:
    return Notice(occasion=occasion, app="shop", at=datetime(2026, 1, 1, tzinfo=UTC), run_id=RUN)


class Post:
    """A courier with everything around it."""

    def __init__(self, *channels: FakeChannel, on: frozenset[Occasion] = ON) -> None:
        self.clock = FakeClock()
        self.deliveries = FakeDeliveries()
        self.channels = channels or (FakeChannel(),)
        self.on = on
        self.courier = self.another()

    def another(self) -> Courier:
        """As another process would have it."""
        return Courier(self.deliveries, self.channels, app="shop", on=self.on, clock=self.clock)

    def round(self, courier: Courier | None = None) -> None:
        """One round, to its end."""
        for thread in (courier or self.courier).step():
            thread.join()

    @property
    def only(self) -> Delivery:
        """The one delivery there is."""
        (row,) = self.deliveries.rows.values()
        return row


def test_accept_only_stores() -> None:
    post = Post()
    assert post.courier.accept(_notice()) == 1
    assert post.channels[0].attempts == 0
    assert post.only.state is DeliveryState.WAITING
    assert threading.active_count() == len(threading.enumerate())


def test_message_arrives_and_is_noted() -> None:
    post = Post()
    post.courier.accept(_notice())
    post.round()
    (sent,) = post.channels[0].sent
    assert (sent.occasion, sent.run_id) == (Occasion.FAILURE, RUN)
    assert (post.only.state, post.only.attempts, post.only.next_at) == (DeliveryState.DELIVERED, 1, None)
    assert post.only.delivered_at is not None


def test_only_wanted_occasions_are_stored() -> None:
    post = Post()
    assert post.courier.accept(_notice(Occasion.GROWN)) == 0
    assert post.courier.accept(_notice(Occasion.TEST)) == 1


def test_same_thing_of_the_same_run_is_told_once() -> None:
    post = Post()
    assert post.courier.accept_all([_notice(), _notice(Occasion.RECOVERED), _notice()]) == 2
    assert post.courier.accept(_notice(Occasion.RECOVERED)) == 0
    assert post.courier.accept(Notice(occasion=Occasion.FAILURE, app="shop", at=_notice().at)) == 1


def test_hanging_channel_holds_up_nobody() -> None:
    slow, quick = FakeChannel("1:slow"), FakeChannel("2:quick")
    slow.hold = threading.Event()
    post = Post(slow, quick)
    post.courier.accept(_notice())
    threads = post.courier.step()
    threads[1].join()
    assert len(quick.sent) == 1
    assert post.courier.accept(_notice(Occasion.SUCCESS)) == 2
    post.courier.step()[0].join()
    assert len(quick.sent) == 2
    assert post.courier.flush(0) is False
    slow.hold.set()
    threads[0].join()
    post.round()
    assert len(slow.sent) == 2


def test_failed_message_is_repeated_with_growing_waits_until_it_arrives() -> None:
    post = Post()
    post.channels[0].failures = [DOWN] * len(BACK_OFF_S)
    post.courier.accept(_notice())
    post.round()
    for wait_s in BACK_OFF_S:
        assert (post.only.state, post.only.error) == (DeliveryState.WAITING, "status 503")
        post.clock.advance(wait_s - 1)
        before = post.channels[0].attempts
        post.round()
        assert post.channels[0].attempts == before
        post.clock.advance(1)
        post.round()
    assert post.only.state is DeliveryState.DELIVERED
    assert post.only.attempts == len(BACK_OFF_S) + 1


def test_channel_that_is_down_is_tried_once_a_round_whatever_waits() -> None:
    post = Post()
    post.channels[0].failures = [DOWN]
    post.courier.accept_all([_notice(), _notice(Occasion.SUCCESS), _notice(Occasion.TEST)])
    post.round()
    assert post.channels[0].attempts == 1
    post.clock.advance(61)
    post.round()
    assert len(post.channels[0].sent) == 3


def test_after_a_day_it_is_given_up_and_the_others_are_told() -> None:
    broken, well, check = FakeChannel("1:broken"), FakeChannel("2:well"), FakeChannel("3:hc", is_ping=True)
    broken.always = DOWN
    post = Post(broken, well, check)
    post.courier.accept(_notice())
    for _hour in range(GIVE_UP_S // 3600 + 1):
        post.round()
        post.clock.advance(3600)
    post.round()
    by_channel = [(row.channel, row.occasion, row.state) for row in post.deliveries.rows.values()]
    assert ("1:broken", Occasion.FAILURE, DeliveryState.GIVEN_UP) in by_channel
    assert [sent.occasion for sent in well.sent] == [Occasion.FAILURE, Occasion.DELIVERY_FAILED]
    assert "1:broken" in well.sent[1].body
    assert len(check.sent) == 1


def test_refused_message_is_given_up_at_once() -> None:
    broken, well = FakeChannel("1:broken"), FakeChannel("2:well")
    broken.always = DeliveryRefused(channel="1:broken", reason="status 401")
    post = Post(broken, well)
    post.courier.accept(_notice())
    post.round()
    post.round()
    assert broken.attempts == 1
    assert [sent.occasion for sent in well.sent] == [Occasion.FAILURE, Occasion.DELIVERY_FAILED]


def test_news_of_a_failed_delivery_never_multiplies() -> None:
    first, second = FakeChannel("1:first"), FakeChannel("2:second")
    first.always = second.always = DeliveryRefused(channel="x", reason="status 401")
    post = Post(first, second)
    post.courier.accept(_notice())
    for _round in range(5):
        post.round()
    assert len(post.deliveries.rows) == 4


def test_defect_of_a_channel_is_a_failed_attempt() -> None:
    post = Post()
    post.channels[0].failures = [ZeroDivisionError()]
    post.courier.accept(_notice())
    post.round()
    assert (post.only.state, post.only.error) == (DeliveryState.WAITING, "ZeroDivisionError")


def test_what_a_dead_process_left_is_sent_by_another() -> None:
    post = Post()
    post.courier.accept(_notice())
    other = post.another()
    post.round(other)
    assert post.channels[0].sent == []
    post.clock.advance(61)
    post.round(other)
    assert len(post.channels[0].sent) == 1


def test_two_processes_do_not_send_twice() -> None:
    post = Post()
    post.courier.accept(_notice())
    post.clock.advance(61)
    couriers = [post.another() for _number in range(4)]
    threads = [thread for courier in couriers for thread in courier.step()]
    for thread in threads:
        thread.join()
    assert len(post.channels[0].sent) == 1


def test_starts_are_never_repeated() -> None:
    message, check = FakeChannel("1:message"), FakeChannel("2:hc", is_ping=True)
    check.failures = [DOWN]
    post = Post(message, check, on=frozenset(Occasion))
    post.courier.accept(_notice(Occasion.STARTED))
    post.round()
    assert {row.channel: row.state for row in post.deliveries.rows.values()}["2:hc"] is DeliveryState.GIVEN_UP


def test_old_ping_does_not_follow_a_newer_one() -> None:
    check = FakeChannel("1:hc", is_ping=True)
    check.failures = [DOWN]
    post = Post(check)
    post.courier.accept(_notice(Occasion.FAILURE))
    post.round()
    post.clock.advance(10)
    post.courier.accept(_notice(Occasion.SUCCESS))
    post.round()
    post.clock.advance(3600)
    post.round()
    assert [sent.title for sent in check.sent] == ["success"]
    assert {row.error for row in post.deliveries.rows.values()} == {"overtaken", ""}


@pytest.mark.parametrize(
    ("occasion", "signal"),
    [
        (Occasion.STARTED, "start"), (Occasion.SUCCESS, "success"), (Occasion.WARNING, "fail"),
        (Occasion.FAILURE, "fail"),
        (Occasion.DAMAGE, "fail"), (Occasion.DRILL_FAILED, "fail"), (Occasion.TEST, "log"),
    ],
)  # fmt: skip
def test_check_turns_green_for_whole_backups_only(occasion: Occasion, signal: str) -> None:
    check = FakeChannel("1:hc", is_ping=True)
    post = Post(check, on=frozenset())
    post.courier.accept(_notice(occasion))
    post.round()
    assert [sent.title for sent in check.sent] == [signal]


def test_who_hears_of_the_recovery_does_not_hear_of_the_success_too() -> None:
    message, check = FakeChannel("1:message"), FakeChannel("2:hc", is_ping=True)
    post = Post(message, check)
    post.courier.accept_all([_notice(Occasion.SUCCESS), _notice(Occasion.RECOVERED)])
    post.round()
    assert [sent.occasion for sent in message.sent] == [Occasion.RECOVERED]
    assert [sent.title for sent in check.sent] == ["success"]


def test_channel_that_is_gone_ends_its_deliveries_quietly() -> None:
    post = Post(FakeChannel("1:old"), FakeChannel("2:left"))
    post.courier.accept(_notice())
    post.channels = (post.channels[1],)
    post.clock.advance(61)
    post.round(post.another())
    assert [(row.channel, row.error) for row in post.deliveries.rows.values()] == [
        ("1:old", "no-channel"),
        ("2:left", ""),
    ]


def test_old_deliveries_are_forgotten_and_waiting_ones_never() -> None:
    post = Post()
    post.courier.accept(_notice())
    post.round()
    post.clock.advance(KEPT_S + 1)
    post.round()
    assert not post.deliveries.rows


def test_work_goes_on_when_the_catalog_fails_and_ends_when_stopped() -> None:
    post = Post()
    stop = CancelToken()
    seen: list[object] = []

    class Broken(FakeDeliveries):
        def take_due(self, at: datetime, limit: int = 100, *, hold_s: float = 300) -> list[Delivery]:
            raise CatalogUnavailable(reason="gone")

    def failed(error: object) -> None:
        seen.append(error)
        stop.cancel()

    Courier(Broken(), post.channels, app="shop", on=ON, clock=post.clock).work(stop, failed=failed)
    assert len(seen) == 1
