"""The real restic, in every version this machine has: Debian's own always, newer ones when fetched into `.tools`."""

from __future__ import annotations

import pytest

from compat.reference import FOUND, Restic


@pytest.fixture(params=list(FOUND) or ["missing"], ids=lambda version: f"restic-{version}")
def restic(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Restic:
    """Each restic there is, one after the other. Without any, the test fails: compatibility is not optional."""
    version: str = request.param
    if version not in FOUND:
        pytest.fail("no restic on this machine; run scripts/system_packages")
    return Restic(path=FOUND[version], version=version, home=tmp_path_factory.mktemp("restic"))


@pytest.fixture
def newest_restic(tmp_path_factory: pytest.TempPathFactory) -> Restic:
    """The newest restic there is, for tests that need only one."""
    if not FOUND:
        pytest.fail("no restic on this machine; run scripts/system_packages")
    version = list(FOUND)[-1]
    return Restic(path=FOUND[version], version=version, home=tmp_path_factory.mktemp("restic"))
