"""No message goes where no message may go."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

import pytest

from holdfast.errors import DeliveryFailed, DeliveryRefused, DestinationRefused
from holdfast.notifiers.guard import NOT_FOUND, Guard, system_resolve
from holdfast.notifiers.transport import LATE, NOT_ALLOWED, Transport
from holdfast.testing.receivers import canary, http_receiver, silence, status, tarpit
from unit.notifiers.url_corpus import urls

ANSWERS = {
    "mixed.example": ["93.184.215.14", "127.0.0.1"],
    "127.0.0.1.sslip.example": ["127.0.0.1"],
    "rebound.example": ["127.0.0.1"],
    "private.example": ["10.1.2.3"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "zone.example": ["fe80::1%lo"],
    "public.example": ["93.184.215.14"],
}


def resolve(host: str, port: int) -> Sequence[str]:
    """Names of the corpus, and for everything else the system's resolver with all its notations of numbers."""
    return ANSWERS[host] if host in ANSWERS else [] if host.endswith(".example") else system_resolve(host, port)


def test_corpus_is_large() -> None:
    assert len(set(urls(1))) >= 200


def test_nothing_of_the_corpus_reaches_the_canary() -> None:
    with canary() as bird:
        transport = Transport(Guard(resolve=resolve))
        for url in urls(bird.port):
            with pytest.raises((DeliveryRefused, DeliveryFailed)) as caught:
                transport.post("1:http", url, b"{}", {}, deadline_s=10)
            assert caught.value.context["reason"] in (NOT_ALLOWED, NOT_FOUND), url
        assert bird.touched == 0


def test_canary_would_sing() -> None:
    with canary() as bird:
        with contextlib.suppress(DeliveryFailed):
            Transport(Guard(["127.0.0.1"])).post("1:http", f"http://127.0.0.1:{bird.port}/", b"", {}, deadline_s=5)
        assert bird.touched == 1


@pytest.mark.parametrize(
    ("url", "host", "port", "address", "target"),
    [
        ("https://public.example/a?b=c#d", "public.example", 443, "93.184.215.14", "/a?b=c"),
        ("http://PUBLIC.example.:8080", "public.example", 8080, "93.184.215.14", "/"),
        ("https://93.184.215.14/ü", "93.184.215.14", 443, "93.184.215.14", "/%C3%BC"),
        ("https://[2606:4700::1111]/x", "2606:4700::1111", 443, "2606:4700::1111", "/x"),
    ],
)
def test_public_url_is_taken_apart(url: str, host: str, port: int, address: str, target: str) -> None:
    found = Guard(resolve=resolve).destination(url)
    assert (found.host, found.port, found.address, found.target) == (host, port, address, target)


@pytest.mark.parametrize("host", ["0x5db8d70e", "1572394766", "93.184.55054", "0135.0270.0327.016", "93.184.215.014"])
def test_address_is_four_plain_numbers_even_if_it_is_public(host: str) -> None:
    with pytest.raises(DestinationRefused) as caught:
        Guard(resolve=resolve).destination(f"http://{host}/")
    assert caught.value.context["reason"] == "write the address as four numbers"


@pytest.mark.parametrize("allow", ["10.1.2.3", "10.1.0.0/16", "private.example", "PRIVATE.example."])
def test_what_is_allowed_is_let_through(allow: str) -> None:
    guard = Guard([allow], resolve=resolve)
    assert guard.destination("http://private.example/").address == "10.1.2.3"
    with pytest.raises(DestinationRefused):
        guard.destination("http://10.2.0.1/")


def test_name_that_changes_its_address_is_looked_up_once() -> None:
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["93.184.215.14"] if len(asked) == 1 else ["127.0.0.1"]

    guard = Guard(resolve=rebinding)
    assert guard.destination("http://rebinds.example/").address == "93.184.215.14"
    assert asked == ["rebinds.example"]
    with pytest.raises(DestinationRefused):
        guard.destination("http://rebinds.example/")


def test_failed_lookup_is_a_refusal() -> None:
    def failing(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    with pytest.raises(DestinationRefused):
        Guard(resolve=failing).destination("http://public.example/")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirect_to_loopback_is_not_followed(code: int) -> None:
    with canary() as bird, http_receiver(status(code, {"Location": f"http://127.0.0.1:{bird.port}/"})) as receiver:
        with pytest.raises(DeliveryRefused) as caught:
            Transport(Guard(["127.0.0.1"])).post("1:http", f"{receiver.base}/", b"", {}, deadline_s=5)
        assert bird.touched == 0
    assert str(caught.value.context["reason"]).endswith(f"status {code}")


@pytest.mark.parametrize("answer", [tarpit, silence])
def test_slow_receiver_is_left_at_the_deadline(answer: object) -> None:
    with http_receiver(answer) as receiver, pytest.raises(DeliveryFailed) as caught:  # type: ignore[arg-type]
        Transport(Guard(["127.0.0.1"])).post("1:http", f"{receiver.base}/", b"", {}, deadline_s=0.5)
    assert caught.value.context["reason"] == LATE


def test_slow_lookup_is_left_at_the_deadline() -> None:
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(canary())

        def hanging(_host: str, _port: int) -> Sequence[str]:
            with socket.create_connection(("127.0.0.1", gate.port)) as connected:
                connected.settimeout(30)
                return ["93.184.215.14"] if connected.recv(1) == b"never" else []

        with pytest.raises(DeliveryFailed):
            Transport(Guard(resolve=hanging)).post("1:http", "http://slow.example/", b"", {}, deadline_s=0.3)


@pytest.mark.parametrize(("code", "transient"), [(400, False), (401, False), (404, False), (429, True), (503, True)])
def test_status_says_whether_to_try_again(code: int, transient: bool) -> None:
    with http_receiver(status(code)) as receiver, pytest.raises(DeliveryFailed) as caught:
        Transport(Guard(["127.0.0.1"])).post("1:http", f"{receiver.base}/", b"", {}, deadline_s=5)
    assert caught.value.transient is transient
    assert "secret answer" not in str(caught.value)


def test_credentials_of_the_url_become_a_header() -> None:
    with http_receiver() as receiver:
        url = f"http://us%40er:p%C3%A4ss@127.0.0.1:{receiver.port}/x"
        Transport(Guard(["127.0.0.1"])).post("1:http", url, b"body", {}, deadline_s=5)
    assert receiver.requests[0].headers["authorization"] == "Basic dXNAZXI6cMOkc3M="
    assert receiver.requests[0].headers["host"] == f"127.0.0.1:{receiver.port}"
