"""Small questions to the parent snapshot's entries, asked of their JSON text."""

from __future__ import annotations

import re

import msgspec

from holdfast.errors import FormatError
from holdfast.format.node import decode_name
from holdfast.format.node_head import encode_name
from holdfast.format.tree_slices import portions, slice_nodes
from holdfast.model.buffer import Buffer
from holdfast.model.ids import BlobId

_SUBTREE = re.compile(rb',"subtree":"([0-9a-f]{64})"\}\Z')


def subtree_of(entry: bytes | None) -> BlobId | None:
    """The tree of a directory's entry, or None where there is none to be seen."""
    if entry is None or b',"type":"dir"' not in entry:
        return None
    found = _SUBTREE.search(entry)
    return BlobId(bytes.fromhex(found[1].decode())) if found else None


class FormerEntries:
    """The entries of a directory as JSON text, asked for in the order of their raw names.

    Of a large directory, a megabyte is sliced at a time; what was passed is let go. Order matters only there, and an
    entry that is asked for too late counts as none: these are hints.

    Args:
        plaintext: of the tree; a `bytearray` is used up, so that nothing is there twice.

    Raises:
        FormatError: the tree is not JSON of the right shape.
    """

    def __init__(self, plaintext: Buffer = b"") -> None:
        # The next one is the last.
        self._documents: list[bytes] = []
        self._slices: dict[bytes, bytes] = {}
        self._last: bytes | None = None
        cuts = portions(plaintext)
        if not cuts:
            self._slices = slice_nodes(bytes(plaintext)) if plaintext else {}
            return
        text = plaintext if isinstance(plaintext, bytearray) else bytearray(plaintext)
        while cuts:
            cut = cuts.pop()
            self._documents.append(cut.document(text))
            del text[cut.start :]
        self._advance()

    def _advance(self) -> None:
        self._slices, self._last = {}, None
        while self._documents and not self._slices:
            self._slices = slice_nodes(self._documents.pop())
        if self._slices and self._documents:
            try:
                self._last = decode_name(msgspec.json.decode(next(reversed(self._slices)), type=str))
            except msgspec.MsgspecError as error:
                raise FormatError(object="tree", reason="the name of an entry is no text") from error

    def get(self, name: bytes) -> bytes | None:
        """The entry of a name, or None."""
        try:
            while self._last is not None and name > self._last:
                self._advance()
        except FormatError:
            self._slices, self._last, self._documents = {}, None, []
        return self._slices.get(encode_name(name))
