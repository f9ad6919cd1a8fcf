"""Trees: the plaintext of a tree blob is `{"nodes":[…]}` and one newline.

Source: format sheet, section 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from holdfast.errors import FormatError, Phrase
from holdfast.format.document import Buffer, decode, parse_id
from holdfast.format.node import RawNode, decode_name, encode_node, from_raw, known_type
from holdfast.format.tree_slices import portions
from holdfast.model.ids import BlobId
from holdfast.model.node import Node

NODES_MAX = 20_000_000
"""More entries than any directory has; the limit keeps a broken tree from filling the memory."""

TREE_BYTES_MAX = 1 << 31
_FIRST, _LAST = b'{"nodes":[', b"]}\n"


class _RawTree(msgspec.Struct, gc=False):
    nodes: list[RawNode]


class _RawPortion(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    nodes: list[RawNode]


class _Reference(msgspec.Struct, gc=False):
    name: str
    type: str
    content: list[str] | None = None
    subtree: str | None = None


class _References(msgspec.Struct, gc=False):
    nodes: list[_Reference]


class _ReferencePortion(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    nodes: list[_Reference]


_RAW_PORTION = msgspec.json.Decoder(_RawPortion)
_REFERENCE_PORTION = msgspec.json.Decoder(_ReferencePortion)
_TREE = msgspec.json.Decoder(_RawTree)
_REFERENCES = msgspec.json.Decoder(_References)
_FORBIDDEN_NAMES = frozenset(("", ".", ".."))


class TreeText:
    """A tree blob's plaintext, put together as encoded nodes come, in strictly ascending order of their raw names."""

    __slots__ = ("_text",)

    def __init__(self) -> None:
        self._text = bytearray(_FIRST)

    def add(self, encoded_node: bytes) -> None:
        """Takes the next node."""
        if len(self._text) > len(_FIRST):
            self._text += b","
        self._text += encoded_node

    def end(self) -> bytearray:
        """The whole plaintext; nothing can be added any more."""
        text, self._text = self._text, bytearray()
        text += _LAST
        return text


def encode_tree(encoded_nodes: Iterable[bytes]) -> bytes:
    """A tree blob's plaintext from encoded nodes, which must be in strictly ascending order of their raw names."""
    return _FIRST + b",".join(encoded_nodes) + _LAST


def encode_nodes(nodes: Iterable[Node]) -> bytes:
    """A tree blob's plaintext from nodes.

    Raises:
        FormatError: names not strictly ascending, or a node that cannot be written.
    """
    ordered = tuple(nodes)
    _check_order(ordered, "tree")
    return encode_tree(map(encode_node, ordered))


def decode_raw(plaintext: Buffer, what: object = "tree") -> list[RawNode]:
    """The nodes of a tree with only their JSON types checked; `node.from_raw` does the rest for each.

    Raises:
        FormatError: not a tree.
    """
    _check_size(plaintext, what)
    nodes = decode(_TREE, plaintext, what).nodes
    _check_count(nodes, what)
    return nodes


def decode_tree(plaintext: Buffer, *, strict: bool = True, what: object = "tree") -> tuple[Node, ...]:
    """The nodes of a tree.

    Args:
        strict: refuse names that are not strictly ascending. Trees of faulty writers are readable without.
        what: the tree, for the error.

    Raises:
        FormatError: not a tree, or one with a node that cannot be.
    """
    nodes = tuple([from_raw(raw, what) for raw in decode_raw(plaintext, what)])
    if strict:
        _check_order(nodes, what)
    return nodes


def iterate(plaintext: Buffer, what: object = "tree") -> Iterator[Node]:
    """The nodes of a tree in stored order, of a large one only some in memory at once. All are checked beforehand.

    Args:
        plaintext: must stay as it is until the last node was given out.
        what: the tree, for the error.

    Raises:
        FormatError: not a tree, or one with a node that cannot be; before any node is given out.
    """
    parts = portions(plaintext)
    _check_size(plaintext, what)

    def nodes_of(number: int) -> list[Node]:
        document = parts[number].document(plaintext)
        return [from_raw(raw, what) for raw in decode(_RAW_PORTION, document, what).nodes]

    try:
        divides = 0 < sum(len(nodes_of(number)) for number in range(len(parts))) <= NODES_MAX
    except FormatError:
        divides = False
    if not divides:
        return iter(decode_tree(plaintext, strict=False, what=what))
    return chain.from_iterable(map(nodes_of, range(len(parts))))


def references(plaintext: Buffer, what: object = "tree") -> tuple[list[BlobId], list[BlobId]]:
    """What a tree refers to: (data blob ids, subtree ids), in order and with repetitions.

    Names and types are checked as `decode_tree` does; everything else is skipped.

    Raises:
        FormatError: not a tree, a node that cannot be, or a directory without a subtree.
    """
    _check_size(plaintext, what)
    found: tuple[list[BlobId], list[BlobId]] = [], []
    count = 0
    try:
        for portion in portions(plaintext):
            nodes = decode(_REFERENCE_PORTION, portion.document(plaintext), what).nodes
            count += len(nodes)
            _refer(nodes, what, *found)
    except FormatError:
        # The whole tree says what is wrong, or that nothing is.
        count = 0
    if not 0 < count <= NODES_MAX:
        found = [], []
        nodes = decode(_REFERENCES, plaintext, what).nodes
        _check_count(nodes, what)
        _refer(nodes, what, *found)
    return found


def _refer(nodes: list[_Reference], what: object, contents: list[BlobId], subtrees: list[BlobId]) -> None:
    _check_names([node.name for node in nodes], what)
    for node in nodes:
        kind = node.type
        if kind == "file":
            if node.content:
                contents += [BlobId(parse_id(text, what)) for text in node.content]
        elif kind == "dir":
            if not node.subtree:
                raise FormatError(
                    object=what, reason=Phrase("directory {name} has no subtree", {"name": repr(node.name[:300])})
                )
            subtrees.append(BlobId(parse_id(node.subtree, what)))
        elif known_type(kind) is None:
            raise FormatError(
                object=what, reason=Phrase("node {name} is of an unknown type", {"name": repr(node.name[:300])})
            )


def _check_names(names: Sequence[str], what: object) -> None:
    joined = "\n".join(names)
    plain = "\\" not in joined and '"' not in joined and "/" not in joined and "\0" not in joined
    if plain and joined.count("\n") == max(len(names) - 1, 0) and _FORBIDDEN_NAMES.isdisjoint(names):
        return
    for name in names:
        decode_name(name, what)


def _check_order(nodes: Sequence[Node], what: object) -> None:
    previous = b""
    for node in nodes:
        if node.name <= previous:
            raise FormatError(
                object=what, reason=Phrase("node {name} is out of order", {"name": repr(node.name[:300])})
            )
        previous = node.name


def _check_size(plaintext: Buffer, what: object) -> None:
    if len(plaintext) > TREE_BYTES_MAX:
        raise FormatError(object=what, reason="it is larger than any tree")


def _check_count(nodes: Sequence[object], what: object) -> None:
    if len(nodes) > NODES_MAX:
        raise FormatError(object=what, reason="it has more nodes than any directory")
