"""The promises of every target, kept by archives of each layout, packed and encrypted in each way."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from pyrage import x25519

from holdfast.runtime.secret import Secret
from holdfast.targets.archive import ArchiveTarget
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.testing.target_suite import TargetSuite

KEYS = x25519.Identity.generate()
IDENTITY, RECIPIENT = str(KEYS), str(KEYS.to_public())


class LocalArchive(TargetSuite):
    options: ClassVar[dict[str, object]] = {}

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return tmp_path / "backups"

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], ArchiveTarget]:
        options = ArchiveOptions(url="backups", **self.options)
        return lambda: ArchiveTarget("local", options, tmp_path, "app", tmp_path / "state")


class TestTyped(LocalArchive):
    pass


class TestTypedUncompressed(LocalArchive):
    options: ClassVar[dict[str, object]] = {"compression": ""}


class TestTypedZstd(LocalArchive):
    options: ClassVar[dict[str, object]] = {"compression": "zst", "compress_databases": True}


class TestFlat(LocalArchive):
    options: ClassVar[dict[str, object]] = {"layout": "flat"}


class TestDirectory(LocalArchive):
    options: ClassVar[dict[str, object]] = {"layout": "directory"}


class TestBundle(LocalArchive):
    options: ClassVar[dict[str, object]] = {"layout": "bundle"}


class TestDirectoryForARecipient(LocalArchive):
    options: ClassVar[dict[str, object]] = {
        "layout": "directory",
        "encryption": "age",
        "recipients": (RECIPIENT,),
        "identity": Secret(IDENTITY.encode()),
    }


class TestBundleForARecipient(LocalArchive):
    options: ClassVar[dict[str, object]] = {
        "layout": "bundle",
        "encryption": "age",
        "recipients": (RECIPIENT,),
        "identity": Secret(IDENTITY.encode()),
    }
