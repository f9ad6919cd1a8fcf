from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.errors import DamageError, FormatError
from holdfast.format import node, tree
from holdfast.format.timestamp import GO_ZERO_NS
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType

ID = "ab" * 32
MINIMAL = {"name": "a", "type": "fifo"}
FULL = Node(
    name=b"n<\xff", type=NodeType.SYMLINK, mode=134218239, mtime_ns=1, atime_ns=2, ctime_ns=3, uid=4, gid=5, user="ü",
    group="g", inode=(1 << 64) - 1, device_id=7, size=8, links=9, linktarget=b"t\xff", device=10,
    xattrs=((b"user.b", b""), (b"user.a", b"\x00\xff")), content=(BlobId(b"\x01" * 32), BlobId(b"\x02" * 32)),
    generic_attributes=(("windows.creation_time", b'{"LowDateTime":1,"HighDateTime":2}'), ("z", b'"\\u003c"')),
    subtree=BlobId(b"\x03" * 32), error="e>",
)  # fmt: skip


def document(*nodes: dict[str, Any]) -> bytes:
    return json.dumps({"nodes": nodes}).encode()


def test_every_field_is_written_in_order() -> None:
    text = node.encode_node(FULL)
    assert list(json.loads(text)) == [
        "name", "type", "mode", "mtime", "atime", "ctime", "uid", "gid", "user", "group", "inode", "device_id", "size",
        "links", "linktarget", "linktarget_raw", "extended_attributes", "generic_attributes", "device", "content",
        "subtree", "error",
    ]  # fmt: skip
    assert text.startswith(
        b'{"name":"n\\u003c\\\\xff","type":"symlink","mode":134218239,"mtime":"1970-01-01T00:00:00.0'
    )
    assert b'"linktarget":"t\\ufffd","linktarget_raw":"dP8="' in text
    assert b'"extended_attributes":[{"name":"user.b","value":""},{"name":"user.a","value":"AP8="}]' in text
    assert b'"windows.creation_time":{"LowDateTime":1,"HighDateTime":2},"z":"\\u003c"}' in text
    assert text.endswith(b'"error":"e\\u003e"}')
    assert tree.decode_tree(tree.encode_tree([text])) == (FULL,)


def test_prefix_and_suffix_make_a_node() -> None:
    assert node.encode_prefix(FULL) + node.encode_suffix(FULL.content, FULL.subtree, FULL.error) == node.encode_node(
        FULL
    )
    assert node.encode_suffix(None, None) == b'"content":null}'
    assert node.encode_suffix((), None) == b'"content":[]}'
    assert node.encode_suffix(None, b"\xab" * 32) == f'"content":null,"subtree":"{ID}"}}'.encode()


def test_empty_fields_are_omitted() -> None:
    assert node.encode_node(Node(name=b"x", type=NodeType.FILE, content=())).decode() == (
        '{"name":"x","type":"file","mtime":"1970-01-01T00:00:00Z","atime":"1970-01-01T00:00:00Z",'
        '"ctime":"1970-01-01T00:00:00Z","uid":0,"gid":0,"content":[]}'
    )


def test_empty_tree() -> None:
    assert tree.encode_nodes([]) == tree.encode_tree([]) == b'{"nodes":[]}\n'
    assert tree.decode_tree(b'{"nodes":[]}') == ()
    assert tree.references(b'{"nodes":[]}\n') == ([], [])


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"a\0", b"\0", b"\xff/"])
def test_names_no_directory_can_hold_are_neither_written_nor_read(name: bytes) -> None:
    with pytest.raises(FormatError):
        node.encode_node(Node(name=name, type=NodeType.FIFO))
    quoted = "".join(f"\\x{byte:02x}" for byte in name)
    for text in (quoted, name.decode("latin-1")):
        bad = document(MINIMAL, MINIMAL | {"name": text})
        with pytest.raises(FormatError):
            tree.decode_tree(bad, strict=False)
        with pytest.raises(FormatError):
            tree.references(bad)


@pytest.mark.parametrize("name", ["...", ".a", "a b", r"\xff", "é", r"a\"b", "a'b", "\x7f"])
def test_odd_names_are_read(name: str) -> None:
    text = document(MINIMAL | {"name": name})
    (decoded,) = tree.decode_tree(text)
    assert tree.decode_tree(tree.encode_nodes([decoded])) == (decoded,)
    assert tree.references(text) == ([], [])


@pytest.mark.parametrize("field", ["mode", "uid", "gid", "inode", "device_id", "size", "links", "device"])
def test_numbers_have_bounds(field: str) -> None:
    limit = 1 << (32 if field in {"mode", "uid", "gid"} else 64)
    (decoded,) = tree.decode_tree(document(MINIMAL | {field: limit - 1}))
    assert getattr(decoded, field) == limit - 1
    for bad in (-1, limit, 5.0, 1.5, "1", None, True, 10**100):
        with pytest.raises(FormatError):
            tree.decode_tree(document(MINIMAL | {field: bad}))
    for bad in (-1, limit):
        with pytest.raises(FormatError):
            node.encode_node(Node(**{"name": b"a", "type": NodeType.FILE, field: bad}))


@pytest.mark.parametrize(
    "change",
    [
        {"type": ""}, {"type": "irregular"}, {"type": "door"}, {"type": None}, {"name": None}, {"name": 1},
        {"name": "\\q"}, {"name": "a\nb"}, {"mtime": "x"}, {"atime": "10000-01-01T00:00:00Z"}, {"ctime": 5},
        {"content": ["xx"]}, {"content": [ID[:-1]]}, {"content": [5]}, {"content": ID}, {"subtree": "ab"},
        {"linktarget_raw": "%"}, {"linktarget": "a\0"}, {"linktarget_raw": "AA=="}, {"user": 7},
        {"extended_attributes": [{"name": "", "value": ""}]}, {"extended_attributes": [{"name": "a\0", "value": ""}]},
        {"extended_attributes": [{"value": ""}]}, {"extended_attributes": [{"name": "a", "value": "%"}]},
        {"generic_attributes": []}, {"generic_attributes": {"a": [[[[]]]] * 400_000}},
        {"generic_attributes": {"a": json.loads("[" * 40 + "]" * 40)}},
    ],
)  # fmt: skip
def test_malformed_nodes_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="tree/abc"):
        tree.decode_tree(document(MINIMAL | change), what="tree/abc")


@pytest.mark.parametrize(
    "text",
    [
        b"", b"null", b"[]", b"{}", b'{"nodes":null}', b'{"nodes":{}}', b'{"nodes":[null]}', b'{"nodes":[{}]}',
        b'{"nodes":[]', b'{"nodes":[]}x', b'{"nodes":' + b"[" * 200_000, b'{"x":' + b'{"a":' * 200_000,
        b'{"nodes":[{"name":"\xff","type":"fifo"}]}', b'{"nodes":[{"name":"\\ud800","type":"fifo"}]}',
        b'{"nodes":[{"name":"a","type":"fifo","size":NaN}]}',
        b'{"nodes":[{"name":"a","type":"fifo","generic_attributes":{"a":"\xff"}}]}',
        b'{"nodes":[{"name":"a","type":"fifo","generic_attributes":{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}}]}",
    ],
)  # fmt: skip
def test_what_is_no_tree_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        tree.decode_tree(text)
    with pytest.raises(DamageError):
        tree.decode_tree(text, strict=False)


def test_trees_of_others_are_read() -> None:
    text = b"""{"before": [1], "nodes": [
        {"type": "file", "name": "a", "mtime": "2020-01-01T00:00:00.10+02:00", "extra": {}, "content": null},
        {"name": "b", "type": "symlink", "linktarget": "x", "extended_attributes": [{"name": "n", "value": null}]}
    ], "after": {"x": "\xff"}}"""
    first, second = tree.decode_tree(text)
    assert (first.mtime_ns, first.atime_ns, first.content) == (1_577_829_600_100_000_000, GO_ZERO_NS, None)
    assert (second.linktarget, second.xattrs) == (b"x", ((b"n", b""),))


@pytest.mark.parametrize("names", [("b", "a"), ("a", "a"), ("a", "\\x61"), ("é", "z"), ("\\xff", "é")])
def test_order_is_by_bytes_and_strict(names: tuple[str, str]) -> None:
    text = document(*(MINIMAL | {"name": name} for name in names))
    with pytest.raises(FormatError, match="order"):
        tree.decode_tree(text)
    decoded = tree.decode_tree(text, strict=False)
    assert len(decoded) == 2
    with pytest.raises(FormatError, match="order"):
        tree.encode_nodes(decoded)


def test_references_are_those_of_files_and_directories() -> None:
    ids = [f"{number:02x}" * 32 for number in range(5)]
    text = document(
        {"name": "a", "type": "file", "content": ids[:2], "subtree": ids[4]},
        {"name": "b", "type": "dir", "subtree": ids[2], "content": None},
        {"name": "c", "type": "file", "content": ids[:1]},
        {"name": "d", "type": "dir", "subtree": ids[3]},
        {"name": "e", "type": "symlink", "content": None},
    )
    data, subtrees = tree.references(text)
    assert [item.hex() for item in data] == [ids[0], ids[1], ids[0]]
    assert [item.hex() for item in subtrees] == [ids[2], ids[3]]


@pytest.mark.parametrize(
    "bad",
    [
        {"type": "dir"}, {"type": "dir", "subtree": ""}, {"type": "dir", "subtree": "zz" * 32}, {"type": "odd"},
        {"type": "file", "content": ["ab"]}, {"type": "file", "content": [" " * 64]}, {"name": "a\nb"}, {"name": 'a"'},
    ],
)  # fmt: skip
def test_broken_references_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        tree.references(document(MINIMAL | bad, MINIMAL | {"name": "c"}))
