"""Finding, overlaying, filling in and typing a configuration."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from holdfast.config.load import check_config, load_config
from holdfast.config.model import Hooks, Keep
from holdfast.errors import ConfigInvalid, ConfigNotFound, ConfigUnreadable, UnknownName
from holdfast.model.backup import BackupType
from unit.config.conftest import APP, SOURCE, TARGET, Read, said
from unit.config.fake_kinds import KINDS, BoxOptions, ShelfOptions

GOOD = APP + SOURCE + TARGET


def test_a_whole_file(read: Read) -> None:
    text = GOOD + (
        '[policies.nightly]\nschedule = "0 2 * * *"\ntargets = ["shelf"]\njitter = "1m30s"\n'
        'keep = { last = 7, within = "1y2d" }\n'
        '[objectives]\nrpo = "1h"\nrto = "4h"\nsources = { box = "2d" }\n'
        '[hooks]\nbefore_backup = ["a \'b c\'", ["d e", "f"]]\n'
    )
    config = read(text).config
    assert config is not None
    assert config.app.name == "shop"
    assert config.sources["box"].options == BoxOptions()
    policy = config.policies["nightly"]
    assert (policy.type, policy.targets, policy.jitter_s) == (BackupType.FULL, ("shelf",), 90)
    assert policy.keep == Keep(last=7, within="1y2d")
    assert str(policy.keep.within_span) == "1y2d"
    assert config.objectives.max_age_s == {"": 3600, "box": 172_800}
    assert (config.objectives.rpo_s, config.objectives.rto_s) == (3600, 14_400)
    assert config.hooks.lines("before_backup") == ("a 'b c'", "'d e' f")
    assert config.state_dir == config.base_dir / ".holdfast"
    assert config.scratch_dir is None
    assert config.warnings == ()


def test_file_is_found_above_and_by_name(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "holdfast.toml").write_text(GOOD)
    (below / "other.toml").write_text(GOOD.replace("shop", "other"))
    variables = {"KEY": "k"}
    assert load_config(None, None, variables, below, kinds=KINDS).path == tmp_path / "holdfast.toml"
    assert load_config(Path("other.toml"), None, variables, below, kinds=KINDS).app.name == "other"
    named = {**variables, "HOLDFAST_CONFIG": str(below / "other.toml")}
    assert load_config(None, None, named, tmp_path, kinds=KINDS).app.name == "other"
    assert load_config(tmp_path / "holdfast.toml", None, named, below, kinds=KINDS).app.name == "shop"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigNotFound):
        load_config(None, None, {}, tmp_path, kinds=KINDS)
    with pytest.raises(ConfigUnreadable):
        load_config(Path("x.toml"), None, {}, tmp_path, kinds=KINDS)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = 1\n" + b"#" * (1 << 20)])
def test_file_that_is_not_text_or_not_small(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "holdfast.toml").write_bytes(content)
    with pytest.raises(ConfigUnreadable):
        load_config(None, None, {}, tmp_path, kinds=KINDS)


def test_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_bytes(b"\xef\xbb\xbf" + (GOOD + "[zzz]\n").replace("\n", "\r\n").encode())
    errors = check_config(None, None, {"KEY": "k"}, tmp_path, kinds=KINDS)
    assert [error.context["line"] for error in errors] == [9]


# --- variables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("${A}", "a"),
        ("x${A}y${B}z", "xaybz"),
        ("${MISSING:-d}", "d"),
        ("${MISSING:-}", ""),
        ("${EMPTY:-d}", "d"),
        ("${A:-d}", "a"),
        ("$${A}", "${A}"),
        ("$A $$ $", "$A $$ $"),
        ("${MISSING:-a:-b}", "a:-b"),
        ("${TRICKY}", "${A}"),
    ],
)
def test_variables(read: Read, written: str, meant: str) -> None:
    text = APP + SOURCE + TARGET + f"options = {{ o = '{written}' }}\n"
    reading = read(text, variables={"A": "a", "B": "b", "EMPTY": "", "TRICKY": "${A}"})
    assert said(reading) == []
    assert reading.config is not None
    options = reading.config.targets["shelf"].options
    assert isinstance(options, ShelfOptions)
    assert options.options == {"o": meant}


def test_text_from_a_variable_may_be_a_number_or_a_truth(read: Read) -> None:
    text = APP + SOURCE + 'port = "${PORT}"\nratio = "${R:-0.25}"\nloud = "${LOUD}"\nmode = "wild"\n' + TARGET
    reading = read(text, variables={"PORT": "5432", "LOUD": "true"})
    assert reading.config is not None
    assert reading.config.sources["box"].options == BoxOptions(port=5432, ratio=0.25, loud=True, mode="wild")
    assert said(read(APP + SOURCE + 'port = "5432"\n' + TARGET)) == [
        "5 sources.box.port: expected a whole number, not text"
    ]


def test_environment_wins_over_dotenv(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=dotenv\nB=dotenv\n")
    text = APP + SOURCE + 'names = ["${A}", "${B}"]\n' + TARGET
    config = read(text, variables={"A": "real"}).config
    assert config is not None
    assert config.sources["box"].options == BoxOptions(names=("real", "dotenv"))


def test_unclear_line_of_dotenv_is_a_warning(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nPASSWORD hunter2\n")
    warnings = read(GOOD).warnings
    assert [(warning.line, warning.path.name) for warning in warnings] == [(2, ".env")]
    assert "hunter2" not in str(warnings[0])


# --- environments ------------------------------------------------------------------------------------

STAGED = GOOD + (
    '[environments.staging.app]\ntimezone = "Asia/Tehran"\n'
    '[environments.staging.sources.box]\nport = 7\nnames = ["x"]\n'
    '[environments.staging.targets.more]\nkind = "shelf"\nurl = "m"\nkey = "${KEY}"\n'
)


def test_environment_is_laid_over(read: Read) -> None:
    plain, staged = read(STAGED).config, read(STAGED, "staging").config
    assert plain is not None
    assert staged is not None
    assert (plain.app.timezone, staged.app.timezone) == ("UTC", "Asia/Tehran")
    assert staged.app.name == "shop"
    assert staged.sources["box"].options == BoxOptions(port=7, names=("x",))
    assert (list(plain.targets), list(staged.targets)) == (["shelf"], ["shelf", "more"])
    assert (staged.environment, staged.environments) == ("staging", ("staging",))


def test_environment_by_variable_and_argument(read: Read) -> None:
    by_variable = read(STAGED, variables={"HOLDFAST_ENV": "staging"}).config
    assert by_variable is not None
    assert by_variable.environment == "staging"
    by_argument = read(STAGED, "", variables={"HOLDFAST_ENV": "staging"}).config
    assert by_argument is not None
    assert by_argument.environment == ""
    with pytest.raises(UnknownName) as refused:
        read(STAGED, "production")
    assert refused.value.context == {"what": "environment", "name": "production", "known": "staging"}


def test_errors_name_the_line_in_the_environment(read: Read) -> None:
    assert said(read(STAGED.replace("port = 7", 'port = "x"'), "staging")) == [
        "12 environments.staging.sources.box.port: expected a whole number, not text"
    ]
    assert said(read(STAGED.replace("port = 7", 'port = "x"'))) == []


def test_other_kind_replaces_the_whole_source(read: Read) -> None:
    text = APP + SOURCE + "port = 2\n" + TARGET + '[environments.e.sources.box]\nkind = "zzz"\n'
    assert [row.split(":")[0] for row in said(read(text, "e"))] == ["11 environments.e.sources.box.kind"]
    same = text.replace('"zzz"', '"box"')
    config = read(same, "e").config
    assert config is not None
    assert config.sources["box"].options == BoxOptions(port=2)


# --- all errors at once ------------------------------------------------------------------------------


def test_one_mistake_does_not_hide_the_next(read: Read) -> None:
    text = APP + SOURCE + (
        "port = 0\nratio = 'x'\nlod = true\nmode = 'mild'\nnames = [1, 'a', 2]\nextra = { a = 1 }\n"
        "inner = { depht = 1 }\ninners = [{ depth = 1 }, { depth = 'x' }]\n"
    ) + TARGET  # fmt: skip
    assert said(read(text)) == [
        "5 sources.box.port: this must be at least 1",
        "6 sources.box.ratio: expected a number, not text",
        "7 sources.box.lod: there is no such key; did you mean loud?",
        "8 sources.box.mode: mild is none of calm, wild; did you mean wild?",
        "9 sources.box.names[0]: expected text, not a whole number",
        "9 sources.box.names[2]: expected text, not a whole number",
        "10 sources.box.extra.a: expected text, not a whole number",
        "11 sources.box.inner.depht: there is no such key; did you mean depth?",
        "11 sources.box.inner.depth: this is missing",
        "12 sources.box.inners[1].depth: expected a whole number, not text",
    ]


def test_options_that_exclude_each_other_and_a_kind_that_is_broken(read: Read) -> None:
    text = APP + '[sources.a]\nkind = "box"\nloud = true\npassword = "${KEY}"\n[sources.b]\nkind = "broken"\n' + TARGET
    assert said(read(text)) == [
        "3 sources.a: loud and calm at once (hidden)",
        "8 sources.b.kind: the kind broken cannot be loaded: No module named 'unit.config.nowhere'",
    ]


@pytest.mark.parametrize("keep", ["{}", "{ last = 0 }", '{ within = "0h" }', "{ days = 0, yearly = 0 }"])
def test_keeping_nothing_is_refused(read: Read, keep: str) -> None:
    for text in (GOOD + f"keep = {keep}\n", GOOD + f"[policies.p]\nkeep = {keep}\n"):
        errors = read(text).errors
        assert len(errors) == 1
        assert "would delete every backup" in str(errors[0])


def test_hooks_as_lines() -> None:
    hooks = msgspec.convert({"after_restore": ["a b", ["c d", "e"]]}, Hooks)
    assert hooks.lines("after_restore") == ("a b", "'c d' e")
    assert hooks.lines("before_restore") == ()


def test_first_error_is_raised(tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text(GOOD.replace("shop", "") + "[zzz]\n")
    with pytest.raises(ConfigInvalid) as refused:
        load_config(None, None, {"KEY": "k"}, tmp_path, kinds=KINDS)
    assert refused.value.context["line"] == 2
