"""`holdfast repo init`."""

from __future__ import annotations

from typing import Any

import click

from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.options import read_source, source_options
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import UsageError


@repo_command("init", help="Create a repository.")
@click.option(
    "--repository-version",
    type=click.Choice(["1", "2", "stable", "latest"]),
    default="stable",
    help="Format version; 1 has no compression.",
)
@click.option("--copy-chunker-params", is_flag=True, help="Take over the chunker polynomial of --from-repo.")
@source_options
@click.pass_obj
def command(session: RepoSession, /, repository_version: str, copy_chunker_params: bool, **given: Any) -> None:
    """Creates a repository."""
    from holdfast.repository.opening import init_repository

    polynomial = None
    source = read_source(given)
    if copy_chunker_params:
        polynomial = session.open_source(source).config.chunker_polynomial
    elif source.repo or source.repository_file:
        raise UsageError(detail="--copy-chunker-params and --from-repo go together")
    backend = session.backend()
    password = session.new_password()
    version = 1 if repository_version == "1" else 2
    repository = init_repository(backend, password.reveal(), version=version, chunker_polynomial=polynomial)
    printer = session.printer
    printer.message("initialized", id=repository.config.id.hex(), repository=repository.url, version=version)
    printer.note(
        "Created repository {id} of version {version} at {url}.",
        id=repository.config.id.hex()[:10],
        version=version,
        url=repository.url,
    )
    printer.note("Keep the password safe: without it the data cannot be read by anybody, you included.")
