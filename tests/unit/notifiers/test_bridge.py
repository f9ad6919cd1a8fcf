"""Everything apprise knows goes through a process that connects only where it may."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from holdfast.errors import DeliveryFailed, DeliveryRefused
from holdfast.model.notice import Occasion
from holdfast.notifiers.bridge import Bridge
from holdfast.notifiers.guard import Guard
from holdfast.notifiers.transport import LATE, NOT_ALLOWED
from holdfast.testing.receivers import canary, http_receiver, silence, smtp_receiver, status, tarpit

DEADLINE_S = 60.0


def _send(
    url: str,
    allow: tuple[str, ...] = (),
    *,
    title: str = "shop: made",
    body: str = "سلام\nsecond line",
    deadline_s: float = DEADLINE_S,
) -> None:
    bridge = Bridge("1:x", url, Guard(allow))
    bridge.send(title, body, occasion=Occasion.SUCCESS, run_id="", deadline_s=deadline_s)


def test_mail_server_gets_the_real_message() -> None:
    with smtp_receiver() as (port, letters):
        _send(f"mailto://127.0.0.1:{port}/?from=a@example.org&to=b@example.org", ("127.0.0.1",), title="فروشگاه: خوب")
    message = message_from_bytes(letters[0].content, policy=policy.default)
    body = message.get_body(("plain",))
    assert letters[0].recipients == ["<b@example.org>"]
    assert message["subject"] == "فروشگاه: خوب"
    assert body is not None
    assert body.get_content().split() == ["سلام", "second", "line"]


@pytest.mark.parametrize("scheme", ["xml", "form", "ntfy"])
def test_service_on_this_machine_is_not_connected_to(scheme: str) -> None:
    with canary() as bird:
        with pytest.raises(DeliveryRefused) as caught:
            _send(f"{scheme}://127.0.0.1:{bird.port}/topic")
        assert bird.touched == 0
    assert caught.value.context["reason"] == NOT_ALLOWED


def test_service_that_is_allowed_gets_the_message() -> None:
    with http_receiver() as receiver:
        _send(f"ntfy://127.0.0.1:{receiver.port}/topic", ("127.0.0.0/8",))
    assert json.loads(receiver.requests[0].body)["message"] == "سلام\nsecond line"


def test_long_body_is_cut_to_what_the_service_takes() -> None:
    with http_receiver() as receiver:
        _send(f"ntfy://127.0.0.1:{receiver.port}/topic", ("127.0.0.1",), body="word " * 4000)
    assert 1000 < len(json.loads(receiver.requests[0].body)["message"]) < 8000
    assert len(receiver.requests) == 1


def test_service_that_is_allowed_by_name_gets_the_message() -> None:
    with http_receiver() as receiver:
        _send(f"ntfy://localhost:{receiver.port}/topic", ("localhost",))
    assert len(receiver.requests) == 1


def test_redirect_is_not_followed_even_if_the_url_asks_for_it() -> None:
    with canary() as bird, http_receiver(status(302, {"Location": f"http://127.0.0.1:{bird.port}/"})) as receiver:
        with pytest.raises(DeliveryFailed):
            _send(f"form://127.0.0.1:{receiver.port}/?redirect=yes", ("127.0.0.1",))
        assert bird.touched == 0


def test_tarpit_ends_with_the_deadline() -> None:
    with http_receiver(tarpit) as receiver, pytest.raises(DeliveryFailed) as caught:
        _send(f"form://127.0.0.1:{receiver.port}/", ("127.0.0.1",), deadline_s=2.0)
    assert caught.value.context["reason"] == LATE


@pytest.mark.parametrize("url", ["nosuchservice://a/b", "mailto://"])
def test_url_of_no_service_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(DeliveryRefused) as caught:
        _send(url)
    assert url not in str(caught.value)


def _children() -> list[Path]:
    """The processes that this one started and that send messages."""
    found: list[Path] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid() and b"apprise_child" in (folder / "cmdline").read_bytes():
                found.append(folder)
    return found


def test_secret_is_in_no_process_list() -> None:
    secret = "c4n4ry-s3cr3t"
    failures: list[DeliveryFailed] = []

    def send() -> None:
        try:
            _send(f"form://user:{secret}@127.0.0.1:{receiver.port}/{secret}", ("127.0.0.1",))
        except DeliveryFailed as error:
            failures.append(error)

    with http_receiver(silence) as receiver:
        thread = threading.Thread(target=send)
        thread.start()
        while not receiver.requests:
            thread.join(0.05)
        (child,) = _children()
        seen = (child / "cmdline").read_bytes() + (child / "environ").read_bytes()
    thread.join()
    assert b"apprise_child" in seen
    assert secret.encode() not in seen
    assert len(failures) == 1
