"""The pattern language, against a slow and literal reading of its rules."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.errors import InvalidPattern
from holdfast.policy.patterns import Excludes, Includes, PatternList, fold_case

ALPHABET = [b"a", b"b", b"*", b"?", b"[a-b]", b"[^a]", b"\\*", "é".encode(), b"\xff", b"."]
components = st.one_of(st.just(b"**"), st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=4).map(b"".join))
pattern_texts = st.builds(
    lambda root, parts: root + b"/".join(parts),
    st.sampled_from([b"", b"", b"/"]),
    st.lists(components.filter(lambda part: part not in (b".", b"..")), min_size=1, max_size=5),
)
names = st.lists(st.sampled_from([b"a", b"b", b"*", "é".encode(), b"\xff", b"\xa9", b"c"]), min_size=1, max_size=4)
paths = st.builds(
    lambda root, parts: root + b"/".join(parts),
    st.sampled_from([b"/", b"/", b""]),
    st.lists(names.map(b"".join), min_size=1, max_size=6),
)


def characters(name: bytes) -> list[str]:
    """The characters of a name; each byte that is not part of valid UTF-8 is one of its own."""
    return list(name.decode("utf-8", "surrogateescape"))


def component_matches(pattern: str, name: list[str]) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(component_matches(pattern[1:], name[skip:]) for skip in range(len(name) + 1))
    if not name:
        return False
    if pattern[0] == "?":
        return component_matches(pattern[1:], name[1:])
    if pattern.startswith("[a-b]"):
        return name[0] in "ab" and component_matches(pattern[5:], name[1:])
    if pattern.startswith("[^a]"):
        return name[0] != "a" and component_matches(pattern[4:], name[1:])
    literal = pattern[1] if pattern[0] == "\\" else pattern[0]
    return name[0] == literal and component_matches(pattern[1 + (pattern[0] == "\\") :], name[1:])


def path_matches(pattern: list[bytes], path: list[bytes]) -> bool:
    """Components with `/` as the first one of whatever is rooted; the first `**` grows from nothing."""
    if b"**" in pattern:
        at = pattern.index(b"**")
        return any(
            path_matches(pattern[:at] + [b"*"] * count + pattern[at + 1 :], path)
            for count in range(len(path) - len(pattern) + 2)
        )
    if not pattern:
        return False
    first = int(path[0] == b"/" and pattern[0] != b"/")
    last = 0 if pattern[0] == b"/" else len(path) - len(pattern)
    return len(pattern) <= len(path) and any(
        all(
            part == name
            if b"/" in (part, name)
            else component_matches(part.decode(errors="surrogateescape"), characters(name))
            for part, name in zip(pattern, path[start : start + len(pattern)], strict=True)
        )
        for start in range(first, last + 1)
    )


def split(path: bytes) -> list[bytes]:
    return [b"/", *path[1:].split(b"/")] if path.startswith(b"/") else path.split(b"/")


@given(pattern_texts, paths)
@example(b"/**/a/**", b"/b/a")
@example(b"/**/a/**", b"/b/a/c")
@example(b"**", b"a")
@example(b"*/*", b"/a")
@example(b"a/**", b"/b/a")
def test_matches_as_the_rules_say(pattern: bytes, path: bytes) -> None:
    assert PatternList([pattern]).matches(path) == path_matches(split(pattern), split(path))


@given(st.lists(st.tuples(st.booleans(), pattern_texts), max_size=4), paths)
def test_last_match_wins(patterns: list[tuple[bool, bytes]], path: bytes) -> None:
    expected = False
    for negated, pattern in patterns:
        if path_matches(split(pattern), split(path)):
            expected = not negated
    chosen = PatternList(b"!" * negated + pattern for negated, pattern in patterns)
    assert chosen.matches(path) == expected


@given(st.lists(pattern_texts, min_size=1, max_size=3), paths)
def test_never_stops_above_a_match(patterns: list[bytes], path: bytes) -> None:
    chosen = PatternList(patterns)
    if chosen.matches(path):
        parents = [path[:at] for at in range(1, len(path)) if path[at : at + 1] == b"/"]
        assert all(chosen.may_contain(parent) for parent in parents)


@pytest.mark.parametrize(
    ("pattern", "path", "contains"),
    [
        (b"/home/user/doc", b"/home", True),
        (b"/home/user/doc", b"/home/user/doc/deep", True),
        (b"/home/user/doc", b"/home/other", False),
        (b"/home/*/doc", b"/home/other", True),
        (b"/home/**/doc", b"/home/a/b/c", True),
        (b"/home/**/doc", b"/var", False),
        (b"doc", b"/anything", True),
        (b"/home", b"/", True),
    ],
)
def test_says_where_to_look(pattern: bytes, path: bytes, contains: bool) -> None:
    assert Includes([pattern]).may_contain(path) is contains


def test_takes_back_what_was_matched() -> None:
    includes = Includes([b"/a/*", b"!/a/b"])
    assert includes.select(b"/a/c")
    assert not includes.select(b"/a/b")
    assert not includes.may_contain(b"/a/b")


def test_nothing_asked_takes_everything() -> None:
    assert Excludes().select(b"/a")
    assert Includes().select(b"/a")
    assert Includes().may_contain(b"/a")
    assert not Excludes()
    assert not Includes([b""])


def test_mixed_case_lists() -> None:
    excludes = Excludes([b"*.o"], [b"*.TMP", "GÜN".encode()])
    assert not excludes.select(b"/x/a.tmp")
    assert not excludes.select("/gün/a".encode(), is_dir=False)
    assert not excludes.may_contain("/Gün".encode())
    assert excludes.select(b"/x/a.O")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        (b"ABC", b"abc"),
        ("ÇİΣẞ".encode(), "çiσß".encode()),
        (b"A\xff\xfeB", "a\ufffd\ufffdb".encode()),
    ],
)
def test_folding(text: bytes, folded: bytes) -> None:
    assert fold_case(text) == folded


@given(st.binary(max_size=12))
def test_any_pattern_is_compiled_or_refused(pattern: bytes) -> None:
    try:
        chosen = PatternList([pattern])
    except InvalidPattern:
        return
    chosen.matches(b"/a/b")
    chosen.may_contain(b"/a/b")


def test_hostile_names_take_no_time() -> None:
    name = b"/" + b"a" * 255
    assert not PatternList([b"*a" * 60 + b"b"]).matches(name)
    assert not PatternList([b"**/a*/**/b/**/c/**/d"]).matches(b"/a" * 1500)
    assert not PatternList([b"a*/" * 40 + b"b"]).matches(b"/aa" * 1500)


@given(st.characters(), st.characters(), st.text(min_size=1, max_size=1))
def test_classes_hold_ranges_of_characters(low: str, high: str, other: str) -> None:
    if "/" in (low, high, other) or any("\ud800" <= one <= "\udfff" for one in (low, high, other)):
        return
    pattern = f"x[\\{low}-\\{high}]y".encode()
    assert PatternList([pattern]).matches(f"/x{other}y".encode()) is (low <= other <= high)
    negated = f"x[^\\{low}-\\{high}]y".encode()
    assert PatternList([negated]).matches(f"/x{other}y".encode()) is not (low <= other <= high)
