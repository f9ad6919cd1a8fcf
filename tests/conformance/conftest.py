"""Real servers, started once for all tests of a session that need them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.testing import servers


@pytest.fixture(scope="session")
def rclone_s3() -> Iterator[servers.S3Server]:
    with servers.rclone_s3() as server:
        yield server


@pytest.fixture(scope="session")
def moto_s3() -> Iterator[servers.S3Server]:
    with servers.moto_s3() as server:
        yield server


@pytest.fixture(scope="session")
def rclone_rest() -> Iterator[servers.RestServer]:
    with servers.rclone_rest() as server:
        yield server


@pytest.fixture(scope="session")
def guarded_rest() -> Iterator[servers.RestServer]:
    """Asks for a name and a password, and only lets add."""
    with servers.rclone_rest(append_only=True, user="somebody", password="hard:to/guess@") as server:
        yield server


@pytest.fixture(scope="session")
def sshd() -> Iterator[servers.SftpServer]:
    with servers.sshd() as server:
        yield server


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A path below a server that no other test uses."""
    return tmp_path_factory.mktemp("place").name
