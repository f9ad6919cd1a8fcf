"""What is packed is unpacked beside, and nothing gets its name that does not come out again."""

from __future__ import annotations

import hashlib
import random
import threading
from pathlib import Path

import pytest

from holdfast.archive.encryption.keys import Keys
from holdfast.archive.gzip_sink import GzipSink
from holdfast.archive.origin import Origin
from holdfast.archive.output import Coding, Output, decompressed
from holdfast.archive.sink import Sink
from holdfast.archive.unpacking import UnpackedBeside
from holdfast.archive.zstd_sink import ZstdSink
from holdfast.backends.folders.local import LocalFolder
from holdfast.errors import SealVerificationFailed
from holdfast.model.buffer import Buffer

HERE = Origin("some", "here")


class Bytes:
    """The end of a pipeline."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = ""

    def write(self, block: Buffer, /) -> object:
        self.data += block
        return None

    def finish(self) -> None:
        self.ended = "finished"

    def abort(self) -> None:
        self.ended = "aborted"


class Garbling:
    """Passes on what it gets with one bit of it changed, as broken memory would."""

    def __init__(self, inner: Sink, at: int) -> None:
        self._inner = inner
        self._at = at

    def write(self, block: Buffer, /) -> object:
        changed = bytearray(block)
        if 0 <= self._at < len(changed):
            changed[self._at] ^= 16
        self._at -= len(changed)
        return self._inner.write(bytes(changed))

    def finish(self) -> None:
        self._inner.finish()

    def abort(self) -> None:
        self._inner.abort()


def content(rng: random.Random, size: int) -> bytes:
    return b"".join(rng.randbytes(60) + b"again and " * 6 for _ in range(size // 120 + 1))[:size]


def packing(compression: str, inner: Sink) -> Sink:
    return GzipSink(inner, threads=2) if compression == "gz" else ZstdSink(inner)


def beside(compression: str, inner: Sink) -> UnpackedBeside:
    return UnpackedBeside(inner, lambda packed: decompressed(packed, compression, HERE))


@pytest.mark.parametrize("compression", ["gz", "zst"])
@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_what_comes_out_is_what_went_in(compression: str, size: int, rng: random.Random) -> None:
    data, end = content(rng, size), Bytes()
    proof = beside(compression, end)
    sink = packing(compression, proof)
    for at in range(0, size, 300_000):
        sink.write(data[at : at + 300_000])
    sink.finish()
    sha256 = hashlib.sha256(data).digest()
    assert end.ended == "finished"
    assert proof.gave(sha256, size)
    assert not proof.gave(sha256, size + 1)
    assert not proof.gave(bytes(32), size)
    plain = decompressed(_Reader(bytes(end.data)), compression, HERE)
    assert b"".join(iter(lambda: plain.read(100_000), b"")) == data


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_every_changed_bit_is_found(compression: str, rng: random.Random) -> None:
    """Whatever of the packed bytes changes, before they are stored and hashed, the content is not the same."""
    data = content(rng, 200_000)
    for at in [*range(10, 40), *(rng.randrange(40, 50_000) for _ in range(20))]:
        proof = beside(compression, Bytes())
        sink = packing(compression, Garbling(proof, at))
        sink.write(data)
        sink.finish()
        assert not proof.gave(hashlib.sha256(data).digest(), len(data))


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_garbled_bytes_do_not_stop_who_writes(compression: str, rng: random.Random) -> None:
    end = Bytes()
    proof = beside(compression, end)
    noise = rng.randbytes(1_000_000)
    for _ in range(20):
        proof.write(noise)
    proof.finish()
    assert len(end.data) == 20_000_000
    assert not proof.gave(hashlib.sha256(b"").digest(), 0)


def test_giving_up_leaves_no_thread(rng: random.Random) -> None:
    end = Bytes()
    proof = beside("zst", end)
    sink = ZstdSink(proof)
    sink.write(content(rng, 2_000_000))
    sink.abort()
    assert end.ended == "aborted"
    assert not any(thread.name == "holdfast-unpack" for thread in threading.enumerate())


def test_a_file_that_unpacks_to_something_else_gets_no_name(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    coding = Coding("zst", 0, Keys(), "local")
    output = Output(folder.write("a.zst"), "a.zst", coding, compressed=True, unpack_beside=True)
    output.write(b"12345")
    output.expect(hashlib.sha256(b"12346").digest(), 5)
    with pytest.raises(SealVerificationFailed):
        output.finish()
    output.abort()
    assert list(tmp_path.iterdir()) == []


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int = -1, /) -> bytes:
        block = self._data[: size if size >= 0 else None]
        self._data = self._data[len(block) :]
        return block

    def close(self) -> None:
        self._data = b""
