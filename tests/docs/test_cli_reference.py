"""Each command has a page that lists each of its options, and no page lists an option that is not there."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs.pages import DOCS, first_column, shown, text

REFERENCE = DOCS / "reference"
Command = tuple[tuple[str, ...], click.Command]


def _program() -> click.Command:
    if importlib.util.find_spec("holdfast.cli.main") is None:
        return click.Group("holdfast")
    program: click.Command = importlib.import_module("holdfast.cli.main").holdfast
    return program


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[Command]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            try:
                below = command.get_command(context, name)
            except ModuleNotFoundError as error:
                NOT_THERE.append(f"{' '.join(path)} {name}: {error}")
                continue
            if below is not None and not below.hidden:
                yield from _commands(below, (*path, name))


NOT_THERE: list[str] = []
COMMANDS = [found for found in _commands(_program(), ("holdfast",)) if len(found[0]) > 1]


def test_every_listed_command_can_be_loaded() -> None:
    assert NOT_THERE == []


def _page(path: tuple[str, ...]) -> Path:
    """`holdfast repo key add` is on the page of `key`; `repo` itself is its folder's README; other groups have one."""
    _, *words = path
    if words[0] != "repo":
        return REFERENCE / f"{words[0]}.md"
    if words == ["repo"]:
        return REFERENCE / "repo" / "README.md"
    return REFERENCE.joinpath(*words[:2]).with_suffix(".md")


def _options(command: click.Command) -> set[str]:
    """The long form of every option, negative forms included; the short one where there is no other."""
    found: set[str] = set()
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            names = [*parameter.opts, *parameter.secondary_opts]
            found |= {name for name in names if name.startswith("--")} or set(names)
    return found - {"--help"}


def _documented(page: str) -> set[str]:
    return {
        word.split()[0].split("=")[0]
        for cell in first_column(page)
        for word in cell.split(", ")
        if word.startswith("-")
    }


SHARED = _documented(text(REFERENCE / "repo" / "README.md")) | _documented(text(REFERENCE / "app.md"))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_command_has_a_page_with_its_options(path: tuple[str, ...], command: click.Command) -> None:
    page = _page(path)
    content = text(page)
    assert content, f"`{' '.join(path)}` has no page {shown(page)}"
    assert f"`{' '.join(path)}" in content or f"\n{' '.join(path)}" in content, f"{shown(page)} shows how to call it"
    missing = sorted(_options(command) - _documented(content) - SHARED)
    assert not missing, f"{shown(page)} does not list {missing}"


def test_no_page_lists_an_option_that_is_not_there() -> None:
    known: dict[Path, set[str]] = {}
    for path, command in COMMANDS:
        known.setdefault(_page(path), set()).update(_options(command))
    everything = set().union(*known.values())
    for page, options in known.items():
        listed = {option for option in _documented(text(page)) if option.startswith("--")} - {"--help"}
        allowed = everything if page.name == "README.md" else options | SHARED
        assert sorted(listed - allowed) == [], f"{shown(page)} lists options the command does not have"


def test_no_page_describes_a_command_that_is_not_there() -> None:
    described = set((REFERENCE / "repo").glob("*.md")) - {REFERENCE / "repo" / "README.md"}
    strangers = sorted(shown(page) for page in described - {_page(path) for path, _ in COMMANDS})
    assert not strangers or not COMMANDS, f"no command belongs to {strangers}"


def test_commands_in_the_documentation_exist() -> None:
    known = {path[2] for path, _ in COMMANDS if len(path) > 2 and path[1] == "repo"}
    known |= {row.split(":")[0].split()[-1] for row in NOT_THERE}
    used = {
        (name, shown(page))
        for page in [DOCS.parent / "README.md", *DOCS.rglob("*.md")]
        for name in re.findall(r"holdfast repo ([a-z]+)", text(page))
    }
    wrong = sorted((name, page) for name, page in used if known and name not in known)
    assert not wrong, f"the documentation uses commands that do not exist: {wrong}"
