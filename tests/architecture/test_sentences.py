"""No sentence is put together before it could be translated.

A sentence that carries values is a `Phrase`, or the template of a printer: an f-string is English for ever.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from architecture.sources import SRC, modules, parsed, shown

# Where a text goes that a person reads: arguments and variables of these names.
SHOWN = frozenset({"reason", "detail", "hint", "undo", "refused", "skipped", "damage", "message", "cause", "why"})
# What programmers alone see, or what stays English by contract: backup.log is read by programs.
ENGLISH_CALLS = frozenset({"write", "ValueError", "TypeError", "AttributeError", "NotImplementedError", "RuntimeError"})
WORD = re.compile(r"(?<![\w/.%$`-])[a-z]{2,}(?![\w/.=-])")
SENTENCE = re.compile(r"(?<![\w/.-])[a-z]{2,},? [a-z]{2,}(?![\w/=-])")
# SQL, and what is written for a shell, is no sentence.
CODE = re.compile(
    r"\b(SELECT|FROM|INSERT|PRAGMA|CREATE|DROP|ALTER|SET|LOCK|SHOW|TABLE|DELETE)\b"
    r"|&&|^holdfast |\bpsql\b|\bpg_restore\b"
)

# What is left, with the reason.
EXCEPTIONS = {
    "data blob {}": "the name of an object, as it is in the documents of the format",
    "tree blob {}": "the name of an object, as it is in the documents of the format",
    "file to read {} from": "the schema of the configuration is a document for programs and editors, in English",
    "command that prints {}": "the schema of the configuration is a document for programs and editors, in English",
    "Restore completed successfully: {} from {} ({})": "a line of backup.log, which programs read",
    "Backup {} in {} has its checksums; it was not opened": "a line of backup.log, which programs read",
    "Description=Holdfast: when policy {} of {} is due": "a line of a unit file, written for systemd",
    "run {} of this server": "stands in the note of who holds the lock, which another process reads",
}


def test_no_sentence_is_formatted_before_it_is_translated() -> None:
    found = [
        f"{shown(path)}:{line}: {text!r}"
        for path in modules("src")
        if not path.is_relative_to(SRC / "testing")
        for line, text in sentences(parsed(path))
        if text not in EXCEPTIONS
    ]
    assert not found, "make these a Phrase (holdfast.errors):\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('raise Failed(reason=f"{name} is not there")', ["{} is not there"]),
        ('reason = "" if good else f"damaged {name}"', ["damaged {}"]),
        ('def said(error):\n    return f"the table {error} is gone"', ["the table {} is gone"]),
        ('printer.say("{count} of {all} were found".format(count=1, all=2))', ["{count} of {all} were found"]),
        ('raise Failed(reason=Phrase("{name} is not there", {"name": name}))', []),
        ('log.write(context, log.INFO, f"Backup {name} is whole")', []),
        ('path = f"{folder}/state of {name}.json"', []),
        ('raise ValueError(f"there is no {name}")', []),
    ],
)
def test_the_rule_sees_what_it_is_for(code: str, found: list[str]) -> None:
    assert [text for _line, text in sentences(ast.parse(code))] == found


def test_every_exception_is_still_needed() -> None:
    there = {text for path in modules("src") for _line, text in sentences(parsed(path))}
    assert not EXCEPTIONS.keys() - there


def sentences(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text, with {} for each value, of every formatted sentence that a person may read untranslated."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        text = _formatted(node)
        if text is None or _is_part(node, parents) or _stays_english(node, parents) or CODE.search(text):
            continue
        if (SENTENCE.search(text) if not _is_shown(node, parents) else WORD.search(text)) is not None:
            yield getattr(node, "lineno", 0), text


def _formatted(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
        return "".join(map(str, parts)) if "{}" in parts else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        value = node.func.value
        return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
    return None


def _is_part(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    return isinstance(parents.get(node), ast.FormattedValue | ast.JoinedStr)


def _stays_english(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether it is an argument of what speaks English, or made bytes of at once, which is a protocol."""
    parent = parents.get(node)
    while isinstance(parent, ast.keyword | ast.IfExp | ast.BinOp):
        parent = parents.get(parent)
    if isinstance(parent, ast.Attribute):
        return parent.attr == "encode"
    return isinstance(parent, ast.Call) and _name(parent.func) in ENGLISH_CALLS


def _is_shown(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    parent: ast.AST | None = parents.get(node)
    while isinstance(parent, ast.IfExp | ast.BoolOp | ast.BinOp | ast.Tuple):
        parent = parents.get(parent)
    if isinstance(parent, ast.keyword):
        return parent.arg in SHOWN
    if isinstance(parent, ast.Assign):
        names = [name for target in parent.targets for name in ast.walk(target)]
        return any(isinstance(name, ast.Name) and name.id in SHOWN for name in names)
    return False


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
