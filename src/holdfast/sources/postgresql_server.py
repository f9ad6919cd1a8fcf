"""Connections to a PostgreSQL server, ours and those of its client programs."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from holdfast.errors import DatabaseUnavailable, Phrase
from holdfast.runtime.programs import secret_file
from holdfast.sources.server_address import Address, config_invalid, merged, parse_url

if TYPE_CHECKING:
    import psycopg

    from holdfast.sources.postgresql_options import PostgresqlOptions

    Connection = psycopg.Connection[tuple[object, ...]]

SCHEMES = ("postgresql", "postgres")
_CONNECT_S = "15"
# What libpq understands and an application's URL may hold. Other parameters are meant for the application's driver.
_PARAMETERS = frozenset(
    (
        *("application_name", "channel_binding", "connect_timeout", "gssencmode", "hostaddr", "krbsrvname", "options"),
        *("keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "tcp_user_timeout"),
        *("load_balance_hosts", "require_auth", "target_session_attrs"),
        *("sslcert", "sslcompression", "sslcrl", "sslkey", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert"),
        "sslsni",
    )
)
_SESSION = (
    "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; "
    "SET row_security = off; SET search_path = ''"
)


def address_of(options: PostgresqlOptions, source: str) -> Address:
    """Where the database is. Raises `ConfigInvalid` or `NameRefused`."""
    own = Address(
        host=options.host,
        port=options.port,
        user=options.user,
        database=options.database,
        password=options.password,
        parameters={**options.extra, **({"sslmode": options.sslmode} if options.sslmode else {})},
    )
    unknown = sorted(set(options.extra) - _PARAMETERS)
    if unknown:
        raise config_invalid(
            source, "extra", Phrase("{unknown} is not a connection parameter of libpq", {"unknown": unknown[0]})
        )
    try:
        url = None if options.url is None else parse_url(options.url, SCHEMES)
    except ValueError as error:
        raise config_invalid(source, "url", str(error)) from None
    if url is not None and not url.host:
        url = msgspec.structs.replace(url, host=url.parameters.get("host", ""))
    return _understood(merged(url, own, source))


def _understood(address: Address) -> Address:
    parameters = {name: value for name, value in address.parameters.items() if name in _PARAMETERS}
    # COMPAT(asyncpg): its URLs say `ssl` for what libpq calls `sslmode`.
    if "sslmode" not in parameters and address.parameters.get("ssl"):
        parameters["sslmode"] = {"true": "require", "false": "disable"}.get(
            address.parameters["ssl"].lower(), address.parameters["ssl"]
        )
    return msgspec.structs.replace(address, parameters=parameters)


class ForPrograms(NamedTuple):
    """How a client program connects: `--dbname` as one argument, variables, descriptors to pass on, secrets."""

    dbname: str
    environment: Mapping[str, str]
    pass_fds: tuple[int, ...]
    secrets: tuple[bytes, ...]


class PostgresqlServer:
    """Opens connections to one database, or to others of the same server."""

    def __init__(self, address: Address, source: str) -> None:
        self.address = address
        self.source = source

    @property
    def location(self) -> str:
        """The database, for people."""
        return self.address.shown("postgresql")

    def connect(self, database: str | None = None, *, autocommit: bool = True) -> Connection:
        """A connection without time limits of the session, on which names must be qualified.

        Raises:
            DatabaseUnavailable: the server is not there or does not let us in.
        """
        connection = self.plain(database, autocommit=autocommit)
        import psycopg

        try:
            connection.execute(_SESSION)
            if not autocommit:
                connection.commit()
        except psycopg.Error as error:
            connection.close()
            raise DatabaseUnavailable(source=self.source, reason=self.reason(error)) from None
        return connection

    def plain(self, database: str | None = None, *, autocommit: bool = False) -> Connection:
        """A connection as the server makes it. Raises `DatabaseUnavailable`."""
        import psycopg
        from psycopg.conninfo import make_conninfo

        secret = self.address.password
        parameters: dict[str, str | int | None] = {
            "connect_timeout": _CONNECT_S,
            "application_name": "holdfast",
            **self.address.parameters,
            "host": self.address.host or None,
            "port": self.address.port or None,
            "user": self.address.user or None,
            "dbname": self.address.database if database is None else database,
            "password": None if secret is None else secret.reveal().decode("utf-8", "surrogateescape"),
            "client_encoding": "UTF8",
        }
        try:
            return psycopg.connect(make_conninfo("", **parameters), autocommit=autocommit)
        except (psycopg.Error, UnicodeError) as error:
            # The original error is not chained: its context may quote parameters.
            raise DatabaseUnavailable(source=self.source, reason=self.reason(error)) from None

    def reason(self, error: Exception) -> str:
        """What an error says, in one line, without the password."""
        text = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
        secret = self.address.password
        if secret:
            text = text.replace(secret.reveal().decode("utf-8", "surrogateescape"), "***")
        return "".join(c if c.isprintable() else "�" for c in text) or type(error).__name__

    @contextlib.contextmanager
    def for_programs(self, connection: Connection, database: str | None = None) -> Generator[ForPrograms]:
        """How programs get to where a connection got to, without a password among the arguments."""
        from psycopg.conninfo import make_conninfo

        info = connection.info
        # SAFETY: a database's name is a value within a connection string and never an argument of its own, where a
        # leading `-` would be an option and a `=` could send the password to another host.
        parameters: dict[str, str | int | None] = {
            "connect_timeout": _CONNECT_S,
            **self.address.parameters,
            "host": info.host or None,
            "port": info.port,
            "user": info.user,
            "dbname": info.dbname if database is None else database,
        }
        dbname = make_conninfo("", **parameters)
        password = info.password.encode("utf-8", "surrogateescape")
        if not password:
            yield ForPrograms(f"--dbname={dbname}", {}, (), ())
        elif b"\n" in password or b"\r" in password:
            # A password file has lines; such a password can only travel in a variable.
            yield ForPrograms(f"--dbname={dbname}", {"PGPASSWORD": info.password}, (), (password,))
        else:
            line = b"*:*:*:*:" + password.replace(b"\\", b"\\\\").replace(b":", b"\\:") + b"\n"
            with secret_file(line) as (path, descriptor):
                yield ForPrograms(f"--dbname={dbname}", {"PGPASSFILE": path}, (descriptor,), (password,))
