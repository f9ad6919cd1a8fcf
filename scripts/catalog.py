"""Collects the messages of the program, updates the catalogs of all languages, and compiles them.

    python scripts/catalog.py            update *.po, compile *.mo, name what is not translated yet
    python scripts/catalog.py --check    change nothing; fail if something is missing or stale

Messages are English literals in the code: in `_()`, `N_()`, `ngettext()`, in what is told through a printer, as
`help=`, `reason=`, `detail=` or `phase=` of a call, and as `message` and `hint` of an error class.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCE = CHECKOUT / "src" / "holdfast"
LOCALE = SOURCE / "locale"
# Forms as these languages count; the library's own tables know one form where gettext's users expect two.
PLURALS = {
    "fa": "nplurals=2; plural=(n > 1);",
    "ru": "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);",
    "tr": "nplurals=2; plural=(n > 1);",
}
# Where each function takes its literals.
FUNCTIONS = {
    "_": (0,), "N_": (0,), "render": (0,), "ngettext": (0, 1), "count": (1, 2),
    "say": (0,), "note": (0,), "warn": (0,), "detail": (1,), "Phrase": (0,), "leave_out": (1,),
    "damaged": (0,), "_damaged": (0,), "undecipherable": (0,), "unsafe": (1,), "_malformed": (1,), "_note": (2,),
    "_changed": (0,), "_lose": (0,), "pack_error": (2,), "_on_damage": (2,), "_told": (2,), "_warn": (1,),
    "config_invalid": (2,), "_named": (0,), "_stage": (0,),
    "OSError": (1,), "FileExistsError": (0,), "ValueError": (0,),
}  # fmt: skip
KEYWORDS = frozenset({"help", "short_help", "epilog", "reason", "detail", "phase", "description", "hint"})
# What a description of an interface for programs is given to; nobody is shown its texts in their language.
INTERFACES = frozenset({"Body", "Field", "Header", "Path", "Query"})
# Errors that tell of kinds of things in words; others take names there.
TELLING_OF_KINDS = frozenset({"UnknownName", "RequestTooLarge", "ExtraMissing"})
CLASS_ATTRIBUTES = frozenset({"message", "hint"})
# A text that is chosen first and told later stands in a variable of such a name.
VARIABLES = frozenset({"reason", "detail", "hint"})
PLACEHOLDER = re.compile(r"\{[^{}]*\}")
# What programs read is never translated: codes such as `lock-unreadable`.
CODE = re.compile(r"[a-z]+(?:-[a-z]+)+\Z")
# A file whose date changed with every run could not be compared.
DATE = datetime(2026, 1, 1, tzinfo=UTC)

# What the library that parses the command line says itself.
CLICK: Sequence[str | tuple[str, str]] = (
    "Usage:",
    "Show this message and exit.",
    "Positional arguments",
    "default: {default}",
    "required",
    "Missing command.",
    "Missing argument",
    "Missing option",
    "Missing parameter",
    "No such option {name!r}.",
    "No such command {name!r}.",
    ("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)"),
    "Invalid value: {message}",
    "Invalid value for {param_hint}: {message}",
    "Option {name!r} does not take a value.",
    ("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments."),
    ("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"),
    "Choose from:\n\t{choices}",
    ("{value!r} is not {choice}.", "{value!r} is not one of {choices}."),
    "{value!r} is not a valid {number_type}.",
    "{value} is not in the range {range}.",
    "{name} {filename!r} does not exist.",
    "{name} {filename!r} is a file.",
    "{name} {filename!r} is a directory.",
    "{name} {filename!r} is not readable.",
    "file",
    "directory",
    "path",
)


def extract() -> Catalog:
    """All messages of the program, with the files they come from."""
    template = Catalog(domain="holdfast", project="Holdfast", creation_date=DATE)
    for message in CLICK:
        template.add(message, locations=[("click", 1)])
    for path in sorted(SOURCE.rglob("*.py")):
        if path.is_relative_to(SOURCE / "testing"):
            continue
        tree = ast.parse(path.read_text(), filename=str(path))
        for message in messages_in(tree):
            template.add(message, locations=[(str(path.relative_to(CHECKOUT)), 1)])
    return template


def messages_in(tree: ast.AST) -> Iterator[str | tuple[str, str]]:
    """The messages of one module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found = _of_call(node)
        elif isinstance(node, ast.ClassDef):
            found = _of_class(node)
        elif isinstance(node, ast.Assign):
            found = _of_variable(node)
        else:
            continue
        yield from (message for message in found if _has_words(message))


def _of_call(call: ast.Call) -> Iterator[str | tuple[str, str]]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    positions = FUNCTIONS.get(name, ())
    texts = [list(_literals(call.args[at])) for at in positions if at < len(call.args)]
    if len(positions) == 2 and all(len(text) == 1 for text in texts) and len(texts) == 2:
        yield texts[0][0], texts[1][0]
    elif len(positions) == 1:
        yield from (text for literals in texts for text in literals)
    for keyword in call.keywords:
        kinds = keyword.arg in ("what", "known") and name in TELLING_OF_KINDS
        if kinds or (keyword.arg in KEYWORDS and name not in INTERFACES):
            yield from _literals(keyword.value)


def _of_variable(assignment: ast.Assign) -> Iterator[str]:
    for target in assignment.targets:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = assignment.value.elts if isinstance(assignment.value, ast.Tuple) else [assignment.value]
        for name, value in zip(names, values, strict=False):
            if isinstance(name, ast.Name) and name.id in VARIABLES:
                yield from _literals(value)


def _of_class(definition: ast.ClassDef) -> Iterator[str]:
    for statement in definition.body:
        if isinstance(statement, ast.Assign):
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            continue
        if isinstance(target, ast.Name) and target.id in CLASS_ATTRIBUTES:
            yield from _literals(value)


def _literals(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from _literals(value.body)
        yield from _literals(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for part in value.values:
            yield from _literals(part)


def _has_words(message: str | tuple[str, str]) -> bool:
    text = message if isinstance(message, str) else message[0]
    is_code = CODE.match(text) is not None
    return not is_code and re.search(r"[A-Za-z]", PLACEHOLDER.sub("", text)) is not None


def po_path(language: str) -> Path:
    """Where the translations of a language are."""
    return LOCALE / language / "LC_MESSAGES" / "holdfast.po"


def merged(language: str, template: Catalog) -> Catalog:
    """The messages of the program with the translations there are."""
    catalog = Catalog(locale=language, domain="holdfast", project="Holdfast", creation_date=DATE, revision_date=DATE)
    catalog.mime_headers = [("Plural-Forms", PLURALS[language])]
    path = po_path(language)
    known = read_po(BytesIO(path.read_bytes()), locale=language) if path.exists() else Catalog(locale=language)
    forms = int(PLURALS[language][len("nplurals=")])
    for message in template:
        if not message.id:
            continue
        old = known.get(message.id)
        translation = old.string if old is not None and not old.fuzzy else None
        if isinstance(message.id, tuple):
            translation = translation if isinstance(translation, tuple | list) else ("",) * forms
            translation = tuple(translation)
        locations = sorted({(file, 1) for file, _line in message.locations})
        catalog.add(message.id, translation or "", locations=locations)
    return catalog


def complaints(language: str, catalog: Catalog) -> list[str]:
    """What is wrong with the translations of a language, one line each."""
    return [
        f"{language}: {problem}: {_first(message)!r} ({', '.join(file for file, _line in message.locations)})"
        for message in catalog
        if message.id and (problem := _problem(message))
    ]


def _problem(message: Message) -> str:
    texts = (message.string,) if isinstance(message.string, str) else tuple(message.string)
    if not all(texts):
        return "not translated"
    originals = (message.id,) if isinstance(message.id, str) else tuple(message.id)
    wanted = set(PLACEHOLDER.findall(originals[-1]))
    known = wanted | set(PLACEHOLDER.findall(originals[0]))
    for text in texts:
        used = set(PLACEHOLDER.findall(text))
        if used - known or (len(texts) == 1 and used != wanted):
            return "placeholders differ in the translation"
    return ""


def _first(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def rendered(catalog: Catalog) -> tuple[bytes, bytes]:
    """The catalog as text and compiled."""
    text, compiled = BytesIO(), BytesIO()
    write_po(text, catalog, width=120, include_lineno=False, sort_output=True)
    write_mo(compiled, catalog)
    return text.getvalue(), compiled.getvalue()


def stale(language: str, catalog: Catalog) -> list[str]:
    """Which files of a language are not what they would be if they were written now."""
    text, compiled = rendered(catalog)
    path = po_path(language)
    return [
        f"{language}: {file.relative_to(CHECKOUT)} is stale; run python scripts/catalog.py"
        for file, content in ((path, text), (path.with_suffix(".mo"), compiled))
        if not file.exists() or file.read_bytes() != content
    ]


def check() -> list[str]:
    """Everything that is missing or stale, in all languages."""
    template = extract()
    catalogs = {language: merged(language, template) for language in PLURALS}
    return [line for language, catalog in catalogs.items() for line in complaints(language, catalog)] + [
        line for language, catalog in catalogs.items() for line in stale(language, catalog)
    ]


def update() -> list[str]:
    """Rewrites all catalogs. Returns what is not translated."""
    template = extract()
    found: list[str] = []
    for language in PLURALS:
        catalog = merged(language, template)
        text, compiled = rendered(catalog)
        path = po_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        path.with_suffix(".mo").write_bytes(compiled)
        found += complaints(language, catalog)
    return found


def main() -> int:
    """Runs the command line of this script."""
    parser = argparse.ArgumentParser(description="Collect, update and compile the translations.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if anything is missing or stale")
    asked = parser.parse_args()
    found = check() if asked.check else update()
    print("\n".join(found) or "all messages are translated")
    return 1 if found and asked.check else 0


if __name__ == "__main__":
    sys.exit(main())
