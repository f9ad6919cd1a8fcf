import pytest

from holdfast.testing.backend_suite import BackendSuite


class TestMemoryBackend(BackendSuite):
    @pytest.fixture
    def location(self) -> str:
        return "memory:"
