"""A sentence with values: English wherever it is kept, translated where it is shown."""

from __future__ import annotations

import pickle

import msgspec
import pytest

from holdfast.errors import BackupTooOld, NoBase, Phrase, english, joined
from holdfast.model.component import Problem
from holdfast.operations.doctor_report import Finding
from holdfast.operations.reports import plain
from holdfast.runtime.translation import render, translate_error, translated

_TEMPLATE = "there is no good backup of {source}"


def test_a_phrase_reads_in_english_and_is_stored_so() -> None:
    phrase = Phrase(_TEMPLATE, {"source": "shop"})
    assert phrase == "there is no good backup of shop"
    assert plain(Finding(level="ok", code="ok", subject="a", detail=phrase)) == plain(
        Finding(level="ok", code="ok", subject="a", detail="there is no good backup of shop")
    )
    problem = msgspec.json.encode(Problem(code="a", subject=phrase, detail=phrase), enc_hook=english)
    assert msgspec.json.decode(problem, type=Problem).detail == "there is no good backup of shop"


def test_the_hook_takes_nothing_but_phrases() -> None:
    with pytest.raises(NotImplementedError):
        english(object())


def test_a_phrase_within_a_phrase_is_translated_with_it() -> None:
    inner = Phrase(_TEMPLATE, {"source": "shop"})
    error = BackupTooOld(what=joined("; ", [inner, inner]))
    assert str(error).count("there is no good backup of shop") == 2
    message, _hint = translate_error(error, "ru")
    assert message.count("нет исправной копии shop") == 2
    assert translated(NoBase(target="t", reason=inner).phrase, "ru").endswith("нет исправной копии shop")


def test_a_phrase_arrives_from_another_process_as_it_was() -> None:
    phrase = Phrase("{what}", {"what": Phrase(_TEMPLATE, {"source": "shop"})})
    assert render("{detail}", {"detail": pickle.loads(pickle.dumps(phrase))}, "ru") == "нет исправной копии shop"
