"""A copy of the program with a bug in it, for commands to run instead of the real one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import holdfast
from faults.app_faults import FaultyApp


class Bug(NamedTuple):
    """A text of a module, and what stands in its place."""

    name: str
    module: str
    right: str
    wrong: str


EXIT_STATUS_IGNORED = Bug(
    "exit status ignored",
    "sources/command.py",
    "if not ending.succeeded:\n            raise DumpFailed(source=self._source",
    "if False:\n            raise DumpFailed(source=self._source",
)
END_MARKER_IGNORED = Bug("end marker ignored", "sources/command.py", "if self._marker and not", "if False and not")
RETENTION_ALWAYS = Bug(
    "retention after failure",
    "operations/create_run.py",
    "        reason = self._reason_to_keep_everything()\n",
    '        reason = ""\n',
)
COMMIT_FIRST = Bug(
    "record before data",
    "operations/create_run.py",
    "                self._look()\n",
    "                self._look()\n                self._begin(None)\n                self._commit()\n",
)
SOURCE_ERRORS_SWALLOWED = Bug(
    "errors of sources swallowed",
    "operations/create_run.py",
    "                reader.read(source, room)\n",
    "                try:\n                    reader.read(source, room)\n"
    "                except SourceError:\n                    pass\n",
)
EXCHANGED_IN_STEPS = Bug(
    "exchanged in three steps",
    "sources/place_rename.py",
    "    return _renameat2(one, other, _EXCHANGE)\n",
    '    between = other.with_name(f"{other.name}.between")\n'
    "    os.rename(other, between)\n    os.rename(one, other)\n    os.rename(between, one)\n    return True\n",
)


def plant(app: FaultyApp, bug: Bug, place: Path) -> None:
    """Lets commands of an application run a copy of the program with a bug."""
    package = place / "holdfast"
    shutil.copytree(Path(holdfast.__file__).parent, package)
    module = package / bug.module
    text = module.read_text("utf-8")
    assert text.count(bug.right) == 1, f"{bug.module} has changed: {bug.right!r}"
    text = text.replace(bug.right, bug.wrong)
    if bug is SOURCE_ERRORS_SWALLOWED:
        text = text.replace("from holdfast.errors import ", "from holdfast.errors import SourceError, ", 1)
    module.write_text(text, "utf-8")
    app.environment["PYTHONPATH"] = str(place)
