"""The project's own files, parsed once for the rules that look at them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
SRC = CHECKOUT / "src" / "holdfast"
TOP_FOLDERS = (".ci", "benchmarks", "changes.d", "docs", "examples", "requirements", "scripts", "src", "tests")


@cache
def modules(*folders: str) -> tuple[Path, ...]:
    """Python files under the folders (relative to the checkout), sorted."""
    return tuple(sorted(path for folder in folders for path in (CHECKOUT / folder).rglob("*.py")))


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_bytes(), str(path))


@cache
def text_files() -> tuple[Path, ...]:
    """Every text file of the project, caches left out."""
    found = [path for path in CHECKOUT.iterdir() if path.is_file()]
    found += [path for folder in TOP_FOLDERS for path in (CHECKOUT / folder).rglob("*") if path.is_file()]
    return tuple(sorted(path for path in found if "__pycache__" not in path.parts and _is_text(path)))


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" not in file.read(8192)


def shown(path: Path) -> str:
    """A path as a reader of a failing test wants it."""
    return str(path.relative_to(CHECKOUT))


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything a module imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def below(name: str, roots: frozenset[str]) -> bool:
    """Whether a dotted name is one of the roots or lies under one."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in roots for count in range(1, len(parts) + 1))
