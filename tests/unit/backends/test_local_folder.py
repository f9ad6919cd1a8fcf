"""What a folder on this machine says of itself when it is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.backends.folders.local import LocalFolder
from holdfast.backends.options import BackendOptions
from holdfast.errors import BackendError


def test_a_file_in_the_place_of_the_folder_is_no_empty_folder(tmp_path: Path) -> None:
    place = tmp_path / "backups"
    place.write_text("something else")
    folder = LocalFolder.from_url(str(place), BackendOptions())

    with pytest.raises(BackendError, match="Not a directory"):
        list(folder.list())


def test_a_folder_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert list(LocalFolder.from_url(str(tmp_path / "backups"), BackendOptions()).list()) == []
