"""Archives where they are not on this machine: the promises of every target on S3 and SFTP."""

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.backends.folders.opening import open_folder
from holdfast.backends.options import BackendOptions
from holdfast.targets.archive import ArchiveTarget
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.testing.servers import S3Server, SftpServer
from holdfast.testing.target_suite import TargetSuite


class TestTypedOnS3(TargetSuite):
    @pytest.fixture
    def reopen(self, moto_s3: S3Server, place: str, tmp_path: Path) -> Callable[[], ArchiveTarget]:
        url = moto_s3.url(place)
        environment = BackendOptions(environment=moto_s3.environment)
        options = ArchiveOptions(url=url)
        return lambda: ArchiveTarget("s3", options, tmp_path, "app", folder=open_folder(url, environment))


class TestBundleOnS3(TargetSuite):
    @pytest.fixture
    def reopen(self, rclone_s3: S3Server, place: str, tmp_path: Path) -> Callable[[], ArchiveTarget]:
        url = rclone_s3.url(place)
        environment = BackendOptions(environment=rclone_s3.environment)
        options = ArchiveOptions(url=url, layout="bundle")
        return lambda: ArchiveTarget("s3", options, tmp_path, "app", folder=open_folder(url, environment))


class TestDirectoryOnSftp(TargetSuite):
    @pytest.fixture
    def reopen(self, sshd: SftpServer, place: str, tmp_path: Path) -> Callable[[], ArchiveTarget]:
        options = ArchiveOptions(url=sshd.url(place), layout="directory", options=sshd.options, prefix="deep/er")
        return lambda: ArchiveTarget("sftp", options, tmp_path, "app")

    @pytest.fixture
    def root(self, sshd: SftpServer, place: str) -> Path:
        return Path(sshd.folder) / place / "deep" / "er"
