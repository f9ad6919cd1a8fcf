import pytest

from holdfast.testing.folder_suite import FolderSuite


class TestMemoryFolder(FolderSuite):
    @pytest.fixture
    def location(self) -> str:
        return "memory:tests"
