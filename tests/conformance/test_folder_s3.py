import os

import boto3
import pytest

from holdfast.backends.folders.opening import open_folder
from holdfast.backends.options import BackendOptions
from holdfast.errors import AccessDenied, BackendError
from holdfast.testing.folder_suite import FolderSuite, store
from holdfast.testing.servers import S3_KEY, S3_SECRET, S3Server


class TestS3OnRclone(FolderSuite):
    @pytest.fixture
    def location(self, rclone_s3: S3Server, place: str) -> str:
        return rclone_s3.url(f"{place}/deep")

    @pytest.fixture
    def options(self, rclone_s3: S3Server) -> BackendOptions:
        return BackendOptions(retry_deadline_s=30, environment=rclone_s3.environment)


class TestS3OnMoto(FolderSuite):
    @pytest.fixture
    def location(self, moto_s3: S3Server, place: str) -> str:
        return moto_s3.url(place)

    @pytest.fixture
    def options(self, moto_s3: S3Server) -> BackendOptions:
        return BackendOptions(retry_deadline_s=30, environment=moto_s3.environment)


def test_an_upload_that_is_given_up_leaves_no_parts_to_pay_for(moto_s3: S3Server, place: str) -> None:
    folder = open_folder(moto_s3.url(place), BackendOptions(environment=moto_s3.environment))
    client = boto3.client(
        "s3",
        endpoint_url=moto_s3.endpoint,
        aws_access_key_id=S3_KEY,
        aws_secret_access_key=S3_SECRET,
        region_name="us-east-1",
    )
    writer = folder.write("large")
    for _ in range(40):
        writer.write(os.urandom(1024 * 1024))
    before = [upload["Key"] for upload in client.list_multipart_uploads(Bucket=moto_s3.bucket).get("Uploads", [])]
    writer.abort()
    after = [upload["Key"] for upload in client.list_multipart_uploads(Bucket=moto_s3.bucket).get("Uploads", [])]
    assert f"{place}/large" in before
    assert f"{place}/large" not in after


def test_wrong_credentials_are_named(rclone_s3: S3Server, place: str) -> None:
    wrong = {**rclone_s3.environment, "AWS_SECRET_ACCESS_KEY": "another"}
    folder = open_folder(rclone_s3.url(place), BackendOptions(environment=wrong, retry_deadline_s=0))
    with pytest.raises(AccessDenied):
        store(folder, "x", b"1")


def test_a_missing_bucket_is_named(rclone_s3: S3Server) -> None:
    url = f"s3:{rclone_s3.endpoint}/no-such-bucket/x"
    folder = open_folder(url, BackendOptions(environment=rclone_s3.environment, retry_deadline_s=0))
    with pytest.raises(BackendError):
        store(folder, "x", b"1")
