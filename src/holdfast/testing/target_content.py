"""Content made up for tests of targets: trees with every kind of entry, files, and what comes back of them."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from holdfast.archive.digest import ContentDigest
from holdfast.format.mode import from_permissions
from holdfast.model.backup import BackupType, Manifest, StoredBackup, backup_id
from holdfast.model.component import Component, Form, Role, Shape
from holdfast.model.node import Node, NodeType
from holdfast.protocols.content import ContentReader, Entry, StoredContent
from holdfast.protocols.target import ComponentWriter, Target

NOON = datetime(2024, 1, 1, 12, 0, 0, tzinfo=UTC)
_BLOCK_BYTES = 100_000
_MTIME_NS = 1_700_000_000_123_456_789


class Item(NamedTuple):
    """One entry to be stored; `spoiled` makes its content break off in the middle."""

    path: bytes
    node: Node
    content: bytes = b""
    spoiled: bool = False

    def but(self, **values: object) -> Item:
        """The same entry with other values in its node."""
        return self._replace(node=replace(self.node, **values))


class Made(NamedTuple):
    """A component to be stored."""

    component: Component
    items: Sequence[Item]
    state: bytes | None = None


class Back(NamedTuple):
    """An entry as it came back."""

    path: bytes
    node: Node
    content: bytes


def node(path: bytes, kind: NodeType = NodeType.FILE, permissions: int = 0o640) -> Node:
    """A node with a time to the nanosecond and an owner that exists nowhere."""
    return Node(
        name=path.rpartition(b"/")[2],
        type=kind,
        mode=from_permissions(kind, permissions),
        mtime_ns=_MTIME_NS,
        uid=12345,
        gid=54321,
        user="somebody",
        group="people",
    )


def directory(path: bytes) -> Item:
    """A directory; the empty path is the root."""
    return Item(path, node(path, NodeType.DIR, 0o750))


def file(path: bytes, content: bytes, *, spoiled: bool = False, permissions: int = 0o640) -> Item:
    """A regular file."""
    return Item(path, replace(node(path, permissions=permissions), size=len(content)), content, spoiled)


def symlink(path: bytes, target: bytes) -> Item:
    """A symbolic link."""
    return Item(path, replace(node(path, NodeType.SYMLINK, 0o777), linktarget=target))


def special(path: bytes, kind: NodeType, device: int = 0) -> Item:
    """A FIFO, a socket or a device."""
    return Item(path, replace(node(path, kind), device=device))


def database(content: bytes, name: str = "database") -> Made:
    """A component of one file."""
    path = b"app_data.db"
    component = Component(
        name=name, kind="sqlite", role=Role.DATABASE, form=Form.NATIVE, shape=Shape.FILE, file_name="app_data.db",
        original="/srv/app/app_data.db", rows={"users": 3},
    )  # fmt: skip
    return Made(component, [file(path, content)])


def tables(contents: dict[str, bytes], name: str = "tables") -> Made:
    """A component of several files side by side."""
    component = Component(
        name=name, kind="tables", role=Role.TABLES, form=Form.TABLES, shape=Shape.FILES, file_name="tables",
        rows=dict.fromkeys(contents, 1),
    )  # fmt: skip
    return Made(component, [file(f"{table}.json".encode(), content) for table, content in sorted(contents.items())])


def tree(items: Sequence[Item], name: str = "storage", *, role: Role = Role.STORAGE) -> Made:
    """A component that is a tree; the root is added."""
    component = Component(
        name=name, kind="files", role=role, form=Form.NATIVE, shape=Shape.TREE, file_name=name, original="/srv/app"
    )
    return Made(component, [directory(b""), *items])


def small_tree(seed: int = 1) -> Made:
    """A folder with a few files, below one directory."""
    rng = random.Random(seed)  # noqa: S311 - test data
    return tree(
        [
            directory(b"storage"),
            file(b"storage/a.txt", b"first"),
            directory(b"storage/images"),
            file(b"storage/images/1.bin", rng.randbytes(70_000)),
            file(b"storage/images/2.bin", b""),
            directory(b"storage/videos"),
            file(b"storage/videos/clip.mp4", rng.randbytes(300_000)),
        ]
    )


def zoo() -> Made:
    """A tree with every kind of entry and with names and attributes that are hard to keep."""
    xattrs = ((b"user.colour", b"gr\xc3\xbcn"), (b"user.raw", b"\x00\xff\n=1"))
    items = [
        directory(b"zoo"),
        file(b"zoo/" + b"\xff\xfe not utf-8", b"raw name"),
        file(b"zoo/" + b"-rf", b"leading dash"),
        file(b"zoo/" + b"n" * 255, b"long name"),
        file(b"zoo/" + "ü".encode() * 127, b"long name that is not ASCII"),
        file(b"zoo/new\nline", b"two lines"),
        file(b"zoo/back\\slash %41", b"odd characters"),
        file(b"zoo/attributes", b"tagged").but(xattrs=xattrs),
        file(b"zoo/first link", b"shared").but(inode=77, device_id=5, links=2),
        file(b"zoo/second link", b"shared").but(inode=77, device_id=5, links=2),
        file(b"zoo/setuid", b"#!", permissions=0o4755),
        file(b"zoo/before 1970", b"old").but(mtime_ns=-1_500_000_000_000_000_001),
        file(b"zoo/far future", b"new").but(mtime_ns=15_032_385_535_000_000_000),
        file(b"zoo/no owner", b"1").but(uid=4_000_000_000, gid=4_000_000_001, user="", group=""),
        directory(b"zoo/empty"),
        symlink(b"zoo/link", b"attributes"),
        symlink(b"zoo/dangling", b"/no/\xff" + b"x" * 300),
        special(b"zoo/fifo", NodeType.FIFO),
        special(b"zoo/block", NodeType.BLOCK_DEVICE, 0x0803),
        special(b"zoo/char", NodeType.CHAR_DEVICE, 0x0103),
    ]
    head, rest = items[:1], sorted(items[1:], key=lambda item: item.path)
    return tree([*head, *rest])


def manifest_for(moment: datetime, made: Iterable[Made], taken: Iterable[str] = ()) -> Manifest:
    """A manifest as operations makes it before anything was written."""
    return Manifest(
        backup_id=backup_id(moment, frozenset(taken)),
        app="app",
        type=BackupType.FULL,
        created_at=moment,
        finished_at=moment,
        components={one.component.name: one.component for one in made},
    )


def give(writer: ComponentWriter, made: Made, state: Path | None = None) -> Component:
    """Gives the entries of a component to a writer, as the fan-out does; returns the component with counts."""
    digest = ContentDigest()
    count = total = 0
    for item in made.items:
        entry = Entry(path=item.path, node=item.node, open=_opener(item))
        if item.node.type is not NodeType.FILE:
            writer.begin(entry)
            digest.feed(entry)
            continue
        wanted = writer.wants(entry)
        writer.begin(entry)
        content = item.content[: len(item.content) // 2] if item.spoiled else item.content
        if wanted:
            for start in range(0, len(content), _BLOCK_BYTES):
                writer.write(content[start : start + _BLOCK_BYTES])
        if item.spoiled:
            writer.spoil()
            digest.feed(entry)
            continue
        sha256 = hashlib.sha256(content).digest()
        if wanted:
            writer.end(sha256, len(content))
        digest.feed(entry, sha256, len(content))
        count, total = count + 1, total + len(content)
    if state is not None and made.state is not None:
        state.write_bytes(made.state)
    writer.finish(state if made.state is not None else None)
    return replace(made.component, file_count=count, content_bytes=total, content_sha256=digest.hexdigest())


def make_backup(
    target: Target, made: Sequence[Made], *, moment: datetime = NOON, state: Path | None = None
) -> StoredBackup:
    """Makes a whole backup."""
    manifest = manifest_for(moment, made, {backup.backup_id for backup in target.backups()})
    writer = target.begin(manifest)
    done = {one.component.name: give(writer.component(one.component), one, state) for one in made}
    return writer.commit(replace(manifest, components=done))


def read_back(content: StoredContent, paths: Sequence[bytes] = ()) -> list[Back]:
    """Everything that a target gives back, read to the end."""
    return [Back(entry.path, entry.node, _content_of(entry)) for entry in content.entries(paths)]


def digest_of(back: Iterable[Back]) -> str:
    """The digest of what came back."""
    digest = ContentDigest()
    for one in back:
        entry = Entry(path=one.path, node=one.node)
        digest.feed(entry, hashlib.sha256(one.content).digest(), len(one.content))
    return digest.hexdigest()


def flipped(path: Path, position: int) -> Iterator[None]:
    """Flips one bit of a file, and flips it back afterwards."""
    content = bytearray(path.read_bytes())
    content[position] ^= 0x10
    mode = path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(content)
    yield
    content[position] ^= 0x10
    path.write_bytes(content)
    path.chmod(mode & 0o777)


def _opener(item: Item) -> Callable[[], ContentReader] | None:
    return (lambda: io.BytesIO(item.content)) if item.node.type is NodeType.FILE else None


def _content_of(entry: Entry) -> bytes:
    if entry.open is None:
        return b""
    reader = entry.open()
    try:
        return b"".join(iter(lambda: reader.read(65_536), b""))
    finally:
        reader.close()
