"""Everything that is found in the folder of an application."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from holdfast.config.discovery.compose import find_compose
from holdfast.config.discovery.database_url import find_database_urls
from holdfast.config.discovery.django import find_django
from holdfast.config.discovery.findings import Findings, shown_path
from holdfast.config.discovery.folder_walk import look_at
from holdfast.config.discovery.folders import add_everything, find_configuration, find_folders
from holdfast.config.discovery.laravel import find_laravel, is_laravel
from holdfast.config.discovery.sqlite_files import find_sqlite
from holdfast.config.dotenv import read_dotenv


def look(root: Path, environ: Mapping[str, str]) -> Findings:
    """Looks at an application. Nothing of it is run, and nothing is changed.

    What is named by the application itself counts more than what merely lies there, so that is asked first.

    Args:
        root: an absolute path.
        environ: variables of this process.

    Raises:
        ConfigUnreadable: its `.env` cannot be read.
    """
    findings = Findings()
    tree = look_at(root)
    dotenv = read_dotenv(root / ".env", environ).values
    variables = {**dotenv, **environ}
    databases: set[Path] = set()
    find_database_urls(root, dotenv, environ, findings, databases)
    find_django(tree, variables, findings, databases)
    if is_laravel(tree, dotenv):
        find_laravel(tree, dotenv, findings, databases)
    find_sqlite(tree, findings, databases)
    find_compose(tree, variables, findings)
    find_folders(tree, findings, databases)
    if not findings.sources:
        add_everything(findings)
    find_configuration(tree, findings)
    for folder in tree.unreadable:
        findings.leave_out(shown_path(folder, root), "this folder cannot be read")
    if tree.cut:
        findings.leave_out(".", "the folder is very large, and not all of it was looked at")
    return findings
