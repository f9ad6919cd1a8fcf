"""The pipeline: compression, encryption, hash, folder; and the same backwards."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from holdfast.archive.encryption.keys import SUFFIXES, Keys
from holdfast.archive.gzip_sink import GzipSink
from holdfast.archive.origin import Origin
from holdfast.archive.readers import CheckedReader, GunzipReader, LimitedReader, open_stored
from holdfast.archive.sink import FileSink, Sink
from holdfast.archive.unpacking import UnpackedBeside
from holdfast.errors import SealVerificationFailed
from holdfast.model.buffer import Buffer
from holdfast.protocols.content import ContentReader
from holdfast.protocols.folder import Folder, FolderWriter


class Coding(NamedTuple):
    """How content becomes bytes of a file.

    Attributes:
        compression: `gz`, `zst` or empty.
        level: 0 is the usual one.
        keys: how it is encrypted.
        target: the target's name, for errors.
    """

    compression: str
    level: int
    keys: Keys
    target: str

    def suffix(self, *, compressed: bool) -> str:
        """What is added to the name of a file."""
        packed = f".{self.compression}" if compressed and self.compression else ""
        return packed + (SUFFIXES[self.keys.encryption] if self.keys.encryption else "")


class Output:
    """A file on its way into a folder, through everything that is done to it.

    Args:
        writer: the file.
        name: its final name.
        coding: what is done to it.
        compressed: whether it is compressed.
        unpack_beside: unpack while it is packed, if nothing else is done to it, and compare with what `expect` tells.
    """

    def __init__(
        self, writer: FolderWriter, name: str, coding: Coding, *, compressed: bool, unpack_beside: bool = False
    ) -> None:
        self.name = name
        self.compression = coding.compression if compressed else ""
        self.encryption = coding.keys.encryption
        self.unpacked_bytes = 0
        self.taken_over = False
        self.unpacked_beside = False
        self._expected: tuple[bytes, int] | None = None
        self._beside: UnpackedBeside | None = None
        self._file = FileSink(writer)
        sink: Sink = self._file
        try:
            sink = _encrypted(sink, coding)
            if unpack_beside and self.compression and not self.encryption:
                origin = Origin(name, coding.target)
                sink = self._beside = UnpackedBeside(sink, lambda inner: decompressed(inner, self.compression, origin))
            self._sink: Sink = _compressed(sink, self.compression, coding.level)
        except BaseException:
            sink.abort()
            raise

    @property
    def size_bytes(self) -> int:
        """Bytes that are stored; known after `finish`."""
        return self._file.size_bytes

    @property
    def sha256(self) -> str:
        """Of what is stored; known after `finish`."""
        return self._file.sha256

    @property
    def writer(self) -> FolderWriter:
        """The file itself, to commit."""
        return self._file.writer

    def write(self, block: Buffer) -> object:
        """Takes more content."""
        self.unpacked_bytes += memoryview(block).nbytes
        return self._sink.write(block)

    def take_over(self, file: Path) -> bool:
        """Makes a whole file of the run's own what is stored, if nothing is done to its bytes and the folder can.

        Its hash is told at the end, by `expect`.
        """
        if self.compression or self.encryption or not self._file.take_over(file):
            return False
        self.taken_over = True
        self.unpacked_bytes = self._file.size_bytes
        return True

    def settle(self) -> None:
        """Makes durable what was taken over."""
        self._file.settle()

    def expect(self, sha256: bytes, size_bytes: int) -> None:
        """Says what the content is, before `finish`: what was given to `write`, or read from what was taken over.

        Raises:
            SealVerificationFailed: it is not the file that was taken over.
        """
        if not self.taken_over:
            self._expected = (sha256, size_bytes)
            return
        if size_bytes != self._file.size_bytes:
            raise SealVerificationFailed(object=self.name)
        self._file.tell(sha256.hex())

    def finish(self) -> None:
        """Everything was given: what is still on its way is written.

        Raises:
            SealVerificationFailed: what was packed does not unpack to what was expected.
        """
        self._sink.finish()
        if self._beside is not None and self._expected is not None:
            if not self._beside.gave(*self._expected):
                raise SealVerificationFailed(object=self.name)
            self.unpacked_beside = True

    def abort(self) -> None:
        """Leaves nothing."""
        self._sink.abort()


class Input:
    """A stored file on its way back, proved at its end.

    Args:
        stored: the file.
        plain: the same, decrypted and decompressed.
    """

    def __init__(self, stored: CheckedReader, plain: ContentReader) -> None:
        self._stored = stored
        self._plain = plain

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; at the end of the content, the rest of the stored file is proved too."""
        block = self._plain.read(size)
        if not block and size != 0:
            self._stored.drain()
        return block

    def close(self) -> None:
        """Closes the file and everything between."""
        self._plain.close()
        self._stored.close()


class Packing(NamedTuple):
    """How a stored file is unpacked: compression, encryption, and how many bytes come out (None: nobody knows)."""

    compression: str = ""
    encryption: str = ""
    unpacked_bytes: int | None = None


def open_input(folder: Folder, origin: Origin, sha256: str, packing: Packing, keys: Keys) -> Input:
    """Opens a stored file for its content.

    Raises:
        BackupDamaged: it is gone, or garbled at its start.
        DecryptionFailed: nothing that was given opens it.
    """
    stored = open_stored(folder, origin, sha256)
    try:
        plain = decompressed(decrypted(stored, packing.encryption, keys, origin), packing.compression, origin)
    except BaseException:
        stored.close()
        raise
    return Input(stored, LimitedReader(plain, origin, packing.unpacked_bytes))


def decrypted(inner: ContentReader, encryption: str, keys: Keys, origin: Origin) -> ContentReader:
    """A reader of what was encrypted. Raises `DecryptionFailed`."""
    if not encryption:
        return inner
    if encryption == "age":
        from holdfast.archive.encryption.age import age_reader

        return age_reader(inner, keys, origin)
    if keys.passphrase is None:
        raise origin.undecipherable("it needs a passphrase")
    if encryption == "gpg":
        from holdfast.archive.encryption.gpg import GpgReader

        return GpgReader(inner, keys.passphrase, origin)
    from holdfast.archive.encryption.openssl import OpensslReader

    return OpensslReader(inner, keys.passphrase, origin)


def decompressed(inner: ContentReader, compression: str, origin: Origin) -> ContentReader:
    """A reader of what was compressed."""
    if compression == "gz":
        return GunzipReader(inner, origin)
    if compression == "zst":
        from holdfast.archive.zstd_sink import ZstdReader

        return ZstdReader(inner, origin)
    return inner


def _compressed(inner: Sink, compression: str, level: int) -> Sink:
    if compression == "gz":
        return GzipSink(inner, level)
    if compression == "zst":
        from holdfast.archive.zstd_sink import ZstdSink

        return ZstdSink(inner, level)
    return inner


def _encrypted(inner: Sink, coding: Coding) -> Sink:
    keys = coding.keys
    if keys.encryption == "age":
        from holdfast.archive.encryption.age import age_sink

        return age_sink(inner, keys, coding.target)
    if keys.encryption == "gpg" and keys.passphrase is not None:
        from holdfast.archive.encryption.gpg import GpgSink

        return GpgSink(inner, keys.passphrase, coding.target)
    return inner
