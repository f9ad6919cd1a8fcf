"""A pack: many sealed blobs in one stored file."""

from __future__ import annotations

import msgspec

from holdfast.model.blob import PackedBlob
from holdfast.model.ids import PackId


class Pack(msgspec.Struct, frozen=True, gc=False):
    """A pack's name and what lies in it, in physical order."""

    id: PackId
    blobs: tuple[PackedBlob, ...]
