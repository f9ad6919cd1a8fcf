"""Connections to a MySQL or MariaDB server, ours and those of its client programs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from holdfast.errors import DatabaseUnavailable, NameRefused, Phrase
from holdfast.runtime.programs import secret_file
from holdfast.sources.rows.sql import backquoted
from holdfast.sources.server_address import Address, config_invalid, merged, parse_url

if TYPE_CHECKING:
    from pymysql.connections import Connection as PyMySQL
    from pymysql.cursors import Cursor

    from holdfast.sources.mysql_options import MysqlOptions

    Connection = PyMySQL[Cursor]

SCHEMES = ("mysql", "mariadb")
_CONNECT_S = 15
_MAX_PACKET_BYTES = 1 << 30
_UNKNOWN_VARIABLE = 1193
_OPTION = re.compile(r"[a-z][a-z0-9_-]*")
# Time limits of the session would end counts and loads of large tables; each server knows some of these.
_LIMITS = ("max_statement_time", "max_execution_time")


def address_of(options: MysqlOptions, source: str) -> Address:
    """Where the database is. Raises `ConfigInvalid` or `NameRefused`."""
    own = Address(
        host=options.socket or options.host,
        port=options.port,
        user=options.user,
        database=options.database,
        password=options.password,
        parameters={"ssl_ca": options.ssl_ca} if options.ssl_ca else {},
    )
    for name, value in options.extra.items():
        if not _OPTION.fullmatch(name) or "\0" in value:
            raise config_invalid(source, "extra", Phrase("{name} is not the name of an option", {"name": repr(name)}))
    try:
        url = None if options.url is None else understood(parse_url(options.url, SCHEMES))
    except ValueError as error:
        raise config_invalid(source, "url", str(error)) from None
    whole = merged(url, own, source)
    refuse_control_characters(whole.database, source)
    return whole


def understood(address: Address) -> Address:
    """An address from a URL, with what applications write into its query."""
    parameters = {name.replace("-", "_"): value for name, value in address.parameters.items()}
    socket = parameters.get("unix_socket") or parameters.get("socket")
    kept = {"ssl_ca": parameters["ssl_ca"]} if parameters.get("ssl_ca") else {}
    return msgspec.structs.replace(address, host=socket or address.host, parameters=kept)


def refuse_control_characters(name: str, source: str) -> None:
    """Refuses names that would end a line of a dump, where the rest would be a statement. Raises `NameRefused`."""
    if any(ord(character) < 32 for character in name):
        raise NameRefused(source=source, name=name)


class ForPrograms(NamedTuple):
    """How a client program connects: its first argument, descriptors to pass on, secrets to blot out."""

    defaults: str
    pass_fds: tuple[int, ...]
    secrets: tuple[bytes, ...]


class MysqlServer:
    """Opens connections to one database, or to others of the same server."""

    def __init__(self, address: Address, source: str, extra: Mapping[str, str] | None = None) -> None:
        self.address = address
        self.source = source
        self._extra = dict(extra or {})

    @property
    def location(self) -> str:
        """The database, for people."""
        return self.address.shown("mysql")

    def connect(self, database: str | None = None) -> Connection:
        """A connection that commits each statement and has no limits of time.

        Args:
            database: another one than the address names; empty for none.

        Raises:
            DatabaseUnavailable: the server is not there or does not let us in.
        """
        import pymysql

        secret = self.address.password
        socket = self.address.host if self.address.host.startswith("/") else None
        ca = self.address.parameters.get("ssl_ca")
        try:
            connection = pymysql.connect(
                host=self.address.host if self.address.host and socket is None else "localhost",
                unix_socket=socket,
                port=self.address.port or 3306,
                user=self.address.user or None,
                password=b"" if secret is None else secret.reveal(),
                database=(self.address.database if database is None else database) or None,
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=_CONNECT_S,
                max_allowed_packet=_MAX_PACKET_BYTES,
                ssl_ca=ca,
            )
        except (pymysql.Error, OSError, UnicodeError, ValueError, RuntimeError) as error:
            # Not chained: the original error may quote parameters.
            raise DatabaseUnavailable(source=self.source, reason=self.reason(error)) from None
        try:
            for limit in _LIMITS:
                with _unknown_is_fine():
                    ask(connection, f"SET SESSION {limit} = 0")
        except (pymysql.Error, OSError) as error:
            connection.close()
            raise DatabaseUnavailable(source=self.source, reason=self.reason(error)) from None
        return connection

    def reason(self, error: Exception) -> str:
        """What an error says, in one line, without the password."""
        said = str(error.args[1]) if len(error.args) > 1 else str(error)
        secret = self.address.password
        if secret:
            said = said.replace(secret.reveal().decode("utf-8", "surrogateescape"), "***")
        text = " ".join(said.split())
        return "".join(c if c.isprintable() else "�" for c in text) or type(error).__name__

    @contextlib.contextmanager
    def for_programs(self) -> Generator[ForPrograms]:
        """How programs get where `connect` gets, without a password among the arguments.

        They read no other options file: what somebody wrote for people who dump by hand is not for backups.
        """
        address = self.address
        socket = address.host.startswith("/")
        secret = b"" if address.password is None else address.password.reveal()
        options: dict[str, bytes] = {"max-allowed-packet": b"1073741824"}
        if socket:
            options |= {"protocol": b"SOCKET", "socket": address.host.encode()}
        elif address.host:
            options |= {"protocol": b"TCP", "host": address.host.encode()}
        if address.port and not socket:
            options["port"] = str(address.port).encode()
        options |= {"user": address.user.encode()} if address.user else {}
        options |= {"password": secret} if secret else {}
        ca = address.parameters.get("ssl_ca")
        options |= {"ssl-ca": ca.encode()} if ca else {}
        options |= {name: value.encode() for name, value in self._extra.items()}
        lines = [b"[client]\n"] + [name.encode() + b"=" + _quoted(value) + b"\n" for name, value in options.items()]
        with secret_file(b"".join(lines)) as (path, descriptor):
            yield ForPrograms(f"--defaults-file={path}", (descriptor,), (secret,) if secret else ())


@contextlib.contextmanager
def _unknown_is_fine() -> Generator[None]:
    import pymysql

    try:
        yield
    except pymysql.Error as error:
        if error.args[:1] != (_UNKNOWN_VARIABLE,):
            raise


def _quoted(value: bytes) -> bytes:
    """A value of an options file: within quotes `#` begins no comment and spaces at the ends stay."""
    escaped = value.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r").replace(b"\t", b"\\t")
    return b'"' + escaped + b'"'


def ask(connection: Connection, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Runs a statement and returns its rows. Raises `pymysql.Error`."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def ask_once(server: MysqlServer, statement: str) -> list[tuple[object, ...]]:
    """Runs a statement on a connection of its own. Raises `pymysql.Error` or `DatabaseUnavailable`."""
    with contextlib.closing(server.connect()) as connection:
        return ask(connection, statement)


def qualified(schema: str, name: str) -> str:
    """A table of a schema, quoted."""
    return f"{backquoted(schema)}.{backquoted(name)}"
