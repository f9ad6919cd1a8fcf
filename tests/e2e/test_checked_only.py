"""Archives that are encrypted to a key which is not on this machine: checksums are compared, and nothing is claimed."""

from __future__ import annotations

from pathlib import Path

from pyrage import x25519

from e2e.app_home import AppHome, make_app

CONFIGURATION = """
[app]
name = "sealed"
verify_after = {verify_after}

[sources.config]
kind = "config"
paths = [".env"]

[targets.local]
kind = "archive"
url = "backups"
encryption = "age"
recipients = ["{recipient}"]

[environments.home.targets.local]
identity_file = "identity"

[policies.nightly]
keep = {{ last = 1 }}
"""


def sealed(folder: Path, *, verify_after: str = "false") -> AppHome:
    """An application whose machine can write backups, and read them in the environment `home` alone."""
    identity = x25519.Identity.generate()
    configuration = CONFIGURATION.format(verify_after=verify_after, recipient=identity.to_public())
    home = make_app(folder, configuration)
    (folder / "identity").write_text(f"{identity}\n")
    (folder / "identity").chmod(0o600)
    return home


def test_a_backup_that_cannot_be_opened_is_never_called_verified(tmp_path: Path) -> None:
    home = sealed(tmp_path / "app", verify_after="true")
    home.create()
    done = home.run("verify", "latest")
    assert "Checked by checksum only, not opened" in done.out
    assert "Whole" not in done.out + done.err
    (copy,) = home.run("verify", "latest", "--json").summary()["copies"]
    assert copy["opened"] is False
    for command in (("list",), ("show", "latest"), ("status",)):
        shown = home.run(*command).out
        assert "hecksum" in shown, shown
        assert "erified" not in shown, shown
    (source,) = home.run("status", "--json").json()["sources"]
    assert (source["verified"], source["checked_only"]) == (False, True)
    marks = home.run("show", "latest", "--json").json()["copies"][0]["marks"]
    assert marks["checked_at"]
    assert not marks["verified_at"]


def test_whoever_has_the_key_verifies_and_everybody_knows(tmp_path: Path) -> None:
    home = sealed(tmp_path / "app")
    home.create()
    home.run("verify", "latest")
    assert "Whole" in home.run("--env", "home", "verify", "latest").out
    assert "verified" in home.run("list").out
    home.run("verify", "latest")
    assert "verified" in home.run("list").out, "right checksums leave the content as somebody saw it"


def test_checksums_alone_do_not_let_go_of_a_backup_that_was_opened(tmp_path: Path) -> None:
    home = sealed(tmp_path / "app")
    opened = home.create_in_the_past(9)
    home.run("--env", "home", "verify", opened)
    checked = home.create_in_the_past(5)
    newest = home.create_in_the_past(1)
    for backup in (checked, newest):
        home.run("verify", backup)
    home.run("rotate", "--max-backups", "1", "--yes")
    assert home.ids() == [newest, opened]
    refused = home.run("delete", opened, "--yes", status=2)
    assert "newest verified" in refused.err


def test_a_changed_byte_is_damage_with_or_without_the_key(tmp_path: Path) -> None:
    home = sealed(tmp_path / "app")
    home.create()
    file = next((home.folder / "backups").rglob("*.age"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.chmod(0o600)
    file.write_bytes(content)
    home.run("verify", "latest", status=4)
    assert "damaged" in home.run("list").out
