"""Opening the place of an archive, and noticing that its disk is not mounted."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from holdfast.errors import BackendError, UsageError
from holdfast.targets.archive import ArchiveTarget
from holdfast.targets.archive_options import ArchiveOptions


def opened(tmp_path: Path, url: str = "backups") -> ArchiveTarget:
    return ArchiveTarget("local", ArchiveOptions(url=url), tmp_path, "app", tmp_path / "state")


def on_another_disk(tmp_path: Path) -> None:
    """Changes what is remembered, as if the archive had been seen on another disk."""
    memory = tmp_path / "state/archive-local.json"
    known = json.loads(memory.read_text())
    memory.write_text(json.dumps({**known, "device": known["device"] + 1}))


def test_a_disk_that_is_not_mounted_is_not_filled(tmp_path: Path) -> None:
    opened(tmp_path).prepare()
    assert stat.S_IMODE((tmp_path / "state/archive-local.json").stat().st_mode) == 0o600
    shutil.rmtree(tmp_path / "backups")
    on_another_disk(tmp_path)
    for empty in (False, True):
        if empty:
            (tmp_path / "backups").mkdir()
        with pytest.raises(BackendError, match="mounted"):
            opened(tmp_path).prepare()
    assert list((tmp_path / "backups").iterdir()) == []


def test_an_archive_that_a_person_deleted_or_moved_is_made_again(tmp_path: Path) -> None:
    opened(tmp_path).prepare()
    shutil.rmtree(tmp_path / "backups")
    opened(tmp_path).prepare()
    on_another_disk(tmp_path)
    opened(tmp_path).prepare()  # on another disk, but with what it held
    opened(tmp_path, "elsewhere").prepare()
    assert (tmp_path / "elsewhere/.holdfast").is_dir()


def test_a_memory_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/archive-local.json").write_text("{")
    opened(tmp_path).prepare()


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"url": "backups"}, "backups"),
        ({"url": "backups", "prefix": "/deep/er/"}, "backups/deep/er"),
        ({"url": "local:./x/../backups"}, "backups"),
    ],
)
def test_where_it_is(tmp_path: Path, options: dict[str, str], path: str) -> None:
    target = ArchiveTarget("local", ArchiveOptions(**options), tmp_path, "app")
    assert target.url == str(tmp_path / path)


def test_a_location_that_names_no_storage(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        ArchiveTarget("odd", ArchiveOptions(url="ftp://host/x"), tmp_path, "app")
