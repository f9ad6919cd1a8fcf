"""What restic excludes from a backup, we exclude."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.handmade import write_repository
from compat.reference import Restic
from holdfast.errors import InvalidPattern
from holdfast.policy.patterns import Excludes

FILES = [
    "a", "b.tmp", "B.TMP", "c[1]", "c1", "star*name", "back\\slash", ".hidden", "-dash", "a-b", "é", "éa", "ÄÖ", "日本",
    "sub/a", "sub/b/c", "sub/b/x.go", "sub/x/b/c", "sub/node_modules/m/i.js", "sub/b2/c/d/e.log", "sub/x/y/z/c",
    "x/a/y/z", "x/a/a", "x/y/a/b/a/c", "!bang", "with space/f", "deep/1/2/3/4/5",
]  # fmt: skip

# `%` stands for the folder that is backed up.
CASES = [
    ["*.tmp"], ["a"], ["sub/b"], ["/sub/b"], ["%/sub"], ["%/sub/*"], ["%/*"], ["*"], ["**"], ["/"], ["/**"],
    ["%/**/c"], ["sub/**/c"], ["sub/**"], ["**/a"], ["**/a/**"], ["%/**/a/**"], ["%/**/a/**/c"], ["x/**/a/**/**/c"],
    ["%/**/**"], ["%/**/*/**/a"], ["c[1]"], [r"c\[1\]"], ["c[0-9]"], ["[^a-z]*"], [r"[a\-]*"],
    ["?"], ["??"], ["é?"], ["[à-ü]*"], ["[日-本]*"], [r"star\*name"], [r"back\\slash"], [r"ba*\\*"], ["*a*"], ["*?*?*"],
    ["a/"], ["./a"], ["sub/../a"], ["sub//b"], ["node_modules", "*.log", "c"], ["*", "!sub"], ["sub/*", "!sub/b"],
    ["!sub", "sub"], [r"\!bang"], ["x/*", "!x/a", "x/a/y"], ["with space"], ["deep/**/4"], ["[!a]*"], [".*"],
    ["**.tmp"], ["!"], ["%"], ["%/sub/**/", "!%/sub/b"], ["A"], ["", "a"],
]  # fmt: skip
INSENSITIVE = [["*.tmp"], ["A"], ["äö"], ["É*"], ["SUB/B"], ["%/Sub/**/C"]]
MALFORMED = ["[", "a[", "[]", "[]a]", "[a-]", "[-a]", "[a", "a\\", "[^]", "sub/[a/b]", "[\\]", "x*[", "!["]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "tree"


def walked(folder: bytes, excludes: Excludes) -> Iterator[str]:
    for entry in os.scandir(folder):
        is_dir = entry.is_dir(follow_symlinks=False)
        if excludes.select(entry.path, is_dir):
            yield os.fsdecode(entry.path)
            if is_dir:
                yield from walked(entry.path, excludes)


def chosen_by_us(tree: Path, excludes: Excludes, *, top_is_always_taken: bool) -> set[str]:
    top = os.fsencode(tree)
    if not excludes.select(top, True) and not top_is_always_taken:
        return set()
    return {os.fsdecode(top), *walked(top, excludes)}


def chosen_by_restic(restic: Restic, repo: Path, tree: Path, option: str, patterns: list[str]) -> set[str]:
    options = [word for pattern in patterns for word in (option, pattern)]
    command = ["backup", "--dry-run", "--verbose=2", "--no-cache", *options, tree]
    items = (document.get("item", "") for document in restic.documents(*command, repo=repo, check=False))
    return {item.rstrip("/") for item in items if item.startswith(str(tree))}


@pytest.mark.parametrize("option", ["--exclude", "--iexclude"])
def test_same_files_left_out(restic: Restic, tmp_path: Path, tree: Path, option: str) -> None:
    write_repository(tmp_path / "repo", restic.password, [])
    for case in CASES if option == "--exclude" else INSENSITIVE:
        patterns = [pattern.replace("%", str(tree)) for pattern in case]
        encoded = [os.fsencode(pattern) for pattern in patterns]
        excludes = Excludes(encoded) if option == "--exclude" else Excludes((), encoded)
        theirs = chosen_by_restic(restic, tmp_path / "repo", tree, option, patterns)
        # Since 0.19 what is named on the command line is taken whatever the patterns say.
        ours = chosen_by_us(tree, excludes, top_is_always_taken=restic.at_least("0.19"))
        assert ours == theirs, patterns


@pytest.mark.parametrize("pattern", MALFORMED)
def test_same_patterns_refused(newest_restic: Restic, tmp_path: Path, tree: Path, pattern: str) -> None:
    write_repository(tmp_path / "repo", newest_restic.password, [])
    command = ["backup", "--dry-run", "--no-cache", "--exclude", pattern, tree]
    done = newest_restic.run(*command, repo=tmp_path / "repo", check=False)
    assert b"invalid pattern" in done.stderr
    with pytest.raises(InvalidPattern):
        Excludes([os.fsencode(pattern)])
