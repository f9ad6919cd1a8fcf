"""Dumps of the source `tables`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from holdfast.model.component import Component, Form, Problem, Role, Shape
from holdfast.model.event import Progress
from holdfast.model.node import Node, NodeType
from holdfast.protocols import DumpRequest, Entry
from holdfast.sources.rows.document import file_name
from holdfast.sources.rows.store import RowStore, TableInfo
from holdfast.sources.rows.streams import IteratorReader, gathered
from holdfast.sources.rows.table_files import TableFile
from holdfast.sources.tables_options import TablesOptions

_SUFFIX = ".json"


class TablesDump:
    """Some tables of one snapshot; a `Dump`."""

    def __init__(
        self, name: str, options: TablesOptions, store: RowStore, tables: Sequence[TableInfo], request: DumpRequest
    ) -> None:
        self._name = name
        self._options = options
        self._store = store
        self._tables = sorted(tables, key=lambda table: file_name(table.name, _SUFFIX).encode())
        self._request = request
        self._rows: dict[str, int] = {}
        self._problems = [
            Problem(code="not-transactional", subject=table.name, detail="its engine has no snapshots")
            for table in tables
            if not table.transactional
        ]

    def forms(self) -> Sequence[Form]:
        """One JSON file per table."""
        return (Form.TABLES,)

    def shape(self, _form: Form) -> Shape:
        """Several files side by side."""
        return Shape.FILES

    def file_name(self, _form: Form) -> str:
        """The source's name; each file has the name of its table."""
        return self._name

    def entries(self, _form: Form) -> Iterator[Entry]:
        """One file for each table, in the order of their names. Raises `SourceError`."""
        for number, table in enumerate(self._tables):
            progress = Progress(phase="tables", items_done=number, items_total=len(self._tables), current=table.name)
            self._request.listener(progress)
            yield from self._entry(table)

    def component(self, form: Form) -> Component:
        """What was dumped."""
        return Component(
            name=self._name,
            kind="tables",
            role=Role.TABLES,
            form=form,
            shape=Shape.FILES,
            file_name=self._name,
            original=self._store.location,
            rows=dict(self._rows),
            facts={"database": self._store.database, "source": self._options.database},
            problems=tuple(self._problems),
        )

    def problem(self, problem: Problem) -> None:
        """Notes a problem that the reader of the entries met."""
        self._problems.append(problem)

    def _entry(self, table: TableInfo) -> Iterator[Entry]:
        related = self._request.scratch / "related.db" if self._options.with_related else None
        condition = self._options.where.get(table.name, "")
        made = TableFile(self._store, table, condition, related, self._name)
        reader = IteratorReader(gathered(made.blocks(self._request.cancelled)))
        name = file_name(table.name, _SUFFIX).encode()
        node = Node(name=name, type=NodeType.FILE, mode=0o600)
        yield Entry(path=name, node=node, size_known=False, open=partial(_itself, reader))
        reader.drain()  # counted all the same where nobody wanted the content
        self._rows[table.name] = made.count


def _itself(reader: IteratorReader) -> IteratorReader:
    return reader
