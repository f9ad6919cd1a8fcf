"""Folders in which applications keep what people gave them, and files that configure them."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.config.discovery.compose import FILES
from holdfast.config.discovery.findings import Findings, FoundSource, shown_path
from holdfast.config.discovery.folder_walk import Tree
from holdfast.config.shapes import texts
from holdfast.errors import Phrase

_FOLDERS = frozenset({"media", "storage", "uploads", "upload", "attachments", "userfiles"})
_DEEPEST = 3
_CONFIGURATION = frozenset(
    {
        *FILES, "config.toml", "config.yaml", "config.yml", "config.json", "config.ini", "settings.toml",
        "settings.yaml", "settings.yml", "settings.json", "settings.ini", "local_settings.py", "alembic.ini",
        "nginx.conf", "Caddyfile", "gunicorn.conf.py", "wp-config.php",
    }
)  # fmt: skip
_EXAMPLES = ("example", "sample", "dist", "template")
FALLBACK_EXCLUDES = (
    ".holdfast", "backups", ".git", "node_modules", "vendor", ".venv", "venv", "__pycache__", "*.pyc", ".cache",
)  # fmt: skip


def find_folders(tree: Tree, findings: Findings, databases: set[Path]) -> None:
    """Adds media, storage and upload folders; a database in one is left out there, because it is a source itself."""
    taken = [tree.root / path for source in findings.sources for path in _paths(source)]
    for folder in tree.folders:
        depth = len(folder.relative_to(tree.root).parts)
        if folder.name.lower() not in _FOLDERS or depth > _DEEPEST:
            continue
        if any(folder.is_relative_to(one) or one.is_relative_to(folder) for one in taken):
            continue
        shown = shown_path(folder, tree.root)
        if not _holds_files(folder):
            findings.leave_out(shown, "there is no file in it yet")
            continue
        taken.append(folder)
        options: dict[str, object] = {"paths": [shown]}
        inside = sorted(shown_path(path, tree.root) for path in databases if path.is_relative_to(folder))
        if inside:
            options["exclude"] = [pattern for path in inside for pattern in (path, f"{path}-wal", f"{path}-shm")]
        origin = Phrase("a folder of this name usually holds what users uploaded", {})
        findings.add(FoundSource(kind="files", name=folder.name, options=options, origin=origin))


def find_configuration(tree: Tree, findings: Findings) -> None:
    """Adds `.env` files and the usual configuration files at the top of the folder, and what is written there now."""
    paths = ["holdfast.toml"]
    for path in tree.files:
        if path.parent != tree.root:
            continue
        if path.name == ".env" or path.name.startswith(".env."):
            if path.name.endswith(_EXAMPLES):
                findings.leave_out(path.name, "it is an example")
            else:
                paths.append(path.name)
        elif path.name in _CONFIGURATION:
            paths.append(path.name)
    origin = Phrase("these files configure the application", {})
    findings.add(FoundSource(kind="config", name="config", options={"paths": sorted(paths)}, origin=origin))


def add_everything(findings: Findings) -> None:
    """Where nothing was recognised, the folder itself."""
    options = {"paths": ["."], "exclude": list(FALLBACK_EXCLUDES)}
    origin = Phrase("nothing was recognised, so this is the whole folder", {})
    findings.add(FoundSource(kind="files", name="files", options=options, origin=origin))


def _paths(source: FoundSource) -> list[str]:
    return texts(source.options.get("paths")) or [] if source.kind == "files" else []


def _holds_files(folder: Path) -> bool:
    return any(names for _folder, _folders, names in os.walk(folder))
