"""A newcomer's session: every documented command of `holdfast repo`, one after the other, as real processes."""

from __future__ import annotations

import os
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from e2e.commands import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A repository and a folder to back up, called `app`."""
    made = Home(tmp_path, str(tmp_path / "repository"))
    app = tmp_path / "app"
    (app / "media").mkdir(parents=True)
    (app / "settings.toml").write_text("debug = false\n")
    (app / "media" / "one.jpg").write_bytes(os.urandom(70_000))
    (app / "media" / "two.jpg").write_bytes(os.urandom(5_000))
    (app / "current").symlink_to("media")
    made.run("init")
    made.run("backup", "app", "--tag", "first", "--quiet")
    return made


def change(home: Home) -> None:
    """Changes, removes and adds a file, and makes a second backup."""
    (home.folder / "app" / "settings.toml").write_text("debug = true\n")
    (home.folder / "app" / "media" / "two.jpg").unlink()
    (home.folder / "app" / "media" / "three.jpg").write_bytes(os.urandom(3_000))
    home.run("backup", "app", "--quiet")


def snapshots(home: Home) -> list[str]:
    return [one["id"] for one in home.run("snapshots", "--json").json()]


# --- a session from beginning to end -------------------------------------------------------------------------


def test_a_first_hour(home: Home) -> None:
    """What the guide says, in its order."""
    assert "1 snapshot" in home.run("snapshots").out
    change(home)
    assert "/app/settings.toml" in home.run("ls", "latest").out
    assert "/app/settings.toml" in home.run("find", "*.toml").out
    assert home.run("dump", "latest", "/app/settings.toml").out == "debug = true\n"
    assert "M    /app/settings.toml" in home.run("diff", "latest~1", "latest").out
    home.run("restore", "latest", "--target", "back", "--verify")
    assert (home.folder / "back/app/settings.toml").read_text() == "debug = true\n"
    assert "Remove 1 snapshot:" in home.run("forget", "--keep-last", "1", "--dry-run").out
    home.run("forget", "--keep-last", "1", "--prune")
    assert len(snapshots(home)) == 1
    assert "No damage was found." in home.run("check", "--read-data").out
    assert "Files: " in home.run("stats").out


def test_nothing_is_asked_when_standard_input_is_empty(home: Home) -> None:
    """Scripts have nobody to answer."""
    change(home)
    for arguments in (
        ["forget", "--keep-last", "1", "--prune"],
        ["prune"],
        ["unlock", "--remove-all"],
        ["rewrite", "--forget", "--exclude", "three.jpg"],
        ["repair", "snapshots", "--forget"],
    ):
        home.run(*arguments)


def test_quiet_commands_print_nothing(home: Home) -> None:
    change(home)
    for arguments in (
        ["backup", "app"],
        ["restore", "latest", "--target", "back"],
        ["check"],
        ["forget", "--keep-last", "1", "--prune"],
        ["prune"],
        ["unlock"],
        ["repair", "index"],
        ["recover"],
        ["tag", "--add", "x"],
        ["rewrite", "--new-host", "y"],
    ):
        done = home.run(*arguments, "--quiet")
        assert (done.out, done.err) == ("", ""), arguments


# --- looking -------------------------------------------------------------------------------------------------


def test_ls(home: Home) -> None:
    listed = home.run("ls", "latest", "--quiet").out.splitlines()
    inner = ["/app/media", "/app/media/one.jpg", "/app/media/two.jpg"]
    assert [path for path in listed if path.startswith("/app/media")] == inner
    assert home.run("ls", "latest:/app/media", "--quiet").out.split() == ["/one.jpg", "/two.jpg"]
    assert home.run("ls", "latest", "/app", "--quiet").out.split()[1:] == [
        "/app/current",
        inner[0],
        "/app/settings.toml",
    ]
    assert set(home.run("ls", "latest", "/app", "--recursive", "--quiet").out.split()) > set(inner)
    biggest = home.run("ls", "latest", "--sort", "size", "--reverse", "--quiet").out.split()[0]
    assert biggest == "/app/media/one.jpg"
    assert " 70000 " in home.run("ls", "--long", "latest").out
    assert "68.359 KiB" in home.run("ls", "--long", "--human-readable", "latest").out
    assert "/app/current -> media" in home.run("ls", "-l", "latest").out
    documents = home.run("ls", "latest", "--json").lines()
    assert [one["message_type"] for one in documents[:2]] == ["snapshot", "node"]
    usage = home.run("ls", "--ncdu", "latest").json()
    assert usage[:2] == [1, 2]
    assert usage[3][0] == {"name": "/"}


def test_names_are_shown_harmlessly(home: Home) -> None:
    (home.folder / "app" / "evil\x1b[31m\nname").write_text("x")
    home.run("backup", "app", "--quiet")
    out = home.run("ls", "latest").out
    assert "/app/evil\\x1b[31m\\x0aname" in out
    assert "\x1b" not in out


def test_find(home: Home) -> None:
    change(home)
    found = home.run("find", "one.jpg", "--json").json()
    assert [group["hits"] for group in found] == [1, 1]
    assert found[0]["matches"][0]["path"].endswith("/app/media/one.jpg")
    assert found[0]["snapshot"] == snapshots(home)[-1], "the newest comes first"
    assert home.run("find", "--reverse", "one.jpg", "--json").json()[0]["snapshot"] == snapshots(home)[0]
    assert home.run("find", "ONE.JPG", "--json").json() == []
    assert len(home.run("find", "-i", "ONE.JPG", "--snapshot", "latest", "--json").json()) == 1
    assert home.run("find", "one.jpg", "--newest", "2001-01-01").out == ""
    blob = next(one["id"] for one in home.run("list", "blobs", "--json").lines() if one["type"] == "data")
    places = home.run("find", "--blob", blob[:10], "--json").json()
    assert {"object_type", "id", "path", "parent_tree", "snapshot", "time"} == set(places[0])
    pack = home.run("list", "packs").out.split()[0]
    assert home.run("find", "--pack", pack[:8]).out
    assert f"Blob {blob} lies in pack" in home.run("find", "--blob", blob, "--show-pack-id").out
    home.run("find", "--blob", "--tree", blob, status=2)


def test_dump(home: Home) -> None:
    assert home.run("dump", "latest:/app", "settings.toml").out == "debug = false\n"
    home.run("dump", "latest", "/app", "--target", "app.tar")
    with tarfile.open(home.folder / "app.tar") as archive:
        names = archive.getnames()
    assert any(name.endswith("app/media/one.jpg") for name in names)
    home.run("dump", "--archive", "zip", "latest", "/app/media", "-t", "media.zip")
    with zipfile.ZipFile(BytesIO((home.folder / "media.zip").read_bytes())) as packed:
        assert packed.testzip() is None
    assert not list(home.folder.glob(".*.tar*")), "no temporary file stays"
    assert "nothing.txt" in home.run("dump", "latest", "/app/nothing.txt", status=1).err


def test_diff_counts_both_ways(home: Home) -> None:
    change(home)
    *changes, statistics = home.run("diff", "latest~1", "latest", "--json").lines()
    assert {(one["modifier"], Path(one["path"]).name) for one in changes} == {
        ("M", "settings.toml"),
        ("-", "two.jpg"),
        ("+", "three.jpg"),
    }
    assert statistics["message_type"] == "statistics"
    assert statistics["changed_files"] == 1
    assert statistics["added"]["files"] == statistics["removed"]["files"] == 1


def test_stats_modes(home: Home) -> None:
    assert home.run("stats", "--json").json()["total_size"] == 75_014
    raw = home.run("stats", "--mode", "raw-data", "--json").json()
    assert raw["total_blob_count"] > 3
    assert raw["compression_ratio"] > 0
    for mode in ("files-by-contents", "blobs-per-file"):
        assert home.run("stats", "--mode", mode, "--json").json()["total_file_count"] == 3


def test_cat_and_list(home: Home) -> None:
    assert home.run("cat", "config").json()["version"] == 2
    assert set(home.run("cat", "masterkey").json()) == {"mac", "encrypt"}
    assert home.run("cat", "snapshot", "latest").json()["tags"] == ["first"]
    assert home.run("cat", "tree", "latest").json()["nodes"][0]["name"] == "app"
    for kind, listing in (("index", "index"), ("key", "keys")):
        name = home.run("list", listing).out.split()[0]
        assert home.run("cat", kind, name[:6]).json()
    for listing in ("packs", "snapshots", "locks"):
        names = home.run("list", listing).out.split()
        assert [one["id"] for one in home.run("list", listing, "--json").lines()] == names
    data = home.run("list", "blobs").out.split()
    assert data[0] == "data"
    assert home.run("cat", "blob", data[1]).out


# --- keeping -------------------------------------------------------------------------------------------------


def test_restore(home: Home) -> None:
    app = home.folder / "app"
    before = {path.relative_to(app): path.read_bytes() for path in app.rglob("*.*")}
    summary = home.run("restore", "latest:/app", "--target", app, "--json").summary()
    assert summary["files_skipped"] == 3
    (app / "settings.toml").write_text("broken")
    (app / "extra").write_text("new since")
    home.run("restore", "latest:/app", "--target", app, "--dry-run", "--delete")
    assert (app / "extra").exists()
    home.run("restore", "latest:/app", "--target", app, "--delete", "--verify", "--sparse")
    assert not (app / "extra").exists()
    assert {path.relative_to(app): path.read_bytes() for path in app.rglob("*.*")} == before
    home.run("restore", "latest", "-t", "some", "--include", "*.toml")
    assert [path.name for path in (home.folder / "some").rglob("*.*")] == ["settings.toml"]
    home.run("restore", "latest", "-t", "others", "--iexclude", "*.JPG")
    assert [path.name for path in (home.folder / "others").rglob("*.*")] == ["settings.toml"]
    (app / "settings.toml").write_text("mine")
    home.run("restore", "latest:/app", "--target", app, "--overwrite", "never")
    assert (app / "settings.toml").read_text() == "mine"
    home.run("restore", "latest", status=2)
    home.run("restore", "latest", "-t", "x", "--include", "a", "--exclude", "b", status=2)


def test_forget_by_policy_and_by_name(home: Home) -> None:
    change(home)
    first, second = snapshots(home)
    (group,) = home.run("forget", "--keep-last", "1", "--dry-run", "--json").json()
    assert [one["id"] for one in group["remove"]] == [first]
    assert group["reasons"][0]["matches"] == ["last snapshot"]
    home.run("forget", "--keep-tag", "nobody", status=2)
    home.run("forget", status=2)
    assert snapshots(home) == [first, second]
    assert "1 snapshot was removed." in home.run("forget", first[:8]).out
    assert snapshots(home) == [second]
    home.run("forget", "--unsafe-allow-remove-all", "--tag", "")
    assert snapshots(home) == []


def test_prune(home: Home) -> None:
    change(home)
    packs = home.run("list", "packs").out.split()
    home.run("forget", "--keep-last", "1", "--quiet")
    planned = [line for line in home.run("prune", "--dry-run", "--json").lines() if line["message_type"] == "summary"]
    assert planned[0]["dry_run"] is True
    assert home.run("list", "packs").out.split() == packs
    done = home.run("prune", "--max-unused", "0", "--json").summary()
    assert done["freed_bytes"] == planned[0]["freed_bytes"] > 0
    assert done["remaining_unused_bytes"] == 0
    home.run("check", "--read-data")


def test_tag_rewrite_recover(home: Home) -> None:
    assert home.run("tag", "--add", "keep,me", "--json").summary()["changed_snapshots"] == 1
    assert home.run("snapshots", "--json").json()[0]["tags"] == ["first", "keep", "me"]
    home.run("tag", "--remove", "me", "latest")
    assert "rewrite" not in home.run("rewrite", "--exclude", "one.jpg", "--dry-run").out
    home.run("rewrite", "--exclude", "one.jpg", "--forget")
    assert "one.jpg" not in home.run("ls", "latest").out
    home.run("rewrite", "--new-host", "db1", "latest")
    assert home.run("snapshots", "--host", "db1", "--json").json()[0]["tags"] == ["first", "keep", "rewrite"]
    home.run("forget", "--unsafe-allow-remove-all", "--host", "db1", "--tag", "first")
    assert home.run("recover", "--json").summary()["snapshot_id"] in snapshots(home)
    home.run("tag", status=2)
    home.run("rewrite", status=2)


def test_copy_and_init_with_the_same_chunks(home: Home) -> None:
    other = Home(home.folder, str(home.folder / "other"))
    assert home.repository
    other.run("init", "--from-repo", home.repository, "--copy-chunker-params", "--from-password-command", "echo geheim")
    assert (
        other.run("cat", "config").json()["chunker_polynomial"]
        == home.run("cat", "config").json()["chunker_polynomial"]
    )
    other.variables["HOLDFAST_FROM_PASSWORD"] = "geheim"
    assert other.run("copy", "--from-repo", home.repository, "--json").summary()["copied"] == 1
    assert other.run("copy", "--from-repo", home.repository, "--json").summary()["skipped"] == 1
    assert other.run("ls", "latest", "--quiet").out == home.run("ls", "latest", "--quiet").out
    other.run("check", "--read-data")
    other.run("copy", status=2)


# --- keys and locks ------------------------------------------------------------------------------------------


def test_keys(home: Home) -> None:
    password = home.folder / "new-password"
    password.write_text("neu\n")
    new = home.run("key", "add", "--new-password-file", password, "--user", "anna", "--host", "desk", "--json").json()[
        "id"
    ]
    keys = home.run("key", "list", "--json").json()
    assert {(key["userName"], key["hostName"]) for key in keys if key["id"] == new} == {("anna", "desk")}
    current = next(key["id"] for key in keys if key["current"])
    assert f"*{current[:8]}" in home.run("key", "list").out
    home.run("key", "remove", current[:8], status=2)
    home.run("key", "remove", "nonsense", status=1)
    home.run("snapshots", "--password-file", password)
    home.run("key", "passwd", "--new-password-file", password, "--password-file", password)
    assert len(home.run("key", "list", "--json").json()) == 2
    home.run("key", "remove", current[:8], "--password-file", password)
    home.run("snapshots", status=12)
    home.run("key", "add", "--password-file", password, stdin=b"", status=2)
    home.run("key", "add", "--password-file", password, stdin=b"third\n")
    home.variables["HOLDFAST_PASSWORD"] = "third"
    home.run("snapshots")


def test_unlock(home: Home) -> None:
    assert home.run("unlock", "--json").summary()["removed_locks"] == 0
    locks = Path(home.repository) / "locks"
    (locks / ("0" * 64)).write_bytes(b"no lock at all")
    summary = home.run("unlock", "--json").summary()
    assert (summary["removed_locks"], summary["unreadable_locks"]) == (1, 1)
    assert list(locks.iterdir()) == []


# --- damage --------------------------------------------------------------------------------------------------


def damage(path: Path, position: int = 50) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


def packs_by_size(home: Home) -> list[Path]:
    return sorted((Path(home.repository) / "data").glob("??/*"), key=lambda path: path.stat().st_size)


def test_damaged_data_is_found_named_and_repaired(home: Home) -> None:
    pack = packs_by_size(home)[-1]
    damage(pack)
    home.run("check")  # does not read data
    found = home.run("check", "--read-data", status=4)
    assert f"Damage: data/{pack.name}" in found.out
    assert "repair packs" in found.out
    summary = home.run("check", "--read-data", "--json", status=4).summary()
    assert summary["broken_packs"] == [pack.name]
    assert summary["num_errors"] >= 1
    assert home.run("restore", "latest", "--target", "back", status=4).err
    home.run("repair", "packs", pack.name[:10])
    assert (home.folder / f"pack-{pack.name}").exists()
    preview = home.run("repair", "snapshots", "--dry-run").out
    assert "1 snapshot would be repaired." in preview
    home.run("repair", "snapshots", "--forget")
    assert home.run("snapshots", "--json").json()[0]["tags"] == ["first", "repaired"]
    home.run("check", "--read-data")


def test_a_lost_index_is_written_anew(home: Home) -> None:
    for index in (Path(home.repository) / "index").iterdir():
        index.unlink()
    home.run("check", status=4)
    assert home.run("repair", "index", "--json").summary()["added"]
    home.run("check", "--read-data")
    home.run("restore", "latest", "--target", "back")


# --- what is kept on this machine ----------------------------------------------------------------------------


def test_cache_and_migrate(home: Home) -> None:
    (kept,) = home.run("cache", "--json").json()
    assert kept["repository_id"] == home.run("cat", "config").json()["id"]
    folder = home.folder / ".cache/holdfast" / kept["repository_id"]
    os.utime(folder, (0, 0))
    assert "yes" in home.run("cache").out
    home.run("cache", "--cleanup")
    assert not folder.exists()
    assert home.run("migrate", "--json").json() == []
    old = Home(home.folder, str(home.folder / "old"))
    old.run("init", "--repository-version", "1")
    old.run("backup", "app", "--quiet")
    assert "upgrade_repo_v2" in old.run("migrate").out
    old.run("migrate", "upgrade_repo_v2")
    assert old.run("cat", "config").json()["version"] == 2
    old.run("check", "--read-data")
    old.run("migrate", "nonsense", status=2)


def test_host_of_the_environment_is_the_default(home: Home) -> None:
    home.variables["HOLDFAST_HOST"] = "db1"
    home.run("backup", "app", "--quiet")
    assert [one["hostname"] for one in home.run("snapshots", "--json").json()] == ["db1"]
    assert len(home.run("snapshots", "--host", "", "--json").json()) == 2
