"""Every message is translated into every language, and each one that is not is named."""

from __future__ import annotations

import ast
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog


@pytest.fixture(scope="module")
def catalog() -> Any:
    script = Path(__file__).resolve().parents[3] / "scripts" / "catalog.py"
    spec = spec_from_file_location("catalog", script)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_is_missing_or_stale(catalog: Any) -> None:
    found = catalog.check()
    assert not found, "translate these in src/holdfast/locale and run scripts/catalog.py:\n" + "\n".join(found)


def test_messages_are_found_where_they_are_written(catalog: Any) -> None:
    source = """
class Oops(HoldfastError):
    code: ClassVar[str] = "oops"
    message: ClassVar[str] = "{path} went wrong"
    hint = "Try again."

printer.say("Said {what}.", what=1)
printer.detail(1, "Detailed.")
printer.warn(_("Nested."))
ngettext("one", "many", 3)
count(3, "{count} file", "{count} files")
raise FormatError(object=what, reason="it is odd" if odd else "it is even")
Lazy("x:y", help="Helps.")
listener(Progress(phase="reading"))
other.note("some-code", "not a message", detail=f"{variable}")
say(variable)
render("{a}: {b}", {})
Field(description="Only programs read this.")
Meta(description="such as 15m")
"""
    assert set(catalog.messages_in(ast.parse(source))) == {
        "{path} went wrong", "Try again.", "Said {what}.", "Detailed.", "Nested.", ("one", "many"),
        ("{count} file", "{count} files"), "it is odd", "it is even", "Helps.", "reading", "such as 15m",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("message", "translation", "problem"),
    [
        ("a {b}", "", "not translated"),
        ("a {b}", "x", "placeholders differ"),
        ("a {b}", "x {c}", "placeholders differ"),
        (("{n} a", "{n} b"), ("x", ""), "not translated"),
        (("{n} a", "{n} b"), ("x", "{m} y"), "placeholders differ"),
    ],
)
def test_each_problem_is_named(catalog: Any, message: Any, translation: Any, problem: str) -> None:
    translations = Catalog(locale="tr")
    translations.mime_headers = [("Plural-Forms", "nplurals=2; plural=(n > 1);")]
    translations.add(message, translation, locations=[("here.py", 1)])
    (line,) = catalog.complaints("tr", translations)
    assert line.startswith(f"tr: {problem}")
    assert "here.py" in line
