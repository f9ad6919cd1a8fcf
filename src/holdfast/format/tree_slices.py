"""A tree as slices of its own text: enough to see what is unchanged, at a fraction of the cost of decoding it."""

from __future__ import annotations

import re

import msgspec

from holdfast.errors import FormatError

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


def _decode(plaintext: bytes) -> list[msgspec.Raw]:
    try:
        return _decoder.decode(plaintext).nodes
    except (msgspec.DecodeError, RecursionError) as error:
        raise FormatError(object="tree", reason=str(error)) from error
