"""A catalog whose file is deleted while it is open is not written to any more: nobody would ever find that again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.catalog import open_catalog
from holdfast.errors import CatalogUnavailable
from holdfast.runtime.clock import SystemClock

KEY = b"k" * 32


def test_a_deleted_file_is_missed_and_one_made_anew_is_used(tmp_path: Path) -> None:
    path = tmp_path / "state" / "catalog.db"
    url = f"sqlite:///{path}"
    with open_catalog(url, clock=SystemClock(), key=KEY) as server:
        server.settings.put("kept", 1)
        for file in path.parent.glob("catalog.db*"):
            file.unlink()

        with pytest.raises(CatalogUnavailable, match="deleted"):
            server.settings.put("lost", 1)
        with pytest.raises(CatalogUnavailable, match="deleted"):
            server.settings.get("kept")
        assert not path.exists(), "an empty file would look like a catalog"

        with open_catalog(url, clock=SystemClock(), key=KEY) as command:
            command.settings.put("anew", 1)
            assert server.settings.get("anew") == 1
            server.audit.append(datetime.now(UTC), "me", "look")
            assert command.audit.verify().entries == 1
