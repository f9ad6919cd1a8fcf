"""Kinds of source and target for tests: every form that an option can have."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from holdfast.config.load import Kinds
from holdfast.runtime.plugins import PluginTable, Row
from holdfast.runtime.secret import Secret


class Inner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table within options."""

    depth: int
    token: Secret | None = None


class BoxOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a source."""

    path: Annotated[str, msgspec.Meta(min_length=1)] = "box"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1
    ratio: float = 0.5
    loud: bool = False
    mode: Literal["calm", "wild"] = "calm"
    names: tuple[str, ...] = ()
    extra: dict[str, str] = {}
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    url: Secret | None = None
    password: Secret | None = None

    def __post_init__(self) -> None:
        """Two options that exclude each other."""
        if self.loud and self.mode == "calm":
            revealed = self.password.reveal().decode() if self.password else ""
            raise ValueError(f"loud and calm at once {revealed}".rstrip())


class ShelfOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a target."""

    url: str
    key: Secret
    options: dict[str, str] = {}


HERE = "unit.config.fake_kinds"
KINDS = Kinds(
    sources=PluginTable(
        {
            "box": Row(f"{HERE}:BoxOptions", f"{HERE}:BoxOptions"),
            "broken": Row("unit.config.nowhere:X", "unit.config.nowhere:X"),
        },
        group="holdfast.tests.none",
    ),
    targets=PluginTable({"shelf": Row(f"{HERE}:ShelfOptions", f"{HERE}:ShelfOptions")}, group="holdfast.tests.none"),
)
