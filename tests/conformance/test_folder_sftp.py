import stat
from pathlib import Path

import pytest

from holdfast.backends.folders.names import temporary_name
from holdfast.backends.options import BackendOptions
from holdfast.errors import ObjectNotFound
from holdfast.protocols.folder import Folder
from holdfast.testing.folder_suite import FolderSuite, names, store
from holdfast.testing.servers import SftpServer


class TestSftpOnOpenSSH(FolderSuite):
    @pytest.fixture
    def location(self, sshd: SftpServer, place: str) -> str:
        return sshd.url(f"{place}/deep")

    @pytest.fixture
    def disk(self, sshd: SftpServer, place: str) -> Path:
        return Path(sshd.folder) / place / "deep"

    @pytest.fixture
    def options(self, sshd: SftpServer) -> BackendOptions:
        return BackendOptions(retry_deadline_s=0, extra=sshd.options)

    def test_everything_is_for_the_owner_alone(self, folder: Folder, disk: Path) -> None:
        store(folder, "a/b/data.db", b"1")
        folder.replace("c/marks.json", b"{}")
        found = [disk, *disk.rglob("*")]
        assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}
        assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}

    def test_what_dead_writers_left_is_cleaned_and_nothing_else(self, folder: Folder, disk: Path) -> None:
        store(folder, "a/kept.db", b"1")
        (disk / "a" / temporary_name()).write_bytes(b"half")
        (disk / "a" / ".holdfast-tmp-notours").write_bytes(b"foreign")
        folder.clean()
        assert sorted(path.name for path in (disk / "a").iterdir()) == [".holdfast-tmp-notours", "kept.db"]
        assert "a/kept.db" in names(folder)

    def test_a_folder_that_was_unmounted_is_not_made_again(self, folder: Folder, disk: Path) -> None:
        disk.rmdir()
        with pytest.raises(ObjectNotFound):
            folder.write("database/x.db")
        assert not disk.exists()
