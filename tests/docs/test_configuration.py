"""The page of the configuration names every key there is, and no other."""

from __future__ import annotations

import re

import pytest

from docs.pages import DOCS, first_column, text
from holdfast.config.load import SECTIONS, Kinds
from holdfast.config.model import App, Hooks, Keep, Objectives, Policy
from holdfast.config.notify import Notify
from holdfast.config.reader import fields_of
from holdfast.config.server import Server

PAGE = text(DOCS / "reference" / "configuration.md")
PARTS = {
    found[0].strip("\n"): body
    for found, body in zip(
        re.finditer(r"^##+ .*$", PAGE, re.MULTILINE), re.split(r"^##+ .*$", PAGE, flags=re.MULTILINE)[1:], strict=True
    )
}
HEADINGS: dict[str, type[object]] = {
    "## `[app]`": App,
    "## `[policies.<name>]`": Policy,
    "## `keep`": Keep,
    "## `[objectives]`": Objectives,
    "## `[notify]`": Notify,
    "## `[hooks]`": Hooks,
    "## `[server]`": Server,
}
KINDS = [("sources", kind) for kind in Kinds().sources.kinds()] + [
    ("targets", kind) for kind in Kinds().targets.kinds()
]


@pytest.mark.parametrize("heading", HEADINGS)
def test_section_has_exactly_the_keys_of_its_class(heading: str) -> None:
    assert first_column(PARTS[heading]) == set(fields_of(HEADINGS[heading]))


@pytest.mark.parametrize(("section", "kind"), KINDS)
def test_kind_has_exactly_the_keys_of_its_options(section: str, kind: str) -> None:
    table = Kinds().sources if section == "sources" else Kinds().targets
    assert first_column(PARTS[f'### `kind = "{kind}"`']) == set(fields_of(table.options_class(kind)))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_has_a_heading(section: str) -> None:
    assert any(heading.startswith(f"## `[{section}") for heading in PARTS)
