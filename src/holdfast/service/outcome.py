"""What a run came to, for whoever waits for it in this process."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from holdfast.errors import HoldfastError
from holdfast.model.run import Run


class Outcome(NamedTuple):
    """A finished run, with what its operation returned or raised; the failure of a report is the `error` too."""

    run: Run
    report: msgspec.Struct | None
    error: HoldfastError | None
