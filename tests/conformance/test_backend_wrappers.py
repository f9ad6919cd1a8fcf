"""Wrappers change when things happen and whether, never what is stored."""

from pathlib import Path

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.backends.wrappers.cache import CacheBackend
from holdfast.backends.wrappers.limit import LimitBackend
from holdfast.backends.wrappers.retry import RetryBackend
from holdfast.protocols import Backend
from holdfast.testing.backend_suite import BackendSuite
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.faulty_backend import Fault, FaultyBackend, Operation, Rule


class TestRetry(BackendSuite):
    @pytest.fixture
    def backend(self) -> Backend:
        return RetryBackend(MemoryBackend())


class TestRetryOverEveryOtherCallFailing(BackendSuite):
    @pytest.fixture
    def backend(self) -> Backend:
        rules = [Rule(operation, Fault.FAIL_AFTER, once_per_object=True) for operation in Operation]
        return RetryBackend(FaultyBackend(MemoryBackend(), rules), clock=FakeClock(), atomic=False)


class TestLimit(BackendSuite):
    @pytest.fixture
    def backend(self) -> Backend:
        rate = 1_000_000
        return LimitBackend(MemoryBackend(), upload_bytes_per_s=rate, download_bytes_per_s=rate, clock=FakeClock())


class TestCacheOfEverything(BackendSuite):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        return CacheBackend(MemoryBackend(), str(tmp_path / "cache"), lambda _name: True)


class TestCacheOfNoPack(BackendSuite):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        return CacheBackend(MemoryBackend(), str(tmp_path / "cache"), lambda _name: False)


class TestFaultyBackendWithoutFaults(BackendSuite):
    @pytest.fixture
    def backend(self) -> Backend:
        return FaultyBackend(MemoryBackend())
