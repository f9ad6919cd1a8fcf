"""Whether what is in a destination after a restore is what the backup holds."""

from __future__ import annotations

from holdfast.errors import Phrase, RestoreMismatch
from holdfast.model.component import Form, Shape
from holdfast.operations.reports import PlannedComponent
from holdfast.operations.requests import RestoreRequest
from holdfast.protocols.source import LoadReport


def judge(planned: PlannedComponent, load: LoadReport, request: RestoreRequest) -> None:
    """Compares what the source found in the destination with what the manifest says.

    Raises:
        RestoreMismatch: they differ; what was there before is in the safety copies.
    """
    _rows(planned, load, request)
    component = planned.component
    whole_tree = component.shape is Shape.TREE and component.form is not Form.CHANGES
    # A file that could not be read when the backup was made is missing from it; the digest is empty then too.
    exact = whole_tree and component.content_sha256 and not component.problems and not request.paths
    if exact and load.file_count != component.file_count:
        reason = Phrase(
            "it has {count} files, not {expected}", {"count": load.file_count, "expected": component.file_count}
        )
        raise RestoreMismatch(destination=load.destination, reason=reason)


def _rows(planned: PlannedComponent, load: LoadReport, request: RestoreRequest) -> None:
    component = planned.component
    if load.as_file:
        return  # the content was compared to its last byte
    if any(":" in table for table in request.tables):
        return  # single rows go into tables that have others
    for table, rows in component.rows.items():
        if request.tables and not _asked_for(table, request):
            continue
        if load.rows.get(table) != rows:
            there = load.rows.get(table, Phrase("not counted", {}))
            raise RestoreMismatch(
                destination=load.destination,
                reason=Phrase(
                    "table {table}: {there}, not {rows} rows", {"table": table, "there": there, "rows": rows}
                ),
            )


def _asked_for(table: str, request: RestoreRequest) -> bool:
    return any(wanted in (table, table.rpartition(".")[2]) for wanted in request.tables)
