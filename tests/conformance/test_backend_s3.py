import pytest

from holdfast.backends.options import BackendOptions
from holdfast.testing.backend_suite import BackendSuite
from holdfast.testing.servers import S3Server


class TestS3OnRclone(BackendSuite):
    removal_reports_missing = False

    @pytest.fixture
    def location(self, rclone_s3: S3Server, place: str) -> str:
        return rclone_s3.url(f"{place}/deep")

    @pytest.fixture
    def folder(self, rclone_s3: S3Server, place: str) -> str:
        return f"{rclone_s3.folder}/{place}/deep"

    @pytest.fixture
    def options(self, rclone_s3: S3Server) -> BackendOptions:
        # Both servers answer 500 when one key is written by several at once; that is what repetition is for.
        return BackendOptions(retry_deadline_s=60, environment=rclone_s3.environment)


class TestS3OnMoto(BackendSuite):
    removal_reports_missing = False

    @pytest.fixture
    def location(self, moto_s3: S3Server, place: str) -> str:
        return moto_s3.url(place)

    @pytest.fixture
    def options(self, moto_s3: S3Server) -> BackendOptions:
        return BackendOptions(retry_deadline_s=60, environment=moto_s3.environment)
