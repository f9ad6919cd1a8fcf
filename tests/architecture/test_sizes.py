"""Modules and functions stay small enough to be read in one go."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from architecture.sources import modules, parsed, shown

MODULE_LINES = 300
CATALOGUES = {"src/holdfast/errors.py"}  # one short class after another, kept together so that the tree can be read
FUNCTION_LINES = 60  # aim for 40; documentation strings are not counted


@pytest.mark.parametrize("module", modules("src", "scripts"), ids=shown)
def test_module_is_short(module: Path) -> None:
    lines = len(module.read_bytes().splitlines())
    small = lines <= MODULE_LINES or shown(module) in CATALOGUES
    assert small, f"{shown(module)} has {lines} lines; split it by what its parts are about"


@pytest.mark.parametrize("module", modules("src", "tests", "scripts", "benchmarks"), ids=shown)
def test_functions_are_short(module: Path) -> None:
    long = [
        f"{shown(module)}:{function.lineno} {function.name}() has {lines} lines; the limit is {FUNCTION_LINES}"
        for function in ast.walk(parsed(module))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := _lines(function)) > FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, the documentation string left out."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return total - (((first.end_lineno or first.lineno) - first.lineno + 1) if documented else 0)
