"""Tokens: shown once, good while they should be, and worth nothing to who reads or writes the database."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from holdfast.catalog import Catalog, open_catalog
from holdfast.catalog.schema import metadata
from holdfast.model.access import Scope
from holdfast.testing.fake_clock import FakeClock
from unit.catalog.kit import KEY, NOON, after, raw


def test_a_token_opens_until_it_expires(catalog: Catalog) -> None:
    token, secret = catalog.tokens.create("panel", [Scope.BACKUP, Scope.READ], expires_at=after(60), at=NOON)
    assert re.fullmatch(r"hf_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", secret)
    assert secret[3:15] == token.token_id
    assert token.scopes == (Scope.READ, Scope.BACKUP)
    found = catalog.tokens.authenticate(secret, after(59))
    assert found is not None
    assert (found.token_id, found.name, found.scopes) == (token.token_id, "panel", token.scopes)
    assert catalog.tokens.authenticate(secret, after(60)) is None
    assert (catalog.tokens.count_valid(after(59)), catalog.tokens.count_valid(after(60))) == (1, 0)


def test_revoked_at_once_and_for_ever(catalog: Catalog, url: str) -> None:
    token, secret = catalog.tokens.create("panel", [Scope.ADMIN], expires_at=None, at=NOON)
    with open_catalog(url, clock=FakeClock(), key=KEY) as other:
        assert other.tokens.authenticate(secret, NOON) is not None
        assert catalog.tokens.revoke(token.token_id, after(1))
        assert other.tokens.authenticate(secret, after(1)) is None
    assert not catalog.tokens.revoke(token.token_id, after(2))
    assert not catalog.tokens.revoke("0" * 12, after(2))
    assert catalog.tokens.list()[0].revoked_at == after(1)
    assert catalog.tokens.count_valid(after(1)) == 0


def test_every_other_character_is_refused(catalog: Catalog) -> None:
    _token, secret = catalog.tokens.create("panel", [Scope.READ], expires_at=None, at=NOON)
    for place in range(len(secret)):
        for other in ("A", "a", "0", "_", "\0", "é", "\ud800"):
            changed = secret[:place] + other + secret[place + 1 :]
            if changed != secret:
                assert catalog.tokens.authenticate(changed, NOON) is None
    for wrong in ("", "hf_", secret + "\n", " " + secret, secret[:-1], secret * 2, "Bearer " + secret):
        assert catalog.tokens.authenticate(wrong, NOON) is None


def test_use_is_noted_once_a_minute(catalog: Catalog) -> None:
    _token, secret = catalog.tokens.create("panel", [Scope.READ], expires_at=None, at=NOON)
    for seconds, noted in [(0, 0), (59, 0), (60, 60), (100, 60), (3600, 3600)]:
        catalog.tokens.authenticate(secret, after(seconds))
        assert catalog.tokens.list()[0].last_used_at == after(noted)


def test_nothing_in_the_database_opens_anything(catalog: Catalog) -> None:
    """Every value of every table, alone and put together with every id, in every form it could have."""
    secrets = [catalog.tokens.create(f"t{number}", [Scope.ADMIN], expires_at=None, at=NOON)[1] for number in range(3)]
    values = set(_values(catalog))
    ids = {secret[3:15] for secret in secrets}
    assert ids <= values, "otherwise this test looks in the wrong place"
    for secret in secrets:
        assert not [value for value in values if secret in value or secret[16:] in value]
    candidates = values | {f"hf_{one}_{value[:43]}" for one in ids for value in values}
    assert not [one for one in candidates if catalog.tokens.authenticate(one, NOON) is not None]


def test_who_writes_to_the_database_cannot_make_a_token_worth_more(catalog: Catalog) -> None:
    _token, secret = catalog.tokens.create("panel", [Scope.READ], expires_at=after(60), at=NOON)
    raw(catalog, """UPDATE holdfast_tokens SET scopes = '["admin"]'""")
    assert catalog.tokens.authenticate(secret, NOON) is None
    raw(catalog, """UPDATE holdfast_tokens SET scopes = '["read"]'""")
    assert catalog.tokens.authenticate(secret, NOON) is not None
    raw(catalog, "UPDATE holdfast_tokens SET expires_at = NULL")
    assert catalog.tokens.authenticate(secret, NOON) is None


def test_a_digest_is_good_for_its_own_token_only(catalog: Catalog) -> None:
    low, low_secret = catalog.tokens.create("low", [Scope.READ], expires_at=None, at=NOON)
    high, _secret = catalog.tokens.create("high", [Scope.READ], expires_at=None, at=NOON)
    raw(
        catalog,
        f"UPDATE holdfast_tokens SET digest = (SELECT digest FROM holdfast_tokens WHERE token_id = '{low.token_id}') "
        f"WHERE token_id = '{high.token_id}'",
    )
    assert catalog.tokens.authenticate(f"hf_{high.token_id}_{low_secret[16:]}", NOON) is None


@pytest.mark.parametrize("scopes", [[], [Scope.READ], list(Scope)])
def test_scopes_come_back(catalog: Catalog, scopes: list[Scope]) -> None:
    _token, secret = catalog.tokens.create("x", scopes, expires_at=None, at=NOON)
    found = catalog.tokens.authenticate(secret, NOON)
    assert found is not None
    assert found.scopes == tuple(scopes)


@given(st.one_of(st.text(), st.from_regex(r"hf_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", fullmatch=True)))
def test_no_text_opens_a_catalog(memory: Catalog, secret: str) -> None:
    assert memory.tokens.authenticate(secret, NOON) is None


def _values(catalog: Catalog) -> list[str]:
    with catalog.storage.read() as connection:
        names = sa.inspect(connection).get_table_names()
        assert {table.name for table in metadata.sorted_tables} <= set(names)
        return [
            str(value)
            for name in names
            for row in connection.execute(sa.text(f"SELECT * FROM {name}"))
            for value in row
        ]
