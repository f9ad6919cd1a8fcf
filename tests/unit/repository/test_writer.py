"""When packs are closed, besides being full."""

from __future__ import annotations

from hashlib import sha256

import pytest

from holdfast.model.blob import BlobType
from holdfast.repository import writer
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.check.report import CheckOptions
from holdfast.repository.check.run import check
from holdfast.repository.index import Index
from holdfast.repository.writer import PackWriter
from holdfast.testing.stand_in import standing_in
from repository_kit import new_repository


@pytest.mark.parametrize("blobs", [9, 10, 11, 25, 200])
def test_a_pack_holds_a_limited_number_of_blobs(blobs: int) -> None:
    repository = new_repository()
    with standing_in(writer, _PACK_BLOBS=10), Index(repository, private=True) as index:
        with PackWriter(repository, index) as packs:
            for number in range(blobs):
                content = b"%d" % number
                blob_id = sha256(content).digest()
                assert packs.claim(BlobType.DATA, blob_id)
                sealed = seal_blob(repository.sealer(), BlobType.DATA, content, Compression.AUTO)
                packs.add(BlobType.DATA, blob_id, *sealed)
            packs.flush()
        counts = [len(pack.blobs) for pack in index.packs()]
        assert sum(counts) == blobs
        assert max(counts) <= 10
        # Two are open at a time, and what is left of them becomes one where it fits.
        assert len(counts) <= blobs // 10 + 2
    assert check(repository, None, CheckOptions(read_data=True)).whole
