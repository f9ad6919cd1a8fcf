"""One direction of imports, and two packages that touch nothing but their arguments."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from architecture.sources import CHECKOUT, below, imports, modules, parsed, shown

PURE = modules("src/holdfast/format", "src/holdfast/policy")
OUTSIDE_WORLD = frozenset(
    {"asyncio", "concurrent", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "requests"}
    | {"sched", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile"}
    | {"threading", "time", "urllib", "uuid", "click", "obstore", "rich"}
)
# What a pure module may take from these: work space that is kept per thread (memory reused, not state), and constants.
HARMLESS = {"threading": {"local"}, "sys": {"version_info", "byteorder", "maxsize"}}
CLOCKS = frozenset({"now", "utcnow", "today"})


def test_imports_go_in_one_direction() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", PURE, ids=shown)
def test_format_and_policy_import_nothing_that_reaches_outside(module: Path) -> None:
    tree = parsed(module)
    reaching = [
        f"{shown(module)}:{line} imports {name}: pass the value in instead"
        for line, name in imports(tree)
        if below(name, OUTSIDE_WORLD) and name not in HARMLESS
    ]
    reaching += [
        f"{shown(module)}:{node.lineno} uses {ast.unparse(node)}: pass the value in instead"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.attr not in HARMLESS.get(node.value.id, {node.attr})
    ]
    assert not reaching, "\n".join(reaching)


@pytest.mark.parametrize("module", PURE, ids=shown)
def test_format_and_policy_open_no_file_and_ask_no_clock(module: Path) -> None:
    calls = [node for node in ast.walk(parsed(module)) if isinstance(node, ast.Call)]
    asking = [
        f"{shown(module)}:{call.lineno} calls {ast.unparse(call.func)}(): pass the value in instead"
        for call in calls
        if _opens_a_file(call.func) or _asks_the_clock(call.func)
    ]
    assert not asking, "\n".join(asking)


def _opens_a_file(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id in {"open", "input", "print"}


def _asks_the_clock(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr in CLOCKS
        and ast.unparse(function.value).split(".")[-1] in {"datetime", "date"}
    )
