import pytest

from holdfast.backends.options import BackendOptions
from holdfast.testing.backend_suite import BackendSuite
from holdfast.testing.servers import RestServer


class TestRestOnRclone(BackendSuite):
    @pytest.fixture
    def location(self, rclone_rest: RestServer, place: str) -> str:
        return rclone_rest.url(place)

    @pytest.fixture
    def folder(self, rclone_rest: RestServer, place: str) -> str:
        return f"{rclone_rest.folder}/{place}"

    @pytest.fixture
    def options(self) -> BackendOptions:
        # The server answers 500 when one name is written by several at once; that is what repetition is for.
        return BackendOptions(retry_deadline_s=60)
