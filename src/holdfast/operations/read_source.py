"""Reads one source into all targets that are left."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from holdfast.errors import HoldfastError, TargetError
from holdfast.model.backup import BackupType
from holdfast.model.component import Component, Form
from holdfast.operations.base import Base
from holdfast.operations.context import AppContext
from holdfast.operations.destinations import Destination, ensure_one, everywhere
from holdfast.operations.fanout import Outlet, Reading
from holdfast.operations.scratch import part
from holdfast.protocols.source import Dump, DumpRequest, Source
from holdfast.protocols.target import ComponentWriter


class SourceReader:
    """Dumps sources for one backup.

    Args:
        kind: what is made now; differs from what was asked for when there is nothing to build on.
        base: what an incremental backup builds on.
        keep_state: whether a full backup keeps what a later incremental one compares with.
    """

    def __init__(
        self,
        context: AppContext,
        kind: BackupType,
        destinations: Sequence[Destination],
        base: Base | None,
        *,
        keep_state: bool,
    ) -> None:
        self._context = context
        self._kind = kind
        self._destinations = destinations
        self._base = base
        self._keep_state = keep_state

    def read(self, source: Source, scratch: Path) -> None:
        """Reads a source, once for each form in which its content is wanted.

        Raises:
            SourceError: it cannot be read, or what was read is not whole.
            NoBase: its changes cannot be told.
            TargetError: no target is left.
        """
        state = scratch / "state" if self._wants_state() else None
        with part(scratch, "dump") as room:
            request = DumpRequest(
                scratch=room,
                listener=self._context.listener,
                cancelled=self._context.cancel.raise_if_cancelled,
                base=self._base.states.get(source.name) if self._base is not None else None,
                state=state,
                timeout_s=self._context.dump_timeout_s,
            )
            with source.dump(request) as dump:
                for form, takers in self._by_form(source, dump).items():
                    self._read_form(source, dump, form, takers, state)

    def _wants_state(self) -> bool:
        """A state is worth its price only where a later incremental backup may build on this one."""
        keeps = any(each.alive and each.target.keeps_changes for each in self._destinations)
        makes_base = self._kind is BackupType.FULL and self._keep_state
        return keeps and (makes_base or self._kind is BackupType.INCREMENTAL)

    def _by_form(self, source: Source, dump: Dump) -> dict[Form, list[Destination]]:
        forms = dump.forms()
        whole = [form for form in forms if form is not Form.CHANGES]
        by_form: dict[Form, list[Destination]] = {}
        for destination in self._destinations:
            if not destination.alive:
                continue
            changes = self._kind is BackupType.INCREMENTAL and destination.target.keeps_changes
            try:
                form = Form.CHANGES if changes and Form.CHANGES in forms else None
                form = form or destination.target.form_for(whole, source.role)
            except TargetError as error:
                destination.lane.fail(error)
                continue
            by_form.setdefault(form, []).append(destination)
        ensure_one(self._destinations)
        return by_form

    def _read_form(
        self, source: Source, dump: Dump, form: Form, takers: Sequence[Destination], state: Path | None
    ) -> None:
        try:
            self._give(source, dump, form, takers, state)
        except HoldfastError as error:
            # When all targets that take this form failed, those that take another one go on.
            if any(taker.alive for taker in takers) or not _is_theirs(error, takers):
                raise
            ensure_one(self._destinations)

    def _give(self, source: Source, dump: Dump, form: Form, takers: Sequence[Destination], state: Path | None) -> None:
        component = Component(
            name=source.name,
            kind=source.kind,
            role=source.role,
            form=form,
            shape=dump.shape(form),
            file_name=dump.file_name(form),
        )
        writers = everywhere(takers, lambda taker: partial(_begin, taker, component))
        outlets = [Outlet(taker.lane, writers[taker.target.name]) for taker in takers if taker.target.name in writers]
        component = Reading(source.name, dump, form, outlets, self._context.listener).run()
        left = {outlet.lane.target.name: outlet.writer for outlet in outlets}
        kept = state if state is not None and state.exists() else None
        everywhere(takers, lambda taker: partial(_finish, taker, left[taker.target.name], component, kept))


def _is_theirs(error: HoldfastError, takers: Sequence[Destination]) -> bool:
    return any(taker.lane.error is error for taker in takers)


def _begin(destination: Destination, component: Component) -> ComponentWriter:
    assert destination.writer is not None
    return destination.writer.component(component)


def _finish(destination: Destination, writer: ComponentWriter, component: Component, state: Path | None) -> None:
    writer.finish(state if destination.target.keeps_changes else None)
    destination.components[component.name] = component
