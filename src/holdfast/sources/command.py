"""The output of any program."""

from __future__ import annotations

from holdfast.sources.command_options import CommandOptions

__all__ = ["CommandOptions"]
