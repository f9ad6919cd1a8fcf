"""What a person sees before there is any backup, and a first backup into a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.app_home import CONFIGURATION, make_app
from holdfast.testing.servers import moto_s3

LOCAL_ONLY = CONFIGURATION[: CONFIGURATION.index("[targets.offsite]")]
BUCKET = """
[targets.bucket]
kind = "{kind}"
url = "s3://holdfast-test/{kind}"
{password}
access_key_id = "holdfast"
secret_access_key_file = "secret"
endpoint = "{endpoint}"
region = "eu-central-1"
"""


@pytest.mark.parametrize(
    "command", [("restore", "latest"), ("show", "latest"), ("verify", "latest"), ("export", "latest")]
)
def test_without_any_backup_it_says_how_to_make_one(tmp_path: Path, command: tuple[str, ...]) -> None:
    home = make_app(tmp_path / "app", LOCAL_ONLY)
    done = home.run(*command, status=1)
    assert "there are no backups in local yet" in done.err
    assert "holdfast create" in done.err


def test_a_dry_run_works_before_the_first_backup(tmp_path: Path) -> None:
    home = make_app(tmp_path / "app")
    done = home.run("create", "--dry-run")
    assert "Would back up" in done.out
    assert "target offsite: there is no repository yet; the first backup makes it" in done.err
    assert not (home.folder / "offsite").exists()
    assert not (home.folder / "backups").exists()
    home.create()
    assert "no repository" not in home.run("create", "--dry-run").err


def test_a_dry_run_does_not_promise_a_repository_that_was_lost(tmp_path: Path) -> None:
    home = make_app(tmp_path / "app")
    home.create()
    (home.folder / "offsite").rename(home.folder / "elsewhere")
    done = home.run("create", "--dry-run", status=10)
    assert "there is no repository at" in done.err


def test_a_password_that_is_missing_shows_in_a_dry_run(tmp_path: Path) -> None:
    home = make_app(tmp_path / "app", CONFIGURATION.replace('password_file = "password"\n', ""))
    assert "password" in home.run("create", "--dry-run", status=2).err


@pytest.mark.parametrize("kind", ["archive", "repository"])
def test_the_credentials_of_a_bucket_stand_with_its_target(tmp_path: Path, kind: str) -> None:
    with moto_s3() as server:
        password = 'password_file = "password"' if kind == "repository" else ""
        bucket = BUCKET.format(kind=kind, password=password, endpoint=server.endpoint)
        home = make_app(tmp_path / "app", LOCAL_ONLY.replace("[targets.local]", bucket + "\n[targets.local]"))
        (home.folder / "secret").write_text("holdfast-secret\n")
        (home.folder / "secret").chmod(0o600)
        home.create()
        home.run("verify", "latest", "--target", "bucket")
        before = home.state()
        home.damage()
        home.run("restore", "latest", "--from", "bucket", "--yes")
        assert home.state() == before
        assert "holdfast-secret" not in home.run("config", "show").out
