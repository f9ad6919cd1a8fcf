"""Reading what a pack says of itself: its header, from the end of the file."""

from __future__ import annotations

from holdfast.errors import FormatError
from holdfast.format import pack as pack_format
from holdfast.format.seal import OVERHEAD
from holdfast.model.ids import PackId
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind, Handle
from holdfast.repository.repository import Repository


def read_header(repository: Repository, pack_id: PackId, size: int) -> Pack:
    """A pack's blobs as its own header lists them; one request where the header is short, as most are.

    Args:
        size: bytes of the stored pack.

    Raises:
        DamageError: it has no valid header, or one that does not fit its size.
        BackendError: it cannot be read.
    """
    handle = Handle(FileKind.PACK, pack_id.hex())
    if size < pack_format.SMALLEST_PACK_BYTES:
        raise FormatError(object=handle, reason="it is too short for a pack")
    load = getattr(repository.backend, "load_uncached", repository.backend.load)
    eager = min(size, pack_format.EAGER_TAIL_BYTES)
    tail: bytes = load(handle, size - eager, eager)
    length = pack_format.header_length(tail, size, handle)
    whole = length + pack_format.HEADER_LENGTH_BYTES
    if whole > len(tail):
        tail = load(handle, size - whole, whole)
    sealed = memoryview(tail)[len(tail) - whole : len(tail) - pack_format.HEADER_LENGTH_BYTES]
    blobs = pack_format.decode_header(repository.sealer().open(sealed, handle), handle)
    if blobs[-1].offset + blobs[-1].length + length + pack_format.HEADER_LENGTH_BYTES != size:
        raise FormatError(object=handle, reason="its blobs do not fill it")
    return Pack(pack_id, tuple(blobs))


def facts(pack: Pack) -> tuple[int, bytes]:
    """What follows from a blob list: bytes of the whole pack, and the plaintext of its header.

    Raises:
        FormatError: there is no pack with these blobs: they overlap, leave gaps, or are too many.
    """
    blobs = sorted(pack.blobs, key=lambda blob: blob.offset)
    header = pack_format.encode_header(blobs)
    last = blobs[-1]
    return last.offset + last.length + len(header) + OVERHEAD + pack_format.HEADER_LENGTH_BYTES, header
