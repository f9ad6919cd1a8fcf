"""Folders and files."""

from __future__ import annotations

from holdfast.sources.files_options import FilesOptions

__all__ = ["FilesOptions"]
