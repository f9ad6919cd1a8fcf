"""What every test shares: a clean environment, one printed seed, Hypothesis profiles."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

SEED_VARIABLE = "HOLDFAST_TEST_SEED"
REPOSITORY_VARIABLES = ("HOLDFAST_", "RESTIC_")

settings.register_profile(
    "default",
    deadline=None,
    max_examples=50,
    print_blob=True,
    # Like the seed that .ci/run sets: what turns red there is a change.
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("deep", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Golden files are rewritten on demand; the difference is then read before it is committed."""
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing")


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))


def pytest_configure() -> None:
    """Chooses the session's seed before xdist starts its workers, which inherit it through the environment."""
    os.environ.setdefault(SEED_VARIABLE, str(random.SystemRandom().getrandbits(32)))


def pytest_report_header() -> str:
    return f"seed: {os.environ[SEED_VARIABLE]} (repeat this run with {SEED_VARIABLE}={os.environ[SEED_VARIABLE]})"


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the developer's repositories, passwords and caches out of every test, and tests out of them."""
    kept = {key: value for key, value in os.environ.items() if key.startswith("XDG_") or _is_ours(key)}
    for key in kept:
        del os.environ[key]
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    del os.environ["XDG_CACHE_HOME"]
    os.environ.update(kept)


def _is_ours(key: str) -> bool:
    return key.startswith(REPOSITORY_VARIABLES) and key != SEED_VARIABLE


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A number that differs between tests and is the same again under the same session seed; printed on failure."""
    value = random.Random(f"{os.environ[SEED_VARIABLE]}:{request.node.nodeid}").getrandbits(32)
    print(f"seed of this test: {value}; of the session: {SEED_VARIABLE}={os.environ[SEED_VARIABLE]}")
    return value


@pytest.fixture
def rng(seed: int) -> random.Random:
    """Randomness for test data, repeatable through the printed session seed."""
    return random.Random(seed)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The top folder of the project."""
    return Path(__file__).resolve().parent.parent
