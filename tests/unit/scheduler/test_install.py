"""What is written for systemd and cron, and that taking it away leaves everything as it was."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from holdfast.cli.main import main
from holdfast.policy.cron import parse_cron, plain_line
from holdfast.scheduler.crontab import command_line, lines_of, with_lines, without_lines
from holdfast.scheduler.units import UnitFacts, service_text, timer_text

CRONTAB = """\
#!/bin/sh
# As crontab does: -l, -r, and - to read a new one.
case "$1" in
-l) if test -e "$HOME/crontab"; then cat "$HOME/crontab"; else echo "no crontab for somebody" >&2; exit 1; fi ;;
-r) rm "$HOME/crontab" ;;
-) cat > "$HOME/crontab.new" && mv "$HOME/crontab.new" "$HOME/crontab" ;;
*) exit 2 ;;
esac
"""
SYSTEMCTL = """\
#!/bin/sh
echo "$@" >> "$HOME/asked"
test "$2" != "$REFUSED" -a "$1" != "$REFUSED" || { echo "no such bus" >&2; exit 1; }
"""
CONFIG = """\
[app]
name = "shop"
timezone = "{zone}"
[sources.files]
kind = "files"
paths = ["data"]
[targets.local]
kind = "archive"
url = "backups"
[policies.nightly]
schedule = "daily"
keep = {{ last = 3 }}
jitter = "10m"
retries = 2
[policies.often]
schedule = "*/30 8-18 * * mon-fri"
type = "incremental"
[policies.by-hand]
type = "full"
[policies.off]
schedule = "hourly"
enabled = false
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application in a folder with a difficult name, and programs that pretend."""
    folder = tmp_path / "my app 100%"
    (folder / "data").mkdir(parents=True)
    (folder / "data/a").write_text("a")
    (folder / "holdfast.toml").write_text(CONFIG.format(zone="UTC"))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("crontab", CRONTAB), ("systemctl", SYSTEMCTL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(folder)
    return folder


def verified(*units: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, units)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


# --- systemd ---------------------------------------------------------------------------------------


def test_units_that_systemd_takes(app: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "units"
    assert main(["schedule", "install", "--systemd", "--directory", str(folder)]) == 0
    names = [f"holdfast-shop-{policy}.{kind}" for policy in ("nightly", "often") for kind in ("service", "timer")]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert verified(*folder.iterdir()) == (0, "")
    timer = (folder / "holdfast-shop-nightly.timer").read_text()
    assert "OnCalendar=*-*-* 2:0:0 UTC\n" in timer
    assert "Persistent=true\n" in timer
    service = (folder / "holdfast-shop-nightly.service").read_text()
    assert "my app 100%%" in service
    assert "--spread nightly\n" in service
    assert "NoNewPrivileges=yes\n" in service
    assert not (tmp_path / "asked").exists()
    assert main(["schedule", "remove", "--systemd", "--directory", str(folder)]) == 0
    assert list(folder.iterdir()) == []
    capfd.readouterr()


def test_the_unit_keeps_the_backup_to_itself(app: Path, tmp_path: Path) -> None:
    folder = tmp_path / "units"
    assert main(["schedule", "install", "--systemd", "--directory", str(folder)]) == 0
    unit = str(folder / "holdfast-shop-nightly.service")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=55", unit]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout


def test_units_of_a_person_are_enabled_and_taken_away(app: Path, tmp_path: Path) -> None:
    folder = tmp_path / "xdg/systemd/user"
    folder.mkdir(parents=True)
    (folder / "other.timer").write_text("[Timer]\n")
    assert main(["schedule", "install", "--systemd", "--user", "--policy", "nightly"]) == 0
    units = [folder / f"holdfast-shop-nightly.{kind}" for kind in ("service", "timer")]
    assert verified(*units) == (0, "")
    assert "User=" not in units[0].read_text()
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["--user daemon-reload", "--user enable --now holdfast-shop-nightly.timer"]
    # Another choice of policies takes the place of the first.
    assert main(["schedule", "install", "--systemd", "--user", "--policy", "often"]) == 0
    assert not units[0].exists()
    assert main(["schedule", "remove", "--systemd", "--user"]) == 0
    assert [path.name for path in folder.iterdir()] == ["other.timer"]
    assert (tmp_path / "asked").read_text().splitlines()[-2:] == [
        "--user disable --now holdfast-shop-often.timer",
        "--user daemon-reload",
    ]


def test_what_systemctl_refuses_is_undone(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "bin/systemctl"
    program.write_text(SYSTEMCTL.replace("$REFUSED", "enable"))
    assert main(["schedule", "install", "--systemd", "--user"]) == 1
    assert "no such bus" in capfd.readouterr().err
    assert list((tmp_path / "xdg/systemd/user").iterdir()) == []


def test_units_of_others_are_not_touched(app: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "units"
    folder.mkdir()
    foreign = folder / "holdfast-shop-nightly.service"
    foreign.write_text("[Service]\nExecStart=/bin/true\n")
    assert main(["schedule", "install", "--systemd", "--directory", str(folder)]) == 1
    assert "was not written for this app" in capfd.readouterr().err
    assert main(["schedule", "remove", "--systemd", "--directory", str(folder)]) == 0
    assert foreign.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_what_systemd_cannot_say_is_refused(app: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = CONFIG.format(zone="Europe/Berlin").replace("*/30 8-18 * * mon-fri", "0 */2 * * *")
    (app / "holdfast.toml").write_text(text)
    assert main(["schedule", "install", "--systemd", "--directory", str(tmp_path / "units")]) == 1
    assert "0 */2 * * * in Europe/Berlin is due twice" in capfd.readouterr().err
    assert not (tmp_path / "units").exists()


@pytest.mark.parametrize("word", ["plain", "with space", 'quo"te', "per%cent", "dol$lar", "back\\slash", "semi;colon"])
def test_words_reach_the_program_as_they_are(word: str, tmp_path: Path) -> None:
    facts = UnitFacts(
        app="shop", policy="p", calendar=("*-*-* 2:0:0 UTC",), command=("/bin/echo", word), user="", directory="/",
        writable=None, timeout_s=60,
    )  # fmt: skip
    service, timer = tmp_path / "holdfast-shop-p.service", tmp_path / "holdfast-shop-p.timer"
    service.write_text(service_text(facts))
    timer.write_text(timer_text(facts))
    assert verified(service, timer) == (0, "")


# --- cron ------------------------------------------------------------------------------------------


def test_lines_of_cron_come_and_go(app: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    theirs = b"# mine \xff\n0 5 * * * /bin/true\n\n"
    crontab = tmp_path / "crontab"
    crontab.write_bytes(theirs)
    assert main(["schedule", "install", "--cron"]) == 0
    written = crontab.read_bytes()
    assert written.startswith(theirs)
    ours = lines_of(written, "shop")
    assert [line.split()[:5] for line in ours] == [["0", "2", "*", "*", "*"], ["*/30", "8-18", "*", "*", "1-5"]]
    assert "100\\%" in ours[0]
    assert ours[0].endswith("--spread nightly --quiet")
    assert main(["schedule", "install", "--cron", "--policy", "often"]) == 0
    assert lines_of(crontab.read_bytes(), "shop") == ours[1:]
    assert main(["schedule", "remove", "--cron"]) == 0
    assert crontab.read_bytes() == theirs
    capfd.readouterr()


def test_a_line_of_cron_runs_as_cron_runs_it(app: Path, tmp_path: Path) -> None:
    assert main(["schedule", "install", "--cron", "--policy", "often"]) == 0
    [line] = lines_of((tmp_path / "crontab").read_bytes(), "shop")
    # cron gives the rest of the line, percent signs unescaped, to a shell.
    command = line.split(None, 5)[5].replace("\\%", "%")
    done = subprocess.run(["/bin/sh", "-c", command], cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert list((app / "backups").rglob("full_backup_*.json"))


def test_where_there_was_no_crontab_there_is_none_afterwards(app: Path, tmp_path: Path) -> None:
    assert main(["schedule", "install", "--cron"]) == 0
    assert main(["schedule", "remove", "--cron"]) == 0
    assert not (tmp_path / "crontab").exists()
    assert main(["schedule", "remove", "--cron"]) == 0


def test_another_clock_is_refused(app: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (app / "holdfast.toml").write_text(CONFIG.format(zone="Asia/Tehran"))
    assert main(["schedule", "install", "--cron", "--policy", "nightly"]) == 1
    assert "goes by the clock of Asia/Tehran" in capfd.readouterr().err
    assert not (tmp_path / "crontab").exists()


def test_a_program_that_refuses_is_told(app: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bin/crontab").write_text("#!/bin/sh\necho 'you are not allowed' >&2; exit 1\n")
    assert main(["schedule", "install", "--cron"]) == 1
    assert "you are not allowed" in capfd.readouterr().err


def test_dry_runs_change_nothing(app: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["schedule", "install", "--cron", "--dry-run"]) == 0
    assert main(["schedule", "install", "--systemd", "--user", "--dry-run"]) == 0
    assert "OnCalendar=" in capfd.readouterr().out
    assert not (tmp_path / "crontab").exists()
    assert not (tmp_path / "xdg").exists()
    assert not (tmp_path / "asked").exists()


def test_one_of_the_two(app: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["schedule", "install"]) == 2
    assert main(["schedule", "remove", "--cron", "--systemd"]) == 2
    capfd.readouterr()


def test_foreign_lines_stay_byte_for_byte(rng: random.Random) -> None:
    for _ in range(300):
        pieces = [
            b"0 1 * * * x\n",
            b"\n",
            b"# BEGIN holdfast shop2\n",
            b"# END holdfast shop2\n",
            b"\xff\x00\n",
            b"A=%\r\n",
        ]
        theirs = b"".join(rng.choice(pieces) for _ in range(rng.randrange(6)))
        theirs += rng.choice([b"", b"@daily y"])
        once = with_lines(theirs, "shop", ["0 2 * * * a"])
        twice = with_lines(once, "shop", ["0 3 * * * b", "0 4 * * * c"])
        assert once.startswith(theirs)
        assert lines_of(twice, "shop") == ["0 3 * * * b", "0 4 * * * c"]
        assert without_lines(twice, "shop") == theirs == without_lines(once, "shop")
        assert without_lines(theirs, "shop") == theirs


@pytest.mark.parametrize("broken", [b"# BEGIN holdfast shop\n0 2 * * * a\n", b"x\n# END holdfast shop\n"])
def test_half_a_mark_is_not_guessed_about(broken: bytes) -> None:
    with pytest.raises(ValueError, match="shop"):
        with_lines(broken, "shop", [])


def test_lines_are_plain_for_every_cron() -> None:
    for text, plain in [("daily", "0 2 * * *"), ("@monthly", "0 0 1 * *"), ("5 4 * jan-mar,dec SUN", "5 4 * 1-3,12 0")]:
        assert plain_line(text) == plain
        assert parse_cron(plain) == parse_cron(text)
    assert command_line("0 2 * * *", ["a b", "50%"]) == "0 2 * * * 'a b' 50\\%"


# --- looking ---------------------------------------------------------------------------------------


def test_showing_and_proving(app: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["schedule", "show", "--json", "--count", "2"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert [(one["policy"], len(one["next"])) for one in shown] == [("nightly", 2), ("often", 2), ("off", 0)]
    assert main(["schedule", "status"]) == 0
    assert main(["schedule", "prove"]) == 2
    assert "nothing is promised" in capfd.readouterr().err
    config = app / "holdfast.toml"
    config.write_text(config.read_text() + '[objectives]\nrpo = "2h"\nrto = "1h"\n')
    assert main(["schedule", "prove"]) == 5
    said = capfd.readouterr()
    assert "Proposed: policies.often.schedule = 0 */2 * * *" in said.out
    assert "not measured" in said.out
    assert "does not keep what [objectives] promises: rpo" in said.err
    config.write_text(config.read_text().replace("*/30 8-18 * * mon-fri", "0 * * * *"))
    assert main(["schedule", "prove"]) == 0
    assert main(["schedule", "show", "--policy", "nothing"]) == 2
    capfd.readouterr()


def test_what_cron_ran_is_known_to_the_status_of_its_policy(app: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = app / "holdfast.toml"
    config.write_text(config.read_text().replace("retries = 2", ""))
    assert main(["token", "list"]) == 0  # makes the catalog, without which nothing is written down
    (app / "data").rename(app / "gone")
    assert main(["schedule", "run", "nightly"]) == 1
    assert main(["schedule", "status", "--policy", "nightly"]) == 5
    (app / "gone").rename(app / "data")
    assert main(["schedule", "run", "nightly"]) == 0
    capfd.readouterr()
    assert main(["schedule", "status", "--policy", "nightly"]) == 0
    assert "succeeded" in capfd.readouterr().out


def test_running_a_policy_repeats_what_failed(app: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = app / "holdfast.toml"
    config.write_text(config.read_text().replace("retries = 2", 'retries = 2\nretry_delay = "1s"'))
    (app / "data/a").unlink()
    (app / "data").rmdir()
    assert main(["schedule", "run", "nightly"]) == 1
    assert capfd.readouterr().err.count("next attempt in") == 2
    (app / "data").mkdir()
    (app / "data/a").write_text("a")
    assert main(["schedule", "run", "nightly"]) == 0
    assert "next attempt" not in capfd.readouterr().err
    assert main(["schedule", "run", "by-hand"]) == 2
