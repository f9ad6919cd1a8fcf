"""Bytes in any of the forms the engine passes around without copying."""

from __future__ import annotations

Buffer = bytes | bytearray | memoryview
