"""What is installed can make a catalog: the migrations are in the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from unit.catalog.kit import KEY

MAKE_ONE = """
import sys
from holdfast.catalog import open_catalog
from holdfast.runtime.clock import SystemClock
import holdfast
with open_catalog(sys.argv[1], clock=SystemClock(), key=bytes.fromhex(sys.argv[2])) as catalog:
    catalog.settings.put("a", 1)
    print(holdfast.__file__)
"""


def test_the_wheel_makes_a_catalog(tmp_path: Path, checkout: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=checkout, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    command = [sys.executable, "-c", MAKE_ONE, f"sqlite:///{tmp_path}/state/catalog.db", KEY.hex()]
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(installed / "holdfast" / "__init__.py")
