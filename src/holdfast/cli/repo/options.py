"""The options that every command of `holdfast repo` takes, spelled as restic spells them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click

from holdfast.cli.commands import Section, shared_option
from holdfast.cli.text import N_, _

_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(kw_only=True)
class RepoOptions:
    """Which repository, with which password, and how to treat it.

    Attributes:
        repo, repository_file: its location, or a file that names it.
        password_file, password_command, insecure_no_password: where the password comes from.
        key_hint: the first digits of the key to try first.
        no_lock: read without a lock.
        retry_lock_s: how long to wait for a lock.
        no_cache, cache_dir: whether and where to keep derived data.
        cleanup_cache: remove derived data of other repositories that is old.
        limit_upload_kib, limit_download_kib: KiB a second; 0 is no limit.
        compression: auto, off, fastest, better or max.
        pack_size_mib: target size of packs; 0 is the default.
        no_extra_verify: do not read back what is about to be stored.
        extended: further settings of the storage, by name.
    """

    repo: str = ""
    repository_file: str = ""
    password_file: str = ""
    password_command: str = ""
    insecure_no_password: bool = False
    key_hint: str = ""
    no_lock: bool = False
    retry_lock_s: float = 0.0
    no_cache: bool = False
    cache_dir: str = ""
    cleanup_cache: bool = False
    limit_upload_kib: int = 0
    limit_download_kib: int = 0
    compression: str = "auto"
    pack_size_mib: int = 0
    no_extra_verify: bool = False
    extended: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(kw_only=True, frozen=True)
class SourceOptions:
    """Which repository is copied from, with which password; see `RepoOptions`."""

    repo: str = ""
    repository_file: str = ""
    password_file: str = ""
    password_command: str = ""
    insecure_no_password: bool = False
    key_hint: str = ""


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that name a repository to copy from; read them with `read_source`."""
    for option in (
        click.option("--from-key-hint", metavar="ID", envvar=_variables("FROM_KEY_HINT"), help="Key to try first."),
        click.option("--from-insecure-no-password", is_flag=True, help="The password of --from-repo is empty."),
        click.option(
            "--from-password-command", metavar="COMMAND", help="Command that prints the password of --from-repo."
        ),
        click.option("--from-password-file", metavar="FILE", help="Password of --from-repo."),
        click.option("--from-repository-file", metavar="FILE", help="File to read the location from."),
        click.option("--from-repo", metavar="URL", help="Repository to copy from."),
    ):
        function = option(function)
    return function


def read_source(given: dict[str, Any]) -> SourceOptions:
    """What the options say; where they are empty, the environment is asked when the repository is opened."""
    return SourceOptions(
        repo=given["from_repo"] or "",
        repository_file=given["from_repository_file"] or "",
        password_file=given["from_password_file"] or "",
        password_command=given["from_password_command"] or "",
        insecure_no_password=given["from_insecure_no_password"],
        key_hint=given["from_key_hint"] or "",
    )


class Duration(click.ParamType[float]):
    """Seconds, written as `90s`, `5m` or `1h30m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Reads a duration."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value)
        if text == "0":
            return 0.0
        if not text or _DURATION_PART.sub("", text):
            self.fail(_("{value!r} is not a duration such as 90s, 5m or 1h30m.").format(value=text), param, ctx)
        return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def options_of(ctx: click.Context) -> RepoOptions:
    """The options of the running command line, shared by all its commands."""
    options: RepoOptions = ctx.meta.setdefault("holdfast.repo.options", RepoOptions())
    return options


def _set(name: str, convert: Callable[[Any], Any] = lambda value: value) -> Callable[[click.Context, Any], None]:
    return lambda ctx, value: setattr(options_of(ctx), name, convert(value))


def _extend(ctx: click.Context, pairs: tuple[str, ...]) -> None:
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise click.BadParameter(_("{pair!r} is not written as key=value.").format(pair=pair), ctx=ctx)
        options_of(ctx).extended[key.strip()] = value


def _extend_with(name: str) -> Callable[[click.Context, Any], None]:
    def apply(ctx: click.Context, value: object) -> None:
        options_of(ctx).extended[name] = "yes" if value is True else str(value)

    return apply


def _variables(name: str) -> list[str]:
    return [f"HOLDFAST_{name}", f"RESTIC_{name}"]


def repository_options() -> list[click.Option]:
    """The options of every command that works with a repository."""
    return [*_location_options(), *_lock_and_cache_options(), *_transfer_options(), *_connection_options()]


def _location_options() -> list[click.Option]:
    return [
        shared_option(
            "-r",
            "--repo",
            metavar="URL",
            apply=_set("repo"),
            help="Location of the repository; by default that of HOLDFAST_REPOSITORY.",
        ),
        shared_option(
            "--repository-file",
            metavar="FILE",
            apply=_set("repository_file"),
            help="File to read the location of the repository from.",
        ),
        shared_option(
            "-p",
            "--password-file",
            metavar="FILE",
            apply=_set("password_file"),
            help="File to read the password from; by default HOLDFAST_PASSWORD_FILE.",
        ),
        shared_option(
            "--password-command",
            metavar="COMMAND",
            apply=_set("password_command"),
            help="Command that prints the password; by default HOLDFAST_PASSWORD_COMMAND.",
        ),
        shared_option(
            "--insecure-no-password",
            is_flag=True,
            apply=_set("insecure_no_password"),
            help="Use an empty password: everybody may read the repository.",
        ),
        shared_option(
            "--key-hint",
            metavar="ID",
            envvar=_variables("KEY_HINT"),
            apply=_set("key_hint"),
            help="Key to try first.",
        ),
    ]


def _lock_and_cache_options() -> list[click.Option]:
    return [
        shared_option("--no-lock", is_flag=True, apply=_set("no_lock"), help="Read without locking the repository."),
        shared_option(
            "--retry-lock",
            type=Duration(),
            metavar="DURATION",
            apply=_set("retry_lock_s"),
            help="Wait this long for a lock, such as 5m.",
        ),
        shared_option("--no-cache", is_flag=True, apply=_set("no_cache"), help="Keep nothing on this machine."),
        shared_option(
            "--cache-dir",
            metavar="DIR",
            envvar=_variables("CACHE_DIR"),
            apply=_set("cache_dir"),
            help="Folder for what is kept on this machine.",
        ),
        shared_option(
            "--cleanup-cache",
            is_flag=True,
            apply=_set("cleanup_cache"),
            help="Remove what is kept of repositories not used for 30 days.",
        ),
    ]


def _transfer_options() -> list[click.Option]:
    return [
        shared_option(
            "--limit-upload",
            type=click.IntRange(min=0),
            metavar="KIB",
            apply=_set("limit_upload_kib"),
            help="Send at most this many KiB a second.",
        ),
        shared_option(
            "--limit-download",
            type=click.IntRange(min=0),
            metavar="KIB",
            apply=_set("limit_download_kib"),
            help="Fetch at most this many KiB a second.",
        ),
        shared_option(
            "--compression",
            type=click.Choice(["auto", "off", "fastest", "better", "max"]),
            envvar=_variables("COMPRESSION"),
            apply=_set("compression"),
            help="How hard to compress new data.",
        ),
        shared_option(
            "--pack-size",
            type=click.IntRange(4, 128),
            metavar="MIB",
            envvar=_variables("PACK_SIZE"),
            apply=_set("pack_size_mib"),
            help="Target size of packs, 4 to 128 MiB.",
        ),
        shared_option(
            "--no-extra-verify",
            is_flag=True,
            apply=_set("no_extra_verify"),
            help="Do not read back what is about to be stored.",
        ),
    ]


def _connection_options() -> list[click.Option]:
    return [
        shared_option(
            "-o",
            "--option",
            multiple=True,
            metavar="KEY=VALUE",
            apply=_extend,
            help="Further setting of the storage, such as sftp.command=…; may be repeated.",
        ),
        shared_option(
            "--cacert",
            metavar="FILE",
            envvar=_variables("CACERT"),
            apply=_extend_with("cacert"),
            help="Certificates to trust instead of those of the system.",
        ),
        shared_option(
            "--tls-client-cert",
            metavar="FILE",
            envvar=_variables("TLS_CLIENT_CERT"),
            apply=_extend_with("tls-client-cert"),
            help="Certificate and key that identify this client.",
        ),
        shared_option(
            "--insecure-tls",
            is_flag=True,
            apply=_extend_with("insecure-tls"),
            help="Do not verify the certificate of the server.",
        ),
    ]


REPOSITORY = Section(N_("Repository options"), repository_options)
