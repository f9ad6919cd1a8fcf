"""`--json` has restic's keys and shapes, so that scripts written for restic go on working."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compat.reference import Restic
from e2e.commands import Home

# restic leaves out what is empty; we print it. It also prints null where we print an empty list.
Shape = dict[str, Any]


class Both:
    """One repository, read by both programs."""

    def __init__(self, restic: Restic, folder: Path) -> None:
        self.restic = restic
        self.home = Home(folder, str(folder / "repository"), {"HOLDFAST_PASSWORD": restic.password})

    def theirs(self, *arguments: str) -> list[Any]:
        done = self.restic.run(*arguments, repo=self.home.repository, json=True)
        return [json.loads(line) for line in done.stdout.splitlines() if line[:1] in b"[{"]

    def ours(self, *arguments: str) -> list[Any]:
        return self.home.run(*arguments, "--json").lines()

    def documents(self, *arguments: str) -> Iterator[tuple[Any, Any]]:
        """What each program prints on its last line, where summaries are."""
        yield self.theirs(*arguments)[-1], self.ours(*arguments)[-1]


@pytest.fixture
def both(newest_restic: Restic, tmp_path: Path) -> Both:
    pair = Both(newest_restic, tmp_path)
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "file.txt").write_text("content " * 100)
    (source / "folder" / "other.txt").write_text("other")
    (source / "link").symlink_to("file.txt")
    # restic counts folders and links as one more file without content; with a real one the counts are equal.
    (source / "empty").touch()
    pair.home.run("init")
    pair.home.run("backup", source, "--tag", "one,two")
    (source / "file.txt").write_text("changed")
    (source / "folder" / "other.txt").unlink()
    pair.home.run("backup", source)
    return pair


def require_keys(theirs: Shape, ours: Shape, *, path: str = "") -> None:
    """Each key of theirs is among ours, with a value of the same kind, all the way down."""
    missing = theirs.keys() - ours.keys()
    assert not missing, f"{path or 'the document'} lacks {sorted(missing)}"
    for key, value in theirs.items():
        require_alike(value, ours[key], path=f"{path}.{key}")


def require_alike(theirs: Any, ours: Any, *, path: str = "") -> None:
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), path
        require_keys(theirs, ours, path=path)
    elif isinstance(theirs, list):
        assert isinstance(ours, list), path
        assert len(theirs) == len(ours), path
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            require_alike(one, other, path=f"{path}[{number}]")
    elif theirs is None:
        assert not ours, path
    elif isinstance(theirs, int | float) and not isinstance(theirs, bool):
        assert isinstance(ours, int | float), path
    else:
        assert isinstance(ours, type(theirs)), path


@pytest.mark.parametrize(
    "arguments",
    [
        ["snapshots"],
        ["snapshots", "--group-by", "host"],
        ["ls", "latest"],
        ["find", "*.txt"],
        ["stats"],
        ["stats", "--mode", "raw-data"],
        ["stats", "--mode", "files-by-contents"],
        ["stats", "--mode", "blobs-per-file"],
        ["forget", "--keep-last", "1", "--dry-run"],
        ["key", "list"],
    ],
    ids=" ".join,
)
def test_documents_are_equal(both: Both, arguments: list[str]) -> None:
    """The same values in the same places: both programs read the same repository."""
    theirs, ours = both.theirs(*arguments), both.ours(*arguments)
    require_alike(theirs, ours)
    assert plain(ours) == plain(theirs)


def plain(value: Any) -> Any:
    """Without what is empty, and with ratios rounded."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if inner not in (None, [], "", 0) or key == "hits"}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return round(value, 9) if isinstance(value, float) else value


def test_diff(both: Both) -> None:
    first, second = (one["id"] for one in both.ours("snapshots")[0])
    theirs, ours = both.theirs("diff", first, second), both.ours("diff", first, second)
    assert ours == theirs


def test_find_of_objects(both: Both) -> None:
    blobs = [line.split() for line in both.home.run("list", "blobs").out.splitlines()]
    for kind, option in (("data", "--blob"), ("tree", "--tree")):
        name = next(blob for blob_kind, blob in blobs if blob_kind == kind)
        assert both.ours("find", option, name) == both.theirs("find", option, name)


def test_summary_of_a_backup(both: Both) -> None:
    source = str(both.home.folder / "source")
    theirs, ours = both.theirs("backup", source)[-1], both.ours("backup", source)[-1]
    require_keys(theirs, ours)


def test_summary_of_a_restore(both: Both) -> None:
    target = both.home.folder / "restored"
    theirs = both.theirs("restore", "latest", "--target", f"{target}-theirs")[-1]
    ours = both.ours("restore", "latest", "--target", f"{target}-ours")[-1]
    require_keys(theirs, ours)
    counted = ("total_files", "files_restored", "total_bytes", "bytes_restored")
    assert {key: ours[key] for key in counted} == {key: theirs[key] for key in counted}


def test_summary_of_a_check(both: Both) -> None:
    theirs, ours = both.theirs("check"), both.ours("check")
    if both.restic.at_least("0.18"):
        require_keys(theirs[-1], ours[-1])
    assert ours[-1]["num_errors"] == 0


def test_changes_of_tags(both: Both) -> None:
    ours = both.ours("tag", "--add", "new")
    if not both.restic.at_least("0.18"):
        assert ours[-1]["changed_snapshots"] == 2
        return
    theirs = both.theirs("tag", "--add", "newer")
    require_alike(theirs, ours)
