"""Things this code does not do, anywhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from architecture.sources import CHECKOUT, below, imports, modules, parsed, shown, text_files

CODE = modules("src")
TESTS = modules("tests", "benchmarks")
EVERYTHING = modules("src", "tests", "benchmarks", "scripts")

# A stored byte must never be able to choose what runs.
UNSAFE_DECODERS = frozenset({"pickle", "cPickle", "marshal", "shelve", "dill", "yaml", "jsonpickle"})
MOCKING = frozenset({"unittest.mock", "mock", "pytest_mock"})
VAGUE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "core", "misc"})
# Written in two pieces so that this file does not contain what it forbids.
HOSTS = [
    left + right
    for left, right in [
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("registry.npmjs", ".org"),
        ("deb.debian", ".org"),
        ("ghcr", ".io"),
        ("docker", ".io"),
    ]
]
MACHINE_PATHS = re.compile(
    r"(?<![\w.~/-])/(?:" + "|".join(["wor" + "k/", "tmp/" + "w/", "opt/" + "(?:wheels|pypi)"]) + ")"
)
SECRETS = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----|\bgh[pousr]_\w{30,}|\bxox[abp]-\w{10,}|\bAKIA(?!.*EXAMPLE)[0-9A-Z]{16}\b"
)
UNFINISHED = re.compile(r"#\s*(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")


def _named(function: ast.expr) -> str:
    return ast.unparse(function) if isinstance(function, ast.Name | ast.Attribute) else ""


@pytest.mark.parametrize("module", CODE, ids=shown)
def test_source_decodes_no_stored_code(module: Path) -> None:
    found = [(line, name) for line, name in imports(parsed(module)) if below(name, UNSAFE_DECODERS)]
    assert not found, f"{shown(module)}: stored bytes are decoded by msgspec only, not by {found}"


@pytest.mark.parametrize("module", EVERYTHING, ids=shown)
def test_nothing_is_evaluated_or_passed_to_a_shell(module: Path) -> None:
    found = []
    for node in ast.walk(parsed(module)):
        if not isinstance(node, ast.Call):
            continue
        if _named(node.func) in {"eval", "exec", "os.system", "os.popen"}:
            found.append(f"{shown(module)}:{node.lineno} calls {_named(node.func)}()")
        if any(word.arg == "shell" and not _is_false(word.value) for word in node.keywords):
            found.append(f"{shown(module)}:{node.lineno} passes a command through a shell; pass a list of arguments")
    assert not found, "\n".join(found)


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


@pytest.mark.parametrize("module", TESTS, ids=shown)
def test_our_own_code_is_never_mocked(module: Path) -> None:
    found = [f"{shown(module)}:{line} imports {name}" for line, name in imports(parsed(module)) if below(name, MOCKING)]
    found += [
        f"{shown(module)}:{node.lineno} replaces an attribute with monkeypatch"
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Call) and _named(node.func) in {"monkeypatch.setattr", "monkeypatch.delattr"}
    ]
    assert not found, "use a fake from holdfast.testing instead:\n" + "\n".join(found)


@pytest.mark.parametrize("module", [m for m in CODE if "cli" not in m.parts], ids=shown)
def test_only_the_command_line_prints(module: Path) -> None:
    lines = [n.lineno for n in ast.walk(parsed(module)) if isinstance(n, ast.Call) and _named(n.func) == "print"]
    assert not lines, f"{shown(module)} prints on lines {lines}; return a report or tell the listener"


@pytest.mark.parametrize("module", CODE, ids=shown)
def test_errors_are_not_swallowed_broadly(module: Path) -> None:
    broad = [
        node.lineno
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or _named(node.type) in {"Exception", "BaseException"})
        and not _passes_it_on(node)
        and "cli" not in module.parts
    ]
    assert not broad, f"{shown(module)} catches everything on lines {broad}; name what can go wrong"


def _passes_it_on(handler: ast.ExceptHandler) -> bool:
    """Raises something, hands the error to whoever waits for a future, or names it for whoever gets the outcome."""
    return any(
        isinstance(node, ast.Raise)
        or (isinstance(node, ast.Attribute) and node.attr == "set_exception")
        or (isinstance(node, ast.Call) and _named(node.func) == "named")
        for node in ast.walk(handler)
    )


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = [shown(module) for module in CODE if VAGUE_NAMES & {module.stem, *module.relative_to(CHECKOUT).parts}]
    assert not vague, f"name these for what they hold: {vague}"


@pytest.mark.parametrize("pattern", HOSTS)
def test_no_package_host_is_named(pattern: str) -> None:
    found = [shown(path) for path in text_files() if pattern in path.read_text(errors="replace")]
    assert not found, f"{pattern} is named in {found}"


@pytest.mark.parametrize(
    ("pattern", "meaning"),
    [
        (MACHINE_PATHS, "a path of one particular machine"),
        (SECRETS, "a secret"),
        (UNFINISHED, "unfinished work: finish it or open an issue"),
    ],
    ids=["machine-paths", "secrets", "unfinished"],
)
def test_no_file_contains(pattern: re.Pattern[str], meaning: str) -> None:
    found = [
        f"{shown(path)}:{number} {line.strip()[:100]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, meaning + ":\n" + "\n".join(found)
