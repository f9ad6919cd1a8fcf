"""The tests are only worth something if they turn red: each promise is broken once, and its test must notice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from holdfast.operations import create, create_run, delete, due_hooks, restore_plan, restore_run, retention
from holdfast.operations import restore as restore_module
from holdfast.operations.create_run import CreateRun
from holdfast.operations.destinations import Destination
from holdfast.operations.journal import Journal
from holdfast.policy import backup_retention
from holdfast.protocols.target import Target
from holdfast.testing.stand_in import standing_in
from unit.operations import (
    test_create,
    test_due_hooks,
    test_emptied,
    test_incremental,
    test_lock,
    test_restore,
    test_retention,
)
from unit.operations.app import App


class Planted(NamedTuple):
    """A bug: what is replaced by what, and the test that must notice."""

    what: str
    owner: object
    attributes: Mapping[str, object]
    notices: Callable[..., None]


@contextlib.contextmanager
def no_lock(_context: object) -> Generator[None]:
    """Lets everybody in."""
    yield


def nothing(*_: object, **__: object) -> None:
    """Does not look."""


def no_problems(*_: object) -> list[object]:
    """Sees nothing."""
    return []


def no_reason(*_: object) -> str:
    """Sees no reason against it."""
    return ""


def everything_planned(target: Target, stored, plan, _again):  # type: ignore[no-untyped-def]
    """Removes what was shown without looking again."""
    return REMOVE(target, stored, plan, plan)


REMOVE = retention.remove_planned

BUGS = [
    Planted(
        "no lock", create, {"run_lock": no_lock}, test_lock.test_two_runs_at_once_are_refused_and_the_other_is_named
    ),
    Planted(
        "retention after failure",
        CreateRun,
        {"_reason_to_keep_everything": no_reason},
        test_create.test_retention_follows_success_alone,
    ),
    Planted(
        "retention after shrinking",
        create_run,
        {"shrunk": no_problems},
        test_create.test_an_application_that_shrank_loses_no_backup,
    ),
    Planted(
        "nothing is as good as something",
        create_run,
        {"refuse_emptied": nothing},
        test_emptied.test_a_database_without_tables_is_refused,
    ),
    Planted(
        "no verification", Destination, {"verify": nothing}, test_create.test_what_reads_back_wrong_is_marked_and_told
    ),
    Planted(
        "no room is no matter",
        create_run.space,
        {"check_target_space": nothing},
        test_create.test_what_will_not_fit_is_refused_before_anything_is_read,
    ),
    Planted(
        "nothing is proved", restore_run, {"prove": nothing}, test_restore.test_damage_in_every_copy_changes_nothing
    ),
    Planted(
        "nothing is judged",
        restore_run,
        {"judge": nothing},
        test_restore.test_a_source_that_lies_about_what_it_loaded_is_found_out,
    ),
    Planted(
        "services stay down",
        due_hooks,
        {"run_after": no_problems},
        test_restore.test_services_come_back_after_a_failed_restore,
    ),
    Planted(
        "nobody knows that services are down",
        due_hooks,
        {"put_whole": nothing},
        test_due_hooks.test_what_brings_the_application_back_is_noted_before_it_is_stopped,
    ),
    Planted(
        "no journal", Journal, {"note": nothing}, test_restore.test_everything_comes_back_and_what_was_replaced_is_kept
    ),
    Planted(
        "room is not looked for",
        restore_module,
        {"check_space": nothing},
        test_restore.test_no_room_is_found_before_anything_is_changed,
    ),
    Planted(
        "base alone",
        restore_plan,
        {"chain_of": lambda stored, *_: [stored]},
        test_restore.test_an_incremental_backup_comes_back_exactly_deletions_included,
    ),
    Planted(
        "retention looks once",
        retention,
        {"remove_planned": everything_planned},
        test_retention.test_a_backup_that_was_held_since_stays_and_so_does_everything,
    ),
    Planted(
        "deletion looks not at all", delete, {"refuse_needed": nothing}, test_retention.test_what_must_stay_is_refused
    ),
    Planted(
        "bases are forgotten",
        backup_retention,
        {"_keep_bases": nothing},
        test_incremental.test_retention_keeps_what_incremental_backups_are_built_on,
    ),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what.replace(" ", "-"))
def test_a_planted_bug_is_noticed(bug: Planted, make_app: Callable[..., App], tmp_path: Path) -> None:
    wanted = bug.notices.__code__.co_varnames[: bug.notices.__code__.co_argcount]
    given = {"app": make_app(), "make_app": make_app, "tmp_path": tmp_path}
    with standing_in(bug.owner, **bug.attributes), pytest.raises((AssertionError, pytest.fail.Exception)):
        bug.notices(**{name: given[name] for name in wanted})
