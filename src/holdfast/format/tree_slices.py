"""A tree as slices of its own text: enough to see what is unchanged, at a fraction of the cost of decoding it."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from holdfast.errors import FormatError
from holdfast.format.document import Buffer

_PORTION_BYTES = 1 << 20
_DIVIDED_FROM_BYTES = 2 << 20
_FIRST = b'{"nodes":['
_LAST = b"]}"
_BETWEEN = re.compile(rb'\},\{"name":"(?:[^"\\]|\\.)*","type":"')
_AGAIN = re.compile(rb'"nodes"\s*:')
_NAME_START = b'{"name":'
_TYPE_START = b',"type":"'


class _Slices(msgspec.Struct):
    nodes: list[msgspec.Raw]


_decoder = msgspec.json.Decoder(_Slices)


def raw_nodes(plaintext: bytes) -> list[bytes]:
    """Every node's JSON text, in stored order.

    Raises:
        FormatError: the tree is not JSON of the right shape.
    """
    return [bytes(raw) for raw in _decode(plaintext)]


def with_subtree(text: bytes, former: str, present: bytes) -> bytes | None:
    """A directory's JSON text with another subtree and otherwise unchanged.

    Args:
        former: the subtree's id as it is written in the text.
        present: the id to put there, 32 bytes.

    Returns:
        None if the text does not say in exactly one place what its subtree is.
    """
    # A quotation mark within a string has a backslash before it, so this never matches inside one.
    found = re.findall(rb'"subtree"\s*:\s*"' + re.escape(former.encode()) + b'"', text)
    if len(found) != 1:
        return None
    return text.replace(found[0], b'"subtree":"' + present.hex().encode() + b'"')


def slice_nodes(plaintext: bytes) -> dict[bytes, bytes]:
    """Every node's JSON text by its name's JSON text (with quotation marks).

    Nodes whose text does not begin with name and type, as every known writer puts them, are left out.

    Raises:
        FormatError: the tree is not JSON of the right shape.
    """
    found: dict[bytes, bytes] = {}
    for raw in _decode(plaintext):
        text = bytes(raw)
        end = text.find(_TYPE_START)
        if text.startswith(_NAME_START) and end > 0:
            found[text[len(_NAME_START) : end]] = text
    return found


class Portion(NamedTuple):
    """A part of a tree's text that begins with a node and ends with one."""

    start: int
    end: int

    def document(self, plaintext: Buffer) -> bytes:
        """A tree of these nodes only."""
        with memoryview(plaintext) as view, view[self.start : self.end] as part:
            return b"".join((_FIRST, part, _LAST))


def portions(plaintext: Buffer) -> list[Portion]:
    """Where a large tree can be cut into documents of a megabyte; empty for one that is small or not written plainly.

    A cut looks like the end of one node and the beginning of the next. If it is none, because it lies within a node
    or behind the last one, some document is not JSON, or has more than its nodes: whoever decodes them, refusing
    fields that do not belong there, notices that and takes the tree as a whole.
    """
    if len(plaintext) < _DIVIDED_FROM_BYTES or bytes(plaintext[: len(_FIRST)]) != _FIRST:
        return []
    end = len(plaintext) - (1 if plaintext[-1] == 0x0A else 0) - len(_LAST)
    if bytes(plaintext[end : end + len(_LAST)]) != _LAST or _AGAIN.search(plaintext, len(_FIRST)):
        return []
    found: list[Portion] = []
    start = len(_FIRST)
    while (cut := _BETWEEN.search(plaintext, start + _PORTION_BYTES, end)) is not None:
        found.append(Portion(start, cut.start() + 1))
        start = cut.start() + 2
    return [*found, Portion(start, end)]


def _decode(plaintext: bytes) -> list[msgspec.Raw]:
    try:
        return _decoder.decode(plaintext).nodes
    except (msgspec.DecodeError, RecursionError) as error:
        raise FormatError(object="tree", reason=str(error)) from error
