"""What tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from holdfast.cli.main import main
from holdfast.cli.text import set_language


class Finished(NamedTuple):
    """One finished command line."""

    status: int
    out: str
    err: str


Run = Callable[..., Finished]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test begins in English, on a terminal of 80 columns."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    set_language("en")
    yield
    set_language("en")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in this process."""

    def run(*arguments: str, **named: object) -> Finished:
        capfd.readouterr()
        status = main(arguments, **named)  # type: ignore[arg-type]
        return Finished(status, *capfd.readouterr())

    return run
