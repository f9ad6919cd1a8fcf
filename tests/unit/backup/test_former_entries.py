"""What the last snapshot says of a folder, asked for in the order of names."""

from __future__ import annotations

import random

import pytest

from holdfast.errors import FormatError
from holdfast.format.node import encode_node
from holdfast.format.tree import encode_nodes, encode_tree
from holdfast.model.node import Node, NodeType
from holdfast.repository.backup.previous import FormerEntries

COUNT = 12_000


def folder(rng: random.Random) -> dict[bytes, bytes]:
    names = sorted({rng.randbytes(rng.randint(1, 30)).replace(b"/", b"-").replace(b"\0", b"+") for _ in range(COUNT)})
    made = [Node(name=name, type=NodeType.FILE, content=()) for name in names if name not in (b".", b"..")]
    return {node.name: encode_node(node) for node in made}


def test_every_entry_of_a_large_folder_is_found_in_order(seed: int) -> None:
    rng = random.Random(seed)
    entries = folder(rng)
    asked = sorted([*entries, *(name + b"!" for name in rng.sample(list(entries), 500))])
    text = encode_tree(entries.values())
    assert len(text) > 2 << 20
    former = FormerEntries(bytearray(text))
    assert [former.get(name) for name in asked] == [entries.get(name) for name in asked]


def test_what_was_passed_in_a_large_folder_is_let_go(seed: int) -> None:
    entries = folder(random.Random(seed))
    text = bytearray(encode_tree(entries.values()))
    former = FormerEntries(text)
    first, *_, last = entries
    assert former.get(last) == entries[last]
    assert former.get(first) is None
    assert len(text) <= len(b'{"nodes":[')


def test_a_small_folder_may_be_asked_in_any_order_and_again() -> None:
    nodes = [Node(name=name, type=NodeType.FILE, content=()) for name in (b"a", b"b", b"c")]
    former = FormerEntries(encode_nodes(nodes))
    asked = [former.get(name) for name in (b"c", b"a", b"x", b"c", b"b")]
    a, b, c = map(encode_node, nodes)
    assert asked == [c, a, None, c, b]
    assert FormerEntries().get(b"a") is None


def test_a_large_folder_with_a_name_that_is_no_text_is_refused_as_damaged() -> None:
    padding = "x" * 3000
    odd = (f'{{"name":{number},"type":"file","linktarget":"{padding}"}}' for number in range(1000))
    plain = (f'{{"name":"{number}","type":"file"}}' for number in range(1000))
    with pytest.raises(FormatError):
        FormerEntries(encode_tree(text.encode() for pair in zip(plain, odd, strict=True) for text in pair))
