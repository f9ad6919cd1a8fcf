"""Webhook, Telegram and Healthchecks: the real messages arrive, and nothing else does."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from holdfast.errors import DeliveryFailed, DeliveryRefused
from holdfast.model.notice import Occasion
from holdfast.notifiers.healthchecks import Healthchecks, ping_url
from holdfast.notifiers.registry import ChannelSettings, channels_of
from holdfast.notifiers.telegram import MAX_CHARS
from holdfast.notifiers.webhook import MAX_BODY_CHARS
from holdfast.protocols.channel import Channel
from holdfast.testing.receivers import Receiver, hang_up, http_receiver, status

RUN = "0123456789abcdef0123456789abcdef"
LOCAL = ("127.0.0.1",)
UUID = "5d0e6a3e-1111-4222-8333-444455556666"


def _send(channel: Channel, title: str = "shop: خوب", body: str = "first\nsecond", *, run_id: str = RUN) -> None:
    channel.send(title, body, occasion=Occasion.FAILURE, run_id=run_id, deadline_s=5)


def _channel(receiver: Receiver, url: str) -> Channel:
    filled = url.replace("{at}", f"127.0.0.1:{receiver.port}")
    return channels_of(ChannelSettings(urls=(filled,), allow=LOCAL, telegram_api=receiver.base))[0]


@pytest.mark.parametrize("scheme", ["http", "json"])
def test_webhook_gets_one_document(scheme: str) -> None:
    with http_receiver() as receiver:
        _send(_channel(receiver, scheme + "://{at}/hook?key=1"))
    (request,) = receiver.requests
    assert request.path == "/hook?key=1"
    assert json.loads(request.body) == {
        "version": "1.0",
        "title": "shop: خوب",
        "message": "first\nsecond",
        "type": "failure",
        "occasion": "failure",
        "run_id": RUN,
    }


def test_long_body_is_cut() -> None:
    with http_receiver() as receiver:
        _send(_channel(receiver, "http://{at}/"), body="ü" * 100_000)
        _send(_channel(receiver, "tgram://12345:AAE_x-y/-100"), body="ü" * 100_000)
    assert len(json.loads(receiver.requests[0].body)["message"]) == MAX_BODY_CHARS
    text = parse_qs(receiver.requests[1].body.decode())["text"][0]
    assert len(text) == MAX_CHARS
    assert text.endswith("…")


def test_telegram_gets_plain_text_in_every_chat() -> None:
    with http_receiver() as receiver:
        _send(_channel(receiver, "tgram://12345:AAE_x-y/-10042/@channel"), body="<b>*not* formatting</b>")
    assert [request.path for request in receiver.requests] == ["/bot12345:AAE_x-y/sendMessage"] * 2
    forms = [parse_qs(request.body.decode()) for request in receiver.requests]
    assert [form["chat_id"] for form in forms] == [["-10042"], ["@channel"]]
    assert forms[0]["text"] == ["shop: خوب\n\n<b>*not* formatting</b>"]
    assert "parse_mode" not in forms[0]


@pytest.mark.parametrize("url", ["tgram://nonsense/1", "tgram://1:a/../../x", "tgram://1:a", "tgram://1:a/1%0d%0aX:1"])
def test_telegram_of_another_form_is_refused(url: str) -> None:
    with http_receiver() as receiver:
        with pytest.raises(DeliveryRefused):
            _send(_channel(receiver, url))
        assert receiver.requests == []


@pytest.mark.parametrize(
    ("title", "path"), [("start", "/start"), ("success", ""), ("fail", "/fail"), ("log", "/log"), ("else", "")]
)
def test_check_hears_which_way_and_of_which_run(title: str, path: str) -> None:
    with http_receiver() as receiver:
        _send(_channel(receiver, f"hc+http://{{at}}/ping/{UUID}"), title=title, body="The disk is full.")
    (request,) = receiver.requests
    assert request.path == f"/ping/{UUID}{path}?rid=01234567-89ab-cdef-0123-456789abcdef"
    assert request.body == b"The disk is full."


def test_check_of_the_configuration_may_be_any_url() -> None:
    with http_receiver() as receiver:
        settings = ChannelSettings(healthchecks=f"{receiver.base}/ping/{UUID}", allow=LOCAL)
        (channel,) = channels_of(settings)
        _send(channel, title="start", run_id="")
    assert receiver.requests[0].path == f"/ping/{UUID}/start"
    assert channel.is_ping


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"healthchecks://{UUID}", f"https://hc-ping.com/{UUID}"),
        (f"healthchecks://{UUID}@hc.example.org:8000", f"https://hc.example.org:8000/ping/{UUID}"),
        (f"hc+https://hc.example.org/p/{UUID}/", f"https://hc.example.org/p/{UUID}"),
    ],
)
def test_url_of_a_check(url: str, expected: str) -> None:
    assert ping_url(url) == expected


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (status(500), DeliveryFailed),
        (status(429), DeliveryFailed),
        (hang_up, DeliveryFailed),
        (status(403), DeliveryRefused),
    ],
)
def test_answer_is_never_shown(answer: object, kind: type[DeliveryFailed]) -> None:
    with http_receiver(answer) as receiver, pytest.raises(kind) as caught:  # type: ignore[arg-type]
        _send(_channel(receiver, "http://user:canary-password@{at}/canary-path"))
    assert type(caught.value) is kind
    assert "secret answer" not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_server_that_is_gone_is_tried_again() -> None:
    with http_receiver() as receiver:
        channel = _channel(receiver, "http://{at}/")
    with pytest.raises(DeliveryFailed) as caught:
        _send(channel)
    assert caught.value.transient


def test_check_is_pinged_over_tls_by_default() -> None:
    assert isinstance(channels_of(ChannelSettings(healthchecks=f"healthchecks://{UUID}"))[0], Healthchecks)
