"""What the project says about itself: make targets, decisions, change fragments, environment, backends."""

from __future__ import annotations

import re
import tomllib

from docs.pages import CHECKOUT, DOCS, first_column, pages, text
from holdfast.backends.registry import BACKENDS

CODE = sorted((CHECKOUT / "src").rglob("*.py"))


def test_make_targets_in_the_documentation_exist() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", text(CHECKOUT / "Makefile"), re.MULTILINE))
    used = {name for page in pages() for name in re.findall(r"(?:^|`)make ([a-z][a-z0-9-]*)", text(page), re.MULTILINE)}
    assert used <= targets, f"no such make target: {used - targets}"


def test_make_targets_are_explained() -> None:
    makefile = text(CHECKOUT / "Makefile")
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    assert phony == set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE))


def test_decisions_are_numbered_listed_and_whole() -> None:
    decisions = sorted((DOCS / "adr").glob("[0-9]*.md"))
    assert [page.name[:4] for page in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    for page in decisions:
        assert page.name in text(DOCS / "adr" / "README.md"), f"{page.name} is not in the list of decisions"
        for heading in ("## Context", "## Decision", "## Alternatives", "## Consequences"):
            assert heading in text(page), f"{page.name} has no {heading!r}"


def test_change_fragments_have_a_known_category() -> None:
    settings = tomllib.loads(text(CHECKOUT / "pyproject.toml"))["tool"]["towncrier"]
    known = [kind["directory"] for kind in settings["type"]]
    assert known[0] == "format", "any byte written differently comes first"
    for fragment in (CHECKOUT / "changes.d").iterdir():
        if fragment.name != "README.md":
            assert re.fullmatch(rf"(\d+|\+[a-z-]+)\.({'|'.join(known)})(\.\d+)?\.md", fragment.name), fragment.name


def test_environment_variables_are_documented() -> None:
    ours = re.compile(r"(?:HOLDFAST|RESTIC)_[A-Z][A-Z_]+")
    source = "".join(text(module) for module in CODE)
    read = {name for name in re.findall(r'"([A-Z_]+)"', source) if ours.fullmatch(name)}
    # Names that restic has too are written once, without their beginning.
    for name in re.findall(r'_variables\("([A-Z_]+)"\)', source):
        read |= {f"HOLDFAST_{name}", f"RESTIC_{name}"}
    documented = {name for name in first_column(text(DOCS / "reference" / "environment.md")) if ours.fullmatch(name)}
    assert sorted(read - documented) == [], "docs/reference/environment.md lists every variable the program reads"


def test_lock_files_name_no_host_and_pin_every_file() -> None:
    for lock in sorted((CHECKOUT / "requirements").glob("*.lock")):
        content = text(lock)
        assert "://" not in content, f"{lock.name} names a package host"
        requirements = re.findall(r"^([a-z0-9][^\s=]*)==", content, re.MULTILINE)
        assert requirements
        pinned = re.split(r"^(?=[a-z0-9])", content, flags=re.MULTILINE)[1:]
        assert all("--hash=sha256:" in entry for entry in pinned)
        assert len(pinned) == len(requirements)


def test_lock_files_cover_what_the_project_asks_for() -> None:
    project = tomllib.loads(text(CHECKOUT / "pyproject.toml"))
    extras = [name for extra in project["project"]["optional-dependencies"].values() for name in extra]
    wanted = {"run": project["project"]["dependencies"] + extras}
    wanted["dev"] = wanted["run"] + project["dependency-groups"]["dev"]
    for lock, requirements in wanted.items():
        content = text(CHECKOUT / "requirements" / f"{lock}.lock")
        names = [re.split(r"[\[<>=~! ;]", requirement)[0].lower() for requirement in requirements]
        missing = [name for name in names if not re.search(rf"^{re.escape(name)}(\[.*\])?==", content, re.MULTILINE)]
        assert not missing, f"run `make lock`: {lock}.lock does not pin {missing}"


def test_backends_pages_table_and_conformance_tests_are_equal() -> None:
    pages_folder = DOCS / "reference" / "backends"
    written = {page.stem for page in pages_folder.glob("*.md")} - {"README"}
    classes: dict[str, str] = {}
    for scheme, target in BACKENDS.items():
        classes.setdefault(target.partition(":")[2], scheme)
    assert sorted(classes.values()) == sorted(written), "one page for each row of holdfast.backends.registry.BACKENDS"
    listed = text(pages_folder / "README.md")
    assert all(f"({scheme}.md)" in listed for scheme in written)
    assert all(f"`{scheme}:" in listed for scheme in BACKENDS)
    tested = {
        test.stem.removeprefix("test_backend_") for test in (CHECKOUT / "tests" / "conformance").glob("test_*.py")
    }
    admitted = {scheme for scheme in written if "not tested against" in text(pages_folder / f"{scheme}.md")}
    assert sorted(written - tested - admitted) == [], "run the suite over these, or let their pages admit it"
    assert sorted(tested & admitted) == [], "these are tested; their pages say that they are not"
