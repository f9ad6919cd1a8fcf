"""From a configuration, or a few parameters, to an application."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.app import Overrides, app_from_config, config_from_parameters, load_app
from holdfast.app.building import keep_by_target, log_paths, own_places
from holdfast.config.load import load_config
from holdfast.config.model import Config
from holdfast.errors import ConfigNotFound, NothingToDo, UnknownName
from holdfast.policy.backup_retention import KeepRules
from holdfast.policy.durations import CalendarDuration

BASE = """
[app]
name = "shop"
[sources.database]
kind = "sqlite"
path = "shop.db"
[sources.storage]
kind = "files"
paths = ["storage"]
[targets.local]
kind = "archive"
url = "backups"
[targets.offsite]
kind = "repository"
url = "repo"
password_command = "echo geheim"
"""


def config(folder: Path, more: str = "", base: str = BASE) -> Config:
    (folder / "holdfast.toml").write_text(base + more)
    return load_config(folder / "holdfast.toml", None, {}, folder)


def test_parts_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    with app_from_config(config(tmp_path)) as app:
        assert list(app.context.sources) == ["database", "storage"]
        assert [target.kind for target in app.context.targets.values()] == ["archive", "repository"]
        assert app.context.state_dir == tmp_path / ".holdfast"
        assert app.context.log_paths == (tmp_path / "backups/backup.log",)


def test_tables_are_given_their_database(tmp_path: Path) -> None:
    tables = '[sources.comments]\nkind = "tables"\ndatabase = "database"\ntables = ["comments"]\n'
    with app_from_config(config(tmp_path, tables)) as app:
        assert app.context.sources["comments"].name == "comments"


def test_backups_and_state_are_left_out_of_files(tmp_path: Path) -> None:
    more = """
        [targets.second]
        kind = "archive"
        url = "storage/inside"
        prefix = "deep"
        [targets.far]
        kind = "archive"
        url = "s3://b/p"
    """
    made = config(tmp_path, more)
    assert own_places(made) == (
        tmp_path / ".holdfast",
        tmp_path / "backups",
        tmp_path / "repo",
        tmp_path / "storage/inside/deep",
    )
    assert log_paths(made) == (tmp_path / "backups/backup.log", tmp_path / "storage/inside/deep/backup.log")


@pytest.mark.parametrize(
    ("more", "local"),
    [
        ("", KeepRules()),
        ("[policies.a]\nkeep = { last = 3 }\n", KeepRules(last=3)),
        (
            (
                "[policies.a]\nkeep = { last = 3, days = 7 }\n"
                '[policies.b]\ntargets = ["local"]\nkeep = { last = 9, within = "1m" }\n'
            ),
            KeepRules(last=9, days=7, within=CalendarDuration(months=1)),
        ),
        (
            '[policies.a]\nkeep = { last = 3 }\n[policies.b]\ntargets = ["offsite"]\nkeep = { last = 9 }\n',
            KeepRules(last=3),
        ),
        ("[policies.a]\nkeep = { last = 3 }\n[policies.b]\n", KeepRules()),
    ],
    ids=["none", "one", "both-keep", "another-target", "one-says-nothing"],
)
def test_what_one_policy_keeps_no_other_removes(tmp_path: Path, more: str, local: KeepRules) -> None:
    assert keep_by_target(config(tmp_path, more))["local"] == local


def test_the_rules_of_a_target_win(tmp_path: Path) -> None:
    base = BASE.replace('url = "backups"', 'url = "backups"\nkeep = { weekly = 4 }')
    rules = keep_by_target(config(tmp_path, "[policies.a]\nkeep = { last = 3 }\n", base))
    assert rules == {"local": KeepRules(weekly=4), "offsite": KeepRules(last=3)}


def test_changes_for_one_run(tmp_path: Path) -> None:
    config(tmp_path, "[policies.a]\nkeep = { last = 3 }\n")
    changes = Overrides(archive_url=str(tmp_path / "elsewhere"), compression="", compress_databases=True, keep_last=5)
    with load_app(None, None, {}, tmp_path, overrides=changes) as app:
        options = app.config.targets["local"].options
        assert (options.url, options.compression, options.compress_databases) == (str(tmp_path / "elsewhere"), "", True)  # type: ignore[attr-defined]
        assert app.context.keep_by_target == {"local": KeepRules(last=5), "offsite": KeepRules(last=5)}
        assert app.context.log_paths == (tmp_path / "elsewhere/backup.log",)


def test_an_archive_that_is_not_there_cannot_be_kept_elsewhere(tmp_path: Path) -> None:
    base = BASE.replace(
        'kind = "archive"\nurl = "backups"', 'kind = "repository"\nurl = "r"\npassword_command = "echo x"'
    )
    config(tmp_path, base=base)
    with pytest.raises(UnknownName, match="archive"):
        load_app(None, None, {}, tmp_path, overrides=Overrides(archive_url="x"))


def test_parameters_in_the_place_of_a_file(tmp_path: Path) -> None:
    made = config_from_parameters(
        directory=tmp_path / "my shop!", db_path=Path("/app/shop.db"), storage_path=Path("/app/storage"),
        backup_dir="/app/backups", compression="", compress_databases=None, max_backups=7,
    )  # fmt: skip
    assert made.app.name == "my-shop"
    assert {name: source.kind for name, source in made.sources.items()} == {"database": "sqlite", "storage": "files"}
    assert made.state_dir == Path("/app/backups/.holdfast/app")
    assert keep_by_target(made) == {"local": KeepRules(last=7)}
    with app_from_config(made) as app:
        assert app.context.log_paths == (Path("/app/backups/backup.log"),)


def test_nothing_to_go_by(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo):
        config_from_parameters(
            directory=tmp_path, db_path=None, storage_path=None, backup_dir="b", compression="gz",
            compress_databases=None, max_backups=7,
        )  # fmt: skip
    with pytest.raises(ConfigNotFound):
        load_app(None, None, {}, tmp_path)
