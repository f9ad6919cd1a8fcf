"""The documentation as files, for the tests that hold it equal to the code."""

from __future__ import annotations

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
DOCS = CHECKOUT / "docs"
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"```.*?```", re.DOTALL)


def pages() -> list[Path]:
    """Every page a reader can reach: the documentation and the files beside the README."""
    return sorted([*DOCS.rglob("*.md"), *CHECKOUT.glob("*.md"), *(CHECKOUT / "changes.d").glob("README.md")])


def text(path: Path) -> str:
    """A page's text, or an empty one where there is no page, so that a test can say what is missing."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def without_code(page: str) -> str:
    """A page without its code blocks."""
    return CODE_BLOCK.sub("", page)


def first_column(page: str) -> set[str]:
    """Everything in backticks in the first column of a page's tables."""
    return {
        word
        for line in page.splitlines()
        if line.startswith("|")
        for word in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


def shown(path: Path) -> str:
    """A path as a reader of a failing test wants it."""
    return str(path.relative_to(CHECKOUT))
