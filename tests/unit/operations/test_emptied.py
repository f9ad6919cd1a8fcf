"""A source with nothing in it any more ends the run; whoever means it says so."""

from __future__ import annotations

import pytest

from holdfast.errors import SourceEmptied, UnknownName
from unit.operations.app import App


def test_a_database_without_tables_is_refused(app: App) -> None:
    app.create()
    app.sources["database"].rows = {}
    with pytest.raises(SourceEmptied) as refused:
        app.create()
    assert refused.value.context["source"] == "database"
    assert len(app.ids("local")) == len(app.ids("offsite")) == 1


def test_tables_without_rows_are_tables(app: App) -> None:
    app.create()
    app.sources["database"].rows = {"users": 0}
    assert {problem.code for problem in app.create().problems} == {"shrunk"}


def test_a_tree_without_files_is_refused_until_that_is_accepted(app: App) -> None:
    app.create()
    app.sources["storage"].files = {}
    with pytest.raises(SourceEmptied):
        app.create()
    app.create(accept_empty=("storage",))
    assert app.create().failure is None
    assert len(app.ids("local")) == 3


def test_accepting_a_source_that_is_none_is_refused(app: App) -> None:
    with pytest.raises(UnknownName):
        app.create(accept_empty=("databse",))
