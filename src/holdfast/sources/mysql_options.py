"""Where a MySQL or MariaDB database is and what of it is dumped."""

from __future__ import annotations

import msgspec

from holdfast.runtime.secret import Secret


class MysqlOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a source of kind `mysql`.

    Attributes:
        url: `mysql://user:password@host:port/database`, as applications have it (`mariadb://` and
            `mysql+pymysql://` are understood); a secret, because it may hold the password. The fields below win.
        socket: path of the server's Unix socket, instead of host and port.
        ssl_ca: certificates that the server's certificate is checked against; with it, encryption is demanded.
        tools: folder of the client programs (`mariadb-dump` and `mariadb`, or `mysqldump` and `mysql`); by default
            those on the path.
        exclude_tables: tables whose rows are left out, exact names; MySQL's own dump program can only leave out the
            whole table.
        timeout_s: how long the server or a tool may stay silent; by default what the run allows.
        extra: more options of the client programs, written into their options file, such as `max_allowed_packet`.
    """

    url: Secret | None = None
    host: str = ""
    port: int = 0
    user: str = ""
    database: str = ""
    password: Secret | None = None
    socket: str = ""
    ssl_ca: str = ""
    tools: str = ""
    exclude_tables: tuple[str, ...] = ()
    timeout_s: float | None = None
    extra: dict[str, str] = {}
