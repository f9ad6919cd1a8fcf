"""Printers, tables, values and JSON."""

from __future__ import annotations

import io
import json

import msgspec
import pytest

from holdfast.cli import values
from holdfast.cli.output import Printer, count, to_json
from holdfast.cli.text import set_language
from holdfast.model.instant import Instant


class Report(msgspec.Struct):
    name: bytes
    parts: tuple[int, ...] = ()


def printer(**named: object) -> tuple[Printer, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Printer(out=out, err=err, **named), out, err  # type: ignore[arg-type]


def test_people_get_text_and_programs_get_json() -> None:
    human, out, err = printer()
    human.say("{path} is not in snapshot {snapshot}", path="a\n", snapshot="b")
    human.document({"a": 1})
    human.warn("{path} is not in snapshot {snapshot}", path="a", snapshot="b")
    assert out.getvalue() == "a\\x0a is not in snapshot b\n"
    assert err.getvalue() == "Warning: a is not in snapshot b\n"
    machine, out, err = printer(json_output=True)
    machine.say("no")
    machine.table(["no"], [["no"]])
    machine.document({"a": Report(b"x\xff", (1, 2))})
    machine.message("status", done=1)
    machine.warn("{a}", a="b")
    assert out.getvalue() == '{"a":{"name":"x\ufffd","parts":[1,2]}}\n{"message_type":"status","done":1}\n'
    assert json.loads(err.getvalue()) == {"message_type": "warning", "message": "b"}


@pytest.mark.parametrize(
    ("named", "seen"),
    [
        ({}, "1"),
        ({"quiet": True}, ""),
        ({"verbose": 1}, "12"),
        ({"verbose": 2}, "123"),
        ({"quiet": True, "verbose": 2}, ""),
    ],
)
def test_quiet_and_verbose(named: dict[str, object], seen: str) -> None:
    told, out, _err = printer(**named)
    told.note("1")
    told.detail(1, "2")
    told.detail(2, "3")
    told.line("result")
    assert out.getvalue().replace("\n", "") == seen + "result"


def test_tables_align_what_people_see() -> None:
    told, out, _err = printer()
    told.table(["ID", "Size", "Paths"], [["a1", "5 B", "/日本\n/b"], ["b2", "12 KiB", "/é"]], right=[1])
    assert out.getvalue().splitlines() == [
        "ID    Size  Paths",
        "-" * 17,
        "a1     5 B  /日本",
        "            /b",
        "b2  12 KiB  /é",
        "-" * 17,
    ]


def test_a_stream_of_few_letters_is_no_error() -> None:
    raw = io.BytesIO()
    told = Printer(out=io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    told.line("é")
    assert raw.getvalue() == b"\\xe9\n"


def test_json_is_always_unicode() -> None:
    assert to_json({"p": "a\udcff\udcfeé"}) == '{"p":"a\ufffd\ufffdé"}'


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.000 KiB"),
        (1536 << 20, "1.500 GiB"),
        (-2048, "-2.000 KiB"),
        (1 << 90, "1073741824.000 EiB"),
    ],
)
def test_sizes(size: int, shown: str) -> None:
    assert values.size(size) == shown


def test_durations_shares_and_times() -> None:
    assert values.duration(0.9) == "0:00"
    assert values.duration(3723) == "1:02:03"
    assert values.duration(-5) == "0:00"
    assert values.percent(1, 8) == "12.50%"
    assert values.percent(0, 0) == "100.00%"
    assert values.moment(Instant(ns=0))[:3] in ("197", "196")
    assert values.moment(Instant(ns=-(1 << 70) // 20))
    assert values.name(b"a\xff\x1b") == "a\\xff\\x1b"


def test_numbers_choose_the_form_of_the_noun() -> None:
    assert count(1, "{count} snapshot", "{count} snapshots") == "1 snapshot"
    set_language("ru")
    forms = {count(number, "{count} snapshot", "{count} snapshots").replace(str(number), "") for number in (1, 2, 5)}
    assert len(forms) == 3
