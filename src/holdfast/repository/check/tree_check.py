"""Inspecting trees strictly and cheaply, also in worker processes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from operator import lt
from typing import NamedTuple

import msgspec

from holdfast.errors import DamageError, FormatError, Phrase
from holdfast.format.document import decode, parse_id
from holdfast.format.node import RawNode, from_raw, known_type
from holdfast.format.tree import NODES_MAX, decode_raw
from holdfast.model.buffer import Buffer
from holdfast.model.ids import ID_BYTES
from holdfast.model.key import MasterKey
from holdfast.repository.blobs import open_blob
from holdfast.repository.check.pack_check import worker_sealer
from holdfast.repository.check.pack_source import FileSource

_FORBIDDEN = frozenset(("", ".", ".."))
_TIMES = re.compile(
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?Z\n)*"
)
_HUGE = 1 << 20
_PART = 2000
_NARROW = 1 << 32
_WIDE = 1 << 64


class _Slices(msgspec.Struct):
    nodes: list[msgspec.Raw]


_SLICES = msgspec.json.Decoder(_Slices)
_NODE = msgspec.json.Decoder(RawNode)


class InspectedTree(NamedTuple):
    """What a valid tree refers to, packed for crossing process borders.

    Attributes:
        subtrees: ids, 32 bytes each, back to back.
        sizes: what each file's node says of its size.
        counts: how many data blobs each file has.
        contents: their ids, file by file, back to back.
    """

    subtrees: bytes
    sizes: list[int]
    counts: list[int]
    contents: bytes


TreePlace = tuple[bytes, int, int, int]
"""Id, offset, stored length, raw length or 0."""


def inspect_in_worker(master: MasterKey, path: str, places: Sequence[TreePlace]) -> list[tuple[object, ...] | None]:
    """Opens and inspects trees of one pack.

    Returns:
        The fields of an `InspectedTree` for each; None for one that is not right, for the caller to look into.
    """
    sealer = worker_sealer(master)
    start = min(offset for _, offset, _, _ in places)
    end = max(offset + length for _, offset, length, _ in places)
    found: list[tuple[object, ...] | None] = []
    try:
        with FileSource(path) as source:
            sealed = source.view(start, end - start)
            for tree_id, offset, length, raw_length in places:
                try:
                    plaintext = open_blob(sealer, sealed, offset - start, length, raw_length, tree_id, "tree")
                    found.append(tuple(inspect(plaintext)))
                except DamageError:
                    found.append(None)
    except (OSError, DamageError):
        return [None] * len(places)
    return found


def inspect(plaintext: Buffer, what: object = "tree") -> InspectedTree:
    """Decodes a tree as strictly as `decode_tree` and gives what it refers to.

    Raises:
        FormatError: it is not a tree that a backup writes.
    """
    subtrees: list[str] = []
    contents: list[str] = []
    sizes: list[int] = []
    counts: list[int] = []
    previous = b""
    for nodes in _in_parts(plaintext, what):
        previous = _validate(nodes, previous, what)
        for node in nodes:
            if node.type == "file":
                content = node.content or ()
                sizes.append(node.size)
                counts.append(len(content))
                contents += content
            elif node.type == "dir":
                if not node.subtree:
                    raise FormatError(
                        object=what, reason=Phrase("directory {name} has no subtree", {"name": repr(node.name[:300])})
                    )
                subtrees.append(node.subtree)
    return InspectedTree(_ids(subtrees, what), sizes, counts, _ids(contents, what))


def _in_parts(plaintext: Buffer, what: object) -> Iterator[list[RawNode]]:
    """The nodes; those of a huge directory not all at once, for a node takes twenty times its text."""
    if len(plaintext) <= _HUGE:
        yield decode_raw(plaintext, what)
        return
    slices = decode(_SLICES, plaintext, what).nodes
    if len(slices) > NODES_MAX:
        raise FormatError(object=what, reason="it has more nodes than any directory")
    for start in range(0, len(slices), _PART):
        yield [decode(_NODE, part, what) for part in slices[start : start + _PART]]


def _validate(nodes: Sequence[RawNode], previous: bytes, what: object) -> bytes:
    """Checks nodes that follow a name, and gives the last name among them."""
    if not nodes:
        return previous
    if nodes[0].name.encode() > previous and _is_plainly_valid(nodes):
        return nodes[-1].name.encode()
    # Unusual or wrong: the slow way accepts the one and names the fault of the other.
    for raw in nodes:
        name = from_raw(raw, what).name
        if name <= previous:
            raise FormatError(object=what, reason=Phrase("node {name} is out of order", {"name": repr(name[:300])}))
        previous = name
    return previous


def _ids(texts: Sequence[str], what: object) -> bytes:
    try:
        packed = bytes.fromhex("".join(texts))
    except ValueError:
        packed = b""
    if len(packed) != ID_BYTES * len(texts) or any(len(text) != 2 * ID_BYTES for text in texts):
        # One of them is no id; this says so.
        packed = b"".join([parse_id(text, what) for text in texts])
    return packed


def _is_plainly_valid(nodes: Sequence[RawNode]) -> bool:
    """Whether a tree is certainly valid; about a fifth of the cost of decoding it. False says nothing."""
    names = [node.name for node in nodes]
    joined = "\n".join(names)
    if "\\" in joined or '"' in joined or "/" in joined or "\0" in joined:
        return False
    if joined.count("\n") != max(0, len(names) - 1) or not _FORBIDDEN.isdisjoint(names):
        return False
    # Text compares by code point, which for valid UTF-8 is the order of its bytes.
    if not all(map(lt, names, names[1:])):
        return False
    times = [time for node in nodes for time in (node.mtime, node.atime, node.ctime)]
    return _TIMES.fullmatch("\n".join(times) + "\n") is not None and all(map(_is_plain, nodes))


def _is_plain(node: RawNode) -> bool:
    narrow = node.mode | node.uid | node.gid
    wide = node.inode | node.device_id | node.size | node.links | node.device
    if known_type(node.type) is None or not (0 <= narrow < _NARROW and 0 <= wide < _WIDE):
        return False
    if node.type == "file" and node.subtree:
        return False
    unusual = node.extended_attributes or node.generic_attributes or node.linktarget or node.linktarget_raw
    if unusual:
        try:
            from_raw(node)
        except FormatError:
            return False
    return True
