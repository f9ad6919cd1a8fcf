"""The layouts by name."""

from __future__ import annotations

from holdfast.archive.layouts.bundle import Bundle
from holdfast.archive.layouts.directory import Directory
from holdfast.archive.layouts.flat import Flat
from holdfast.archive.layouts.layout import Layout
from holdfast.archive.layouts.typed import Typed

LAYOUTS: dict[str, Layout] = {"typed": Typed(), "flat": Flat(), "bundle": Bundle(), "directory": Directory()}
