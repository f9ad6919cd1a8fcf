"""Whether a file is as the parent snapshot has it, so that it need not be read again."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from holdfast.errors import FormatError
from holdfast.format.node import RawNode, from_raw
from holdfast.model.blob import BlobType
from holdfast.model.node import Node, NodeType
from holdfast.repository.backup.nodes import encode_file, file_head, read_xattrs
from holdfast.repository.backup.report import BackupOptions
from holdfast.repository.index import Index

_CONTENT = b',"content":['
_XATTRS = b',"extended_attributes":'
_decoder = msgspec.json.Decoder(RawNode)


class UnchangedTest:
    """Answers for one backup run."""

    def __init__(self, index: Index, options: BackupOptions) -> None:
        self._contains = index.contains
        self._with_atime = options.with_atime
        self._check_ctime = not options.ignore_ctime
        self._check_inode = not options.ignore_inode

    def entry(self, name_json: bytes, status: os.stat_result, former: bytes, path: Callable[[], bytes]) -> bytes | None:
        """The entry to reuse, or None if the file must be read.

        Args:
            name_json: the file's name as JSON text.
            status: from `lstat`, now.
            former: the parent snapshot's entry of that name.
            path: gives where attributes can be read, if they have to be.
        """
        head = file_head(name_json, status, status.st_size, with_atime=self._with_atime)
        if former.startswith(head):
            # Same text up to the link count: nothing about the file changed, its attributes included (they
            # would have moved its ctime), so the entry stands as it is.
            rest = former[len(head) :]
            if rest.startswith((_CONTENT, _XATTRS)) and self._all_there(rest):
                return former
            return None
        return self._compare(name_json, status, former, path)

    def _all_there(self, rest: bytes) -> bool:
        start = rest.rfind(_CONTENT)
        body = rest[start + len(_CONTENT) : -2]
        if start < 0 or not rest.endswith(b"]}"):
            return False
        if not body:
            return True
        contains, data = self._contains, BlobType.DATA
        return all(contains(data, bytes.fromhex(item.decode())) for item in body[1:-1].split(b'","'))

    def _compare(
        self, name_json: bytes, status: os.stat_result, former: bytes, path: Callable[[], bytes]
    ) -> bytes | None:
        try:
            node = from_raw(_decoder.decode(former))
        except (FormatError, msgspec.DecodeError):
            return None
        if not self._same(node, status) or node.content is None:
            return None
        if not all(self._contains(BlobType.DATA, blob_id) for blob_id in node.content):
            return None
        try:
            xattrs = read_xattrs(path())
        except OSError:
            return None
        return encode_file(name_json, status, xattrs, node.content, status.st_size, with_atime=self._with_atime)

    def _same(self, node: Node, status: os.stat_result) -> bool:
        return (
            node.type is NodeType.FILE
            and node.size == status.st_size
            and node.mtime_ns == status.st_mtime_ns
            and (not self._check_ctime or node.ctime_ns == status.st_ctime_ns)
            and (not self._check_inode or node.inode == status.st_ino)
        )
