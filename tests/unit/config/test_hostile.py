"""Whatever stands in a configuration or in `.env`, the answer is a list of errors and never a crash."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from holdfast.config.discovery.outline import NotUnderstood, read_outline
from holdfast.config.document import parse_document
from holdfast.config.dotenv import parse_dotenv
from holdfast.config.effective import environments
from holdfast.config.load import read_config
from holdfast.config.show import shown
from holdfast.config.toml_text import sections_text
from holdfast.errors import ConfigInvalid
from unit.config.conftest import APP

WHOLE = APP + (
    '[sources.db]\nkind = "sqlite"\npath = "${A:-x}"\n[sources.pg]\nkind = "postgresql"\nport = 5432\nurl = "${B}"\n'
    '[sources.t]\nkind = "tables"\ndatabase = "db"\ntables = ["a", "b*"]\nwhere = { a = "x > 1" }\n'
    '[sources.f]\nkind = "files"\npaths = ["a"]\nexclude = ["*.tmp"]\nmissing = "warn"\n'
    '[targets.l]\nkind = "archive"\nurl = "backups"\nkeep = { last = 3, within = "1y" }\n'
    '[targets.r]\nkind = "repository"\nurl = "s3://b"\npassword = "${B}"\npack_size = 16\n'
    '[policies.n]\nschedule = "0 2 * * mon-fri"\ntargets = ["l"]\nkeep = { last = 7 }\njitter = "5m"\n'
    '[objectives]\nrpo = "1h"\n[notify]\nurls = ["mailto:a@b"]\non = ["failure"]\n'
    '[hooks]\nbefore_backup = ["a b", ["c"]]\n[environments.e.app]\nlanguage = "fa"\n'
)
TOKENS = [
    "[", "]", "{", "}", '"', '"""', "'", "=", ".", ",", "#", "\n", "${", "}", "[[", "\\", "\0", "0x", "1e999", "nan",
    "2020-01-01", "true", "kind", "keep", "-1", "9" * 5000, "\u202e", "é", "\ud800", "a.b.c = 1\n",
]  # fmt: skip


def judge(text: str) -> list[ConfigInvalid]:
    """Everything that is wrong with a text as a configuration, with and without its environment."""
    try:
        document = parse_document(Path("/nowhere/holdfast.toml"), text)
    except ConfigInvalid as error:
        return [error]
    found: list[ConfigInvalid] = []
    for environment in ("", *environments(document)):
        reading = read_config(document, environment, {"B": "\udcff"}, fetch_secrets=False)
        found += reading.errors
        if reading.config is not None:
            assert sections_text(shown(reading.config, reading.effective))
    return found


def hold(text: str) -> None:
    for error in judge(text):
        assert error.context["key"], repr(text)
        assert 1 <= int(str(error.context["line"])) <= text.count("\n") + 1, repr(text)
        assert str(error)


def test_the_whole_file_is_in_order() -> None:
    assert judge(WHOLE) == []


def mutated(rng: random.Random) -> str:
    text = WHOLE
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(text)), rng.choice([0, 0, 1, 1, 5, 40])
        text = text[:at] + (rng.choice(TOKENS) if rng.random() < 0.8 else "") + text[at + length :]
    return text


def test_damaged_files_are_judged(rng: random.Random) -> None:
    for _ in range(400):
        hold(mutated(rng))


def test_file_cut_anywhere_is_judged() -> None:
    for length in range(0, len(WHOLE), 7):
        hold(WHOLE[:length])


def test_number_of_thousands_of_digits() -> None:
    errors = judge(f"[app]\nname = {'9' * 5000}\n")
    assert [(error.context["line"], error.context["reason"]) for error in errors] == [(2, "a number is too large")]


VALUES = st.recursive(
    st.one_of(st.text(max_size=5), st.integers(), st.floats(), st.booleans(), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
KEYS = ["app", "sources", "targets", "policies", "keep", "kind", "urls", "hooks", "db", "name", "environments", "x"]


@given(st.dictionaries(st.sampled_from(KEYS), st.one_of(VALUES, st.dictionaries(st.sampled_from(KEYS), VALUES))))
def test_values_of_any_type_are_judged(data: dict[str, object]) -> None:
    document = parse_document(Path("/nowhere/holdfast.toml"), "")
    document.data.update(data)
    assert read_config(document, "", {}, fetch_secrets=False).errors


@given(st.text(alphabet="aB_=\"'\\${}:- #\n\t", max_size=60))
def test_dotenv_of_any_kind(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in parse_dotenv(text, {}).unclear_lines)


@given(st.text(alphabet="ab:- \n\"'[]{}&*|>#\t", max_size=60))
def test_outline_of_any_kind(text: str) -> None:
    with contextlib.suppress(NotUnderstood):
        read_outline(text)
