"""Which files are as the last snapshot has them, so that nobody need read them."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from holdfast.errors import FormatError, HoldfastError
from holdfast.format.node import RawNode, encode_node, encode_prefix, from_raw
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.repository.backup.previous import FormerEntries, subtree_of
from holdfast.repository.backup.resume import ResumeJournal
from holdfast.repository.reader import Reader

_CONTENT = b',"content":['
_decoder = msgspec.json.Decoder(RawNode)


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the last snapshot says of a file.

    Attributes:
        entry: the entry to write if the file is unchanged, as JSON text; None if its content is needed.
        size_bytes: its length, if it is unchanged.
        known: whether there was a file of that name.
    """

    entry: bytes | None
    size_bytes: int
    known: bool


NEW = Verdict(None, 0, False)


class UnchangedEntries:
    """Compares files with a tree, asked in its order. For one thread, which need not be the one that stores.

    Size, modification and change time and the inode must be the same, and all blobs still be in the index. Entries
    without an inode or a change time, such as dumps, are never taken for unchanged.

    Args:
        reader: reads the tree; its index is asked for blobs.
        tree: the component's folder in the last snapshot; None if there is none.
        journal: what an interrupted run has stored already.
        journal_prefix: what makes the component's paths unique in the journal.
    """

    def __init__(self, reader: Reader, tree: BlobId | None, journal: ResumeJournal, journal_prefix: bytes) -> None:
        self._reader = reader
        self._contains = reader.index.contains
        self._journal = journal
        self._prefix = journal_prefix
        # One frame for each directory on the way: its name and what is left of its entries.
        self._names: list[bytes] = []
        self._frames = [self._load(tree)]

    def judge(self, path: bytes, node: Node) -> Verdict:
        """What is known of a regular file.

        Args:
            path: of the file within the tree.
            node: as it is now.
        """
        directory, _, name = path.rpartition(b"/")
        self._go_to(directory.split(b"/") if directory else [])
        former = self._frames[-1].get(name)
        known = former is not None
        if former is None:
            former = self._journal.entry(self._prefix + path)
        if former is None or not node.inode or not node.ctime_ns:
            return Verdict(None, 0, known)
        entry = self._same_text(former, name, node) or self._same_values(former, name, node)
        return Verdict(entry, node.size, known)

    def _same_text(self, former: bytes, name: bytes, node: Node) -> bytes | None:
        """The quick way: when nothing at all changed, the texts agree up to the content."""
        head = encode_prefix(node if node.name == name else replace(node, name=name))
        body = former[len(head) - 1 :]
        # The head ends in the comma before the content.
        if not former.startswith(head) or not body.startswith(_CONTENT) or not body.endswith(b"]}"):
            return None
        try:
            return former if self._all_there(body[len(_CONTENT) : -2]) else None
        except ValueError:
            return None

    def _all_there(self, ids: bytes) -> bool:
        data, contains = BlobType.DATA, self._contains
        return not ids or all(contains(data, bytes.fromhex(item.decode())) for item in ids[1:-1].split(b'","'))

    def _same_values(self, former: bytes, name: bytes, node: Node) -> bytes | None:
        try:
            was = from_raw(_decoder.decode(former))
        except (FormatError, msgspec.DecodeError):
            return None
        if was.type is not NodeType.FILE or was.content is None:
            return None
        if (was.size, was.mtime_ns, was.ctime_ns, was.inode) != (node.size, node.mtime_ns, node.ctime_ns, node.inode):
            return None
        if not all(self._contains(BlobType.DATA, blob_id) for blob_id in was.content):
            return None
        return encode_node(replace(node, name=name, content=was.content))

    def _go_to(self, names: list[bytes]) -> None:
        """Makes the last frame that of a directory."""
        common = 0
        while common < min(len(names), len(self._names)) and names[common] == self._names[common]:
            common += 1
        del self._names[common:]
        del self._frames[common + 1 :]
        for name in names[common:]:
            self._frames.append(self._load(subtree_of(self._frames[-1].get(name))))
            self._names.append(name)

    def close(self) -> None:
        """Lets go of what was loaded; from now on every file is new."""
        self._names, self._frames = [], [FormerEntries()]

    def _load(self, tree: BlobId | None) -> FormerEntries:
        if tree is None:
            return FormerEntries()
        try:
            return FormerEntries(self._reader.load_blob(BlobType.TREE, tree))
        except HoldfastError:
            # The last snapshot is only a hint what need not be read; reading everything repairs what it lacks.
            return FormerEntries()
