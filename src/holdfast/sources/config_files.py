"""A handful of configuration files."""

from __future__ import annotations

from holdfast.sources.files_options import ConfigFilesOptions

__all__ = ["ConfigFilesOptions"]
