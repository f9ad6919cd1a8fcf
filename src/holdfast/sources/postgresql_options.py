"""Where a PostgreSQL database is and what of it is dumped."""

from __future__ import annotations

import msgspec

from holdfast.runtime.secret import Secret


class PostgresqlOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a source of kind `postgresql`.

    Attributes:
        url: `postgresql://user:password@host:port/database?sslmode=…`, as applications have it (`postgres://` and
            `postgresql+psycopg://` are understood); a secret, because it may hold the password. The fields below
            win over it.
        host: name, address, or the folder of a Unix socket.
        sslmode: as libpq has it: `require`, `verify-full`, …
        tools: folder of `pg_dump`, `pg_restore` and `psql`; by default those on the path.
        schemas: only these schemas; empty for all.
        exclude_tables: tables whose rows are left out, `table` or `schema.table`, exact names; their definition stays.
        timeout_s: how long the server or a tool may stay silent; by default what the run allows.
        extra: more connection parameters of libpq, such as `sslrootcert`.
    """

    url: Secret | None = None
    host: str = ""
    port: int = 0
    user: str = ""
    database: str = ""
    password: Secret | None = None
    sslmode: str = ""
    tools: str = ""
    schemas: tuple[str, ...] = ()
    exclude_tables: tuple[str, ...] = ()
    timeout_s: float | None = None
    extra: dict[str, str] = {}
