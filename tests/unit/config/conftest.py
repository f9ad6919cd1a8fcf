"""What tests of the configuration share: a folder with a file in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from holdfast.config.document import parse_document
from holdfast.config.load import Reading, read_config
from unit.config.fake_kinds import KINDS

Read = Callable[..., Reading]

TARGET = '[targets.shelf]\nkind = "shelf"\nurl = "s"\nkey = "${KEY}"\n'
SOURCE = '[sources.box]\nkind = "box"\n'
APP = '[app]\nname = "shop"\n'


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a text as the configuration of a folder, with kinds of our own."""

    def read(
        text: str, environment: str | None = None, variables: Mapping[str, str] | None = None, **named: bool
    ) -> Reading:
        document = parse_document(tmp_path / "holdfast.toml", text)
        return read_config(document, environment, {"KEY": "geheim", **(variables or {})}, kinds=KINDS, **named)

    return read


def said(reading: Reading) -> list[str]:
    """Errors as `line key: reason`."""
    return [f"{error.context['line']} {error.context['key']}: {error.context['reason']}" for error in reading.errors]
