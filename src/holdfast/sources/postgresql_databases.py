"""Databases of a PostgreSQL server as wholes: made, described, dropped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Self

from holdfast.errors import DatabaseUnavailable, LoadFailed
from holdfast.sources.postgresql_server import PostgresqlServer
from holdfast.sources.server_load import beside

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

MARK = "holdfast: a restore that is under way"
_NAME_BYTES = 63
_LISTS = frozenset(
    (
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
    )
)
_SETTINGS = """
SELECT coalesce(r.rolname, ''), split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c
WHERE d.datname = %s ORDER BY 1, 2
"""
_RIGHTS = """
SELECT coalesce(r.rolname, ''), a.privilege_type, a.is_grantable
FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE d.datname = %s AND d.datacl IS NOT NULL ORDER BY 1, 2
"""
_LEFTOVERS = """
SELECT d.datname FROM pg_catalog.pg_database d
WHERE pg_catalog.shobj_description(d.oid, 'pg_database') = %s AND d.datname LIKE %s
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datname = d.datname)
"""


class Databases:
    """A connection for work on whole databases; what it does is done at once, outside of transactions.

    Errors of the server are `LoadFailed`, the destination being as it was.
    """

    def __init__(self, server: PostgresqlServer) -> None:
        self.server = server

    def __enter__(self) -> Self:
        try:
            self.connection = self.server.connect("postgres")
        except DatabaseUnavailable as first:
            try:
                self.connection = self.server.connect("template1")
            except DatabaseUnavailable:
                raise first from None
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def run(
        self, statement: str, *parts: sql.Composable, parameters: tuple[object, ...] = ()
    ) -> list[tuple[object, ...]]:
        """Runs a statement whose `{}` are filled with quoted parts."""
        import psycopg
        from psycopg import sql

        try:
            query = sql.SQL(statement).format(*parts)  # pyright: ignore[reportArgumentType]
            cursor = self.connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise self.failed(error) from error

    def failed(self, error: psycopg.Error) -> LoadFailed:
        """What a server's error is to a restore."""
        return LoadFailed(destination=self.server.location, reason=self.server.reason(error))

    def exists(self, name: str) -> bool:
        """Whether there is such a database."""
        return bool(self.run("SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", parameters=(name,)))

    def may_create(self) -> bool:
        """Whether this user may make databases."""
        rows = self.run("SELECT rolcreatedb OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")
        return bool(rows and rows[0][0])

    def free_name(self, name: str, word: str, stamp: str) -> str:
        """A free name beside another."""
        return beside(name, word, stamp, _NAME_BYTES, self.exists, lambda text: len(text.encode()))

    def create(self, name: str, like: str | None, facts: Mapping[str, str]) -> None:
        """Makes an empty database that is marked as a restore under way.

        Args:
            like: an existing database whose encoding and locale it gets; None for those in `facts`.
        """
        from psycopg import sql

        chosen = dict(self._locale(like) if like is not None else _locale_of(facts))
        words = [sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))]
        words += [sql.SQL(f" {word} {{}}").format(sql.Literal(value)) for word, value in chosen.items()]  # pyright: ignore[reportArgumentType]
        self.run("{}", sql.Composed(words))
        self.run("COMMENT ON DATABASE {} IS {}", sql.Identifier(name), sql.Literal(MARK))

    def _locale(self, name: str) -> Iterator[tuple[str, str]]:
        # Through JSON, because the columns of the ICU locale are named differently in each major version.
        [(encoding, collate, ctype, letter, locale)] = self.run(
            "SELECT pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype, j ->> 'datlocprovider', "
            "coalesce(j ->> 'daticulocale', j ->> 'datlocale') "
            "FROM pg_catalog.pg_database d, pg_catalog.to_jsonb(d) j WHERE datname = %s",
            parameters=(name,),
        )
        yield "ENCODING", str(encoding)
        provider = {"i": "icu", "b": "builtin"}.get(str(letter))
        if provider is not None:
            yield "LOCALE_PROVIDER", provider
            yield ("ICU_LOCALE" if provider == "icu" else "BUILTIN_LOCALE"), str(locale)
        yield "LC_COLLATE", str(collate)
        yield "LC_CTYPE", str(ctype)

    def describe_like(self, name: str, like: str | None) -> None:
        """Gives a database the owner, rights, settings and comment of another, and takes the mark away."""
        from psycopg import sql

        target = sql.Identifier(name)
        if like is None:
            self.run("COMMENT ON DATABASE {} IS NULL", target)
            return
        [(owner, limit, comment)] = self.run(
            "SELECT pg_catalog.pg_get_userbyid(datdba), datconnlimit, pg_catalog.shobj_description(oid, 'pg_database') "
            "FROM pg_catalog.pg_database WHERE datname = %s",
            parameters=(like,),
        )
        self.run("ALTER DATABASE {} OWNER TO {}", target, sql.Identifier(str(owner)))
        self.run("ALTER DATABASE {} CONNECTION LIMIT {}", target, sql.Literal(limit))
        for number, (role, right, grantable) in enumerate(self.run(_RIGHTS, parameters=(like,))):
            if number == 0:
                self.run("REVOKE ALL ON DATABASE {} FROM PUBLIC", target)
            to = sql.Identifier(str(role)) if role else sql.SQL("PUBLIC")
            tail = " WITH GRANT OPTION" if grantable and role else ""
            self.run(f"GRANT {right} ON DATABASE {{}} TO {{}}{tail}", target, to)
        for role, setting, value in self.run(_SETTINGS, parameters=(like,)):
            whose = (
                sql.SQL("ALTER ROLE {} IN DATABASE {}").format(sql.Identifier(str(role)), target)
                if role
                else sql.SQL("ALTER DATABASE {}").format(target)
            )
            # The server stores lists already quoted, name by name; as one literal they would become one name.
            shown = sql.SQL(str(value)) if setting in _LISTS else sql.Literal(str(value))  # pyright: ignore[reportArgumentType]
            self.run("{} SET {} TO {}", whose, sql.Identifier(*str(setting).split(".")), shown)
        self.run("COMMENT ON DATABASE {} IS {}", target, sql.Literal(comment))

    def drop(self, name: str) -> None:
        """Drops a database that this restore made, or that it replaced and nobody wants to keep."""
        from psycopg import sql

        # SAFETY: the only place that drops databases; callers pass names they made with `free_name`.
        self.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", sql.Identifier(name))

    def drop_leftovers(self, name: str) -> None:
        """Drops what restores of this database left that were killed."""
        like = name[:20].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%\\_restore\\_%"
        for (leftover,) in self.run(_LEFTOVERS, parameters=(MARK, like)):
            self.drop(str(leftover))


def _locale_of(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for word, fact in (("ENCODING", "encoding"), ("LC_COLLATE", "collate"), ("LC_CTYPE", "ctype")):
        if facts.get(fact):
            yield word, facts[fact]
