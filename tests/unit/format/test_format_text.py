"""Go's ways of writing strings, names and times."""

from __future__ import annotations

import hashlib

import pytest

from holdfast.errors import FormatError
from holdfast.format import gojson, goquote
from holdfast.format.timestamp import GO_ZERO_NS, parse, parse_ns, render


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", b'""'),
        (b"plain name.txt", b'"plain name.txt"'),
        (b'"\\', rb'"\"\\"'),
        (b"\n\r\t\b\f", rb'"\n\r\t\b\f"'),
        (b"\x00\x01\x1f\x7f", b'"\\u0000\\u0001\\u001f\x7f"'),
        (b"<a>&", rb'"\u003ca\u003e\u0026"'),
        ("\u2028\u2029".encode(), rb'"\u2028\u2029"'),
        ("é\u00a0\U0001f600".encode(), '"é\u00a0\U0001f600"'.encode()),
        (b"a\xffb", rb'"a\ufffdb"'),
        (b"\xe2\x80", rb'"\ufffd\ufffd"'),
        (b"\xed\xa0\x80", rb'"\ufffd\ufffd\ufffd"'),
        (b"\xf0\x9f\x98", rb'"\ufffd\ufffd\ufffd"'),
        (b"\xc0\xaf\xf5", rb'"\ufffd\ufffd\ufffd"'),
        ("\ufffd".encode(), '"\ufffd"'.encode()),
    ],
)
def test_json_strings(text: bytes, expected: bytes) -> None:
    assert gojson.quote(text) == expected
    assert gojson.quote_text(text.decode("utf-8", "surrogateescape")) == expected.decode()


# The first four are the examples of the format sheet, without the escaping of JSON.
@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        (b"x\xff\n", r"x\xff\n"),
        (b'a"b', r"a\"b"),
        ("é<".encode(), "é<"),
        (b"tab\t", r"tab\t"),
        (b"a\\b", r"a\\b"),
        (b"\a\b\f\n\r\t\v", r"\a\b\f\n\r\t\v"),
        (b"\x01\x1b\x7f", r"\x01\x1b\x7f"),
        ("\x80\x9f".encode(), r"\u0080\u009f"),
        (
            "\u00a0\u00ad\u200b\u200d\ufeff\u2028\u3000\ue000".encode(),
            r"\u00a0\u00ad\u200b\u200d\ufeff\u2028\u3000\ue000",
        ),
        ("\U000e0001\U0010ffff".encode(), r"\U000e0001\U0010ffff"),
        ("\U0001f600\ufe0f\ufffd".encode(), "\U0001f600\ufe0f\ufffd"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        # New in Unicode 15.0, and new in 15.1 and 16.0.
        ("\U0001fae8".encode(), "\U0001fae8"),
        ("\U0002ebf0\u1c89".encode(), r"\U0002ebf0\u1c89"),
    ],
)
def test_names(name: bytes, quoted: str) -> None:
    assert goquote.quote(name) == quoted.encode()
    assert goquote.unquote(quoted) == name


def test_every_character_is_quoted_as_restic_does() -> None:
    """The hash was taken when restic 0.19.1 had written the same names, 60 code points in each."""
    codes = [code for code in range(1, 0x110000) if not 0xD800 <= code <= 0xDFFF and code != 0x2F]
    digest = hashlib.sha256()
    for number, start in enumerate(range(0, len(codes), 60)):
        name = f"{number:06d}" + "".join(map(chr, codes[start : start + 60]))
        digest.update(gojson.quote(goquote.quote(name.encode())) + b"\n")
    assert digest.hexdigest() == "7f5059c01e035e36e206cfc98a4d77eb2c5d5ec6cfdcf84aaaa5ea3dbe0128b8"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (r"\101\060", b"A0"),
        (r"\xFF\xfF", b"\xff\xff"),
        (r"\u00e9\U0001F600", "é\U0001f600".encode()),
        (r"\377", b"\xff"),
    ],
)
def test_other_ways_to_write_a_name_are_read(text: str, name: bytes) -> None:
    assert goquote.unquote(text) == name


@pytest.mark.parametrize(
    "text",
    [
        '"', 'a"b', "\\", "a\\", "a\nb", r"\'", r"\q", r"\x4", r"\xg0", r"\400", r"\777", r"\08", r"\u12", r"\ud800",
        r"\udfff", r"\U00110000", r"\U0000d800", r"\Uffffffff", r"\U0001f60", "\ud800", r"\\\"" + '"',
    ],
)  # fmt: skip
def test_what_go_cannot_unquote_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        goquote.unquote(text)


@pytest.mark.parametrize(
    ("ns", "offset_s", "text"),
    [
        (0, 0, "1970-01-01T00:00:00Z"),
        (1_767_323_045_600_000_000, 0, "2026-01-02T03:04:05.6Z"),
        (1, 0, "1970-01-01T00:00:00.000000001Z"),
        (-1, 0, "1969-12-31T23:59:59.999999999Z"),
        (0, 3600, "1970-01-01T01:00:00+01:00"),
        (0, -12_600, "1969-12-31T20:30:00-03:30"),
        (500_000_000, 49_500, "1970-01-01T13:45:00.5+13:45"),
        (GO_ZERO_NS, 0, "0001-01-01T00:00:00Z"),
        (GO_ZERO_NS - 366 * 86_400 * 10**9, 0, "0000-01-01T00:00:00Z"),
        (951_782_400 * 10**9, 0, "2000-02-29T00:00:00Z"),
        (253_402_300_799_999_999_999, 0, "9999-12-31T23:59:59.999999999Z"),
    ],
)
def test_times(ns: int, offset_s: int, text: str) -> None:
    assert render(ns, offset_s) == text
    parsed = parse(text)
    assert (parsed.ns, parsed.offset_s) == (ns, offset_s)
    assert parse_ns(text) == ns


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (253_402_300_800_000_000_000, "9999-01-01T00:00:00Z"),
        (GO_ZERO_NS - 367 * 86_400 * 10**9, "0000-12-31T00:00:00Z"),
        ((1 << 63) * 1000, "9999-"),
        (-(1 << 63) * 1000, "0000-"),
        (253_402_300_800 * 10**9 + 59 * 86_400 * 10**9, "9999-03-01T00:00:00Z"),
    ],
)
def test_years_are_clamped(ns: int, text: str) -> None:
    rendered = render(ns)
    assert rendered.startswith(text)
    assert render(parse_ns(rendered)) == rendered


def test_an_offset_of_seconds_keeps_the_instant() -> None:
    assert render(0, 30) == "1970-01-01T00:00:00Z"
    assert parse(render(0, 3630)).ns == 0
    assert parse(render(0, -3630)).ns == 0


@pytest.mark.parametrize(
    ("text", "ns"),
    [("1970-01-01T00:00:00.1234567899Z", 123_456_789), ("1970-01-01T00:00:00.50+00:00", 500_000_000)],
)
def test_other_ways_to_write_a_time_are_read(text: str, ns: int) -> None:
    assert parse(text).ns == ns


@pytest.mark.parametrize(
    "text",
    [
        "", "2026", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-13-02T03:04:05Z",
        "2026-02-29T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00z",
        "10000-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "2026-01-01T00:00:00Z\n", "２026-01-01T00:00:00Z",
        "2026-01-01T00:00:00." + "1" * 5000 + "Z", "1900-02-29T00:00:00Z", "0100-02-29T00:00:00Z",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse(text)
    with pytest.raises(FormatError):
        parse_ns(text)
