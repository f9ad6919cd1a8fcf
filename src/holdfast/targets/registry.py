"""Which kinds of target there are."""

from __future__ import annotations

from holdfast.runtime.plugins import PluginTable, Row

TARGETS = PluginTable(
    {
        "archive": Row("holdfast.targets.archive:ArchiveTarget", "holdfast.targets.archive_options:ArchiveOptions"),
        "repository": Row(
            "holdfast.targets.repository:RepositoryTarget", "holdfast.targets.repository_options:RepositoryOptions"
        ),
    },
    group="holdfast.targets",
)
