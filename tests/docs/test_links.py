"""Every link inside the documentation leads somewhere, and every page can be reached."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.pages import CHECKOUT, DOCS, LINK, pages, shown, text, without_code


def _links(page: Path) -> list[str]:
    found: list[str] = LINK.findall(without_code(text(page)))
    return [link for link in found if "://" not in link and not link.startswith("mailto:")]


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", without_code(text(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=shown)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert not broken, f"{shown(page)} links to {broken}"


def test_every_page_can_be_reached() -> None:
    reached: set[Path] = set()
    waiting = [CHECKOUT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        waiting += [
            (page.parent / link.partition("#")[0]).resolve() for link in _links(page) if not link.startswith("#")
        ]
    lost = [shown(page) for page in DOCS.rglob("*.md") if page not in reached]
    assert not lost, f"no link leads to {lost}"
