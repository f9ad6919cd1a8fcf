import pytest

from holdfast.backends.options import BackendOptions
from holdfast.testing.backend_suite import BackendSuite
from holdfast.testing.servers import SftpServer


class TestSftpOnOpenSSH(BackendSuite):
    @pytest.fixture
    def location(self, sshd: SftpServer, place: str) -> str:
        return sshd.url(f"{place}/deep")

    @pytest.fixture
    def folder(self, sshd: SftpServer, place: str) -> str:
        return f"{sshd.folder}/{place}/deep"

    @pytest.fixture
    def options(self, sshd: SftpServer) -> BackendOptions:
        return BackendOptions(retry_deadline_s=0, extra=sshd.options)
