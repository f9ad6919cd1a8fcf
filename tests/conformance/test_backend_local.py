from pathlib import Path

import pytest

from holdfast.testing.backend_suite import BackendSuite


class TestLocalBackend(BackendSuite):
    @pytest.fixture
    def location(self, folder: str) -> str:
        return folder

    @pytest.fixture
    def folder(self, tmp_path: Path) -> str:
        return str(tmp_path / "above" / "repository")
