"""A large tree is read a megabyte at a time, and says the same as when it is read as a whole."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from holdfast.errors import FormatError
from holdfast.format import tree
from holdfast.format.node import encode_node
from holdfast.format.tree_slices import portions
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType

COUNT = 9_000


def large_tree(rng: random.Random) -> tuple[tuple[Node, ...], bytes]:
    """Files, folders and attributes, in names and values that look like the border between two nodes."""
    nodes = tuple(
        Node(
            name=b'},{"name":"x","type":"file" %06d' % number,
            type=NodeType.DIR if number % 50 == 0 else NodeType.FILE,
            user='},{"name":"y","type":"file"',
            xattrs=((b"user.a", rng.randbytes(40)), (b"user.b", b"")),
            content=None if number % 50 == 0 else (BlobId(rng.randbytes(32)),) * (number % 4),
            subtree=BlobId(rng.randbytes(32)) if number % 50 == 0 else None,
        )
        for number in range(COUNT)
    )
    return nodes, tree.encode_nodes(nodes)


def test_portions_are_the_whole_tree(seed: int) -> None:
    nodes, text = large_tree(random.Random(seed))
    cuts = portions(text)
    assert len(cuts) > 2
    assert [one for cut in cuts for one in tree.decode_tree(cut.document(text))] == list(nodes)
    assert tuple(tree.iterate(text)) == nodes
    contents = [one for each in nodes for one in each.content or ()]
    assert tree.references(text) == (contents, [each.subtree for each in nodes if each.subtree])


def test_text_that_grows_is_the_text_that_is_encoded(seed: int) -> None:
    nodes, text = large_tree(random.Random(seed))
    growing = tree.TreeText()
    for each in nodes:
        growing.add(encode_node(each))
    assert growing.end() == text
    assert tree.TreeText().end() == tree.encode_tree([])


@pytest.mark.parametrize(
    "node", [{"name": "z", "type": "unheard of"}, {"name": "a/b", "type": "fifo"}, {"name": "z", "type": "dir"}]
)
def test_a_broken_node_in_a_large_tree_is_named_before_any_is_given(seed: int, node: dict[str, Any]) -> None:
    _, text = large_tree(random.Random(seed))
    broken = text[:-3] + b"," + json.dumps(node, separators=(",", ":")).encode() + text[-3:]
    with pytest.raises(FormatError) as told:
        tree.references(broken)
    whole = text[:10] + json.dumps(node, separators=(",", ":")).encode() + text[-3:]
    with pytest.raises(FormatError) as expected:
        tree.references(whole)
    assert str(told.value) == str(expected.value)
    if node["type"] != "dir":
        with pytest.raises(FormatError):
            tree.iterate(broken)


ENTRY = b'{"name":"%06d","type":"fifo","user":"' + b"u" * 300 + b'"}'


def entries(first: int) -> bytes:
    return b",".join(ENTRY % number for number in range(first, first + COUNT))


@pytest.mark.parametrize(
    "text",
    [
        # The last of two lists counts; another field's list is none; and one within a node is none either.
        b'{"nodes":[' + entries(0) + b'],"nodes":[' + entries(COUNT) + b"]}\n",
        b'{"nodes":[' + entries(COUNT) + b'],"more":[' + entries(0) + b"]}\n",
        b'{"nodes":[' + entries(COUNT) + b'],"more":{"nodes" :[' + entries(0) + b"]}}\n",
        b'{"nodes":[' + entries(COUNT)[:-1] + b',"generic_attributes":{"x":[' + entries(0) + b"]}}]}\n",
    ],
    ids=["twice", "another-field", "another-list", "within-a-node"],
)
def test_what_looks_like_nodes_and_is_none_is_not_taken_for_them(text: bytes) -> None:
    expected = [node.name for node in tree.decode_tree(text, strict=False)] if b"generic" not in text else None
    if expected is None:
        with pytest.raises(FormatError, match="too large or malformed"):
            tree.iterate(text)
    else:
        assert [node.name for node in tree.iterate(text)] == expected
    assert tree.references(text) == ([], [])


def test_a_small_tree_is_not_cut() -> None:
    assert portions(tree.encode_tree([])) == []
    assert portions(b"") == []
    assert portions(b" " * (3 << 20)) == []
