"""The plain part of YAML."""

from __future__ import annotations

import pytest

from holdfast.config.discovery.outline import NotUnderstood, read_outline


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", None),
        ("a: 1\nb: two words # comment\n", {"a": "1", "b": "two words"}),
        ("a:\n  b:\n    c: d\ne: f\n", {"a": {"b": {"c": "d"}}, "e": "f"}),
        ("a:\n- x\n- y\nb: z\n", {"a": ["x", "y"], "b": "z"}),
        ("a:\n  - x: 1\n    y: 2\n  - z\n", {"a": [{"x": "1", "y": "2"}, "z"]}),
        ("a: ['x', \"y\"]\nb: {}\n", {"a": ["x", "y"], "b": {}}),
        ("a: |\n  any: thing\n  - at all\nb: c\n", {"a": "", "b": "c"}),
        ("'a b': \"c: d\"\n", {"a b": "c: d"}),
        ("a: http://x:1/y#z\n", {"a": "http://x:1/y#z"}),
        ("---\na:\n", {"a": ""}),
    ],
)
def test_meaning(text: str, meaning: object) -> None:
    if meaning is None:
        with pytest.raises(NotUnderstood):
            read_outline(text)
    else:
        assert read_outline(text) == meaning


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: &x\n  b: c\n", 1),
        ("a:\n  <<: *x\n", 2),
        ("a: {b: c}\n", 1),
        ("a:\n\tb: c\n", 2),
        ("a: 'b\n  c'\n", 1),
        ("a: b\n    c: d\n", 2),
        ("just words\n", 1),
        ("- a\n- b\n", 3),
        ("a: !tag b\n", 1),
        ("a: b\n---\nc: d\n", 2),
    ],
)
def test_what_is_not_plain_is_refused(text: str, line: int) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read_outline(text)
    assert refused.value.line == line


def test_depth_and_length_are_bounded() -> None:
    with pytest.raises(NotUnderstood):
        read_outline("\n".join(" " * depth + "a:" for depth in range(200)))
    with pytest.raises(NotUnderstood):
        read_outline("a: b\n" * 10_000)
