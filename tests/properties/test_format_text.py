"""Strings, names and times against simple statements of what they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import assume, given
from hypothesis import strategies as st

from holdfast.errors import FormatError
from holdfast.format import gojson, goquote
from holdfast.format.timestamp import parse, parse_ns, render
from properties.format_strategies import nearby_ns, offsets_s


def replaced(text: bytes) -> str:
    """Text as Go decodes it: one replacement character for each byte that is not part of valid UTF-8."""
    return "".join(
        "\ufffd" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in text.decode("utf-8", "surrogateescape")
    )


@given(st.binary() | st.text().map(str.encode))
def test_json_strings_say_what_they_should(text: bytes) -> None:
    quoted = gojson.quote(text)
    assert json.loads(quoted) == replaced(text)
    assert gojson.quote_text(text.decode("utf-8", "surrogateescape")).encode() == quoted


@given(st.binary() | st.text().map(str.encode))
def test_any_name_survives_quoting(name: bytes) -> None:
    quoted = goquote.quote(name).decode("utf-8")
    assert goquote.unquote(quoted) == name
    assert goquote.unquote(json.loads(gojson.quote(goquote.quote(name)))) == name
    assert all(char == " " or (char.isprintable() or ord(char) > 0xFF) for char in quoted)


@given(st.text(alphabet=st.sampled_from("\\\"abfnrtvxuU'0123789dDfF\n\ud800é")))
def test_unquoting_never_does_more_than_refuse(text: str) -> None:
    try:
        name = goquote.unquote(text)
    except FormatError:
        return
    assert goquote.unquote(goquote.quote(name).decode()) == name


@given(nearby_ns, offsets_s)
def test_times_agree_with_datetime(ns: int, offset_s: int) -> None:
    text = render(ns, offset_s)
    assert parse(text).ns == parse_ns(text) == ns
    assert parse(text).offset_s == offset_s
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)
    local = moment.astimezone(timezone(timedelta(seconds=offset_s)))
    assert text.startswith(local.strftime(f"{local.year:04d}-%m-%dT%H:%M:%S"))
    fraction = text[19:].rstrip("Z").partition("+")[0].partition("-")[0]
    assert fraction == (f".{ns % 10**9:09d}".rstrip("0") if ns % 10**9 else "")
    assert text.endswith("Z") == (offset_s == 0)


@given(st.integers(-(1 << 70), 1 << 70), st.integers(-90_000, 90_000))
def test_any_time_can_be_written_and_read(ns: int, offset_s: int) -> None:
    text = render(ns, offset_s)
    assume(abs(offset_s) < 86_400)
    assert render(parse(text).ns, parse(text).offset_s) == text


@given(st.text(alphabet="0123456789-+:.TZ", max_size=40) | st.text(max_size=40))
def test_reading_a_time_never_does_more_than_refuse(text: str) -> None:
    try:
        parsed = parse(text)
    except FormatError:
        return
    assert parse(render(parsed.ns, parsed.offset_s)).ns == parsed.ns
