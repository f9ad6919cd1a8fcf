"""A repository on a server: the second command fetches no snapshot, index or tree again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.commands import Home
from holdfast.testing import servers


@pytest.fixture(scope="module")
def server() -> Iterator[servers.RestServer]:
    with servers.rclone_rest() as running:
        yield running


def test_a_session_on_a_server(server: servers.RestServer, tmp_path: Path) -> None:
    home = Home(tmp_path, server.url("place"))
    (tmp_path / "file").write_text("content")
    home.run("init")
    home.run("backup", "file", "--quiet")
    listed = home.run("ls", "latest", "--quiet").out
    cache = next((tmp_path / ".cache/holdfast").glob("?" * 64))
    kept = {path.relative_to(cache).parts[0] for path in cache.rglob("*") if path.is_file()}
    assert {"snapshots", "index", "data"} <= kept
    home.run("check", "--read-data")
    home.run("restore", "latest", "--target", "back")
    home.run("forget", "--unsafe-allow-remove-all", "--tag", "", "--prune")
    assert listed
    assert not [path for path in (cache / "snapshots").rglob("*") if path.is_file()]
    home.run("check", "--no-cache")
