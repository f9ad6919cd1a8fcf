from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.errors import FormatError, UnsupportedFormat
from holdfast.format import index
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId, PackId
from holdfast.model.pack import Pack

A, B, C = ("aa" * 32, "bb" * 32, "cc" * 32)


def document(**blob: Any) -> bytes:
    entry = {"id": B, "type": "data", "offset": 0, "length": 51} | blob
    return json.dumps({"packs": [{"id": A, "blobs": [entry]}]}).encode()


def test_index_is_written_as_restic_writes_it() -> None:
    packs = [
        Pack(
            PackId(bytes.fromhex(A)),
            (
                PackedBlob(BlobType.DATA, BlobId(bytes.fromhex(B)), 0, 51, 0),
                PackedBlob(BlobType.TREE, BlobId(bytes.fromhex(C)), 51, 742, 700),
            ),
        )
    ]
    assert index.encode_index(packs).decode() == (
        f'{{"packs":[{{"id":"{A}","blobs":[{{"id":"{B}","type":"data","offset":0,"length":51}},'
        f'{{"id":"{C}","type":"tree","offset":51,"length":742,"uncompressed_length":700}}]}}]}}\n'
    )
    assert index.decode_index(index.encode_index(packs)) == packs
    assert index.encode_index([]) == b'{"packs":[]}\n'


def test_fields_of_old_and_other_programs_are_ignored() -> None:
    text = (
        document(colour="red")[:-1]
        + (f', "supersedes": ["{C}"], "packs_to_delete": [{{"id":"{C}","blobs":[],"time":"x"}}]}}').encode()
    )
    (found,) = index.decode_index(text)
    assert found.id.hex() == A
    assert index.decode_index(b'{"packs":null}') == []
    assert index.decode_index(b"{}") == []


def test_the_array_of_the_first_versions_is_named() -> None:
    with pytest.raises(UnsupportedFormat):
        index.decode_index(b"[]")


@pytest.mark.parametrize(
    "blob",
    [
        {"id": A[:-1]}, {"id": A + "00"}, {"id": "x" * 64}, {"id": " " * 64}, {"id": "aa " * 21 + "a"}, {"id": None},
        {"type": "blob"}, {"type": 0}, {"offset": -1}, {"offset": 1 << 32}, {"offset": 1.5}, {"offset": True},
        {"length": 31}, {"length": 1 << 32}, {"length": 10**40}, {"length": "51"}, {"length": None},
        {"offset": (1 << 32) - 40}, {"uncompressed_length": -1}, {"uncompressed_length": 1 << 32},
    ],
)  # fmt: skip
def test_impossible_entries_are_refused(blob: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        index.decode_index(document(**blob), "index/abcd")


@pytest.mark.parametrize("text", [b"", b"null", b"{", b'{"packs":{}}', b'{"packs":[{}]}', b'{"packs":[null]}'])
def test_malformed_documents_are_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        index.decode_index(text)
